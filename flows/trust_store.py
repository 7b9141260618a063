"""A Java trust store written from the certificates that Python and OpenSSL trust on this host."""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import struct
import time
from pathlib import Path

# Variables by which other tools are told of a bundle of certificates.
BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
PASSWORD = "changeit"  # noqa: S105 - Java's own default for stores of public certificates; it guards against damage only
JKS_MAGIC, JKS_VERSION, TRUSTED = 0xFEEDFEED, 2, 2


def write(path: Path) -> Path | None:
    """Write the host's trusted certificates to `path` in the JKS format; None when the host has none."""
    certificates = host_certificates()
    if not certificates:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(jks(certificates))
    fresh.replace(path)
    return path


def host_certificates() -> list[bytes]:
    """The certificates (DER) of the system's default bundle and of the bundles that the environment names."""
    context = ssl.create_default_context()
    for variable in BUNDLES:
        bundle = os.environ.get(variable)
        if bundle and Path(bundle).is_file():
            with contextlib.suppress(ssl.SSLError):  # a file that holds no certificate adds none
                context.load_verify_locations(cafile=bundle)
    return context.get_ca_certs(binary_form=True)


def jks(certificates: list[bytes]) -> bytes:
    """The bytes of a JKS key store that trusts `certificates`.

    Format as `sun.security.provider.JavaKeyStore` reads it: header, one entry a certificate, and a SHA-1 digest
    over the password, a fixed phrase and the content.
    """
    content = struct.pack(">III", JKS_MAGIC, JKS_VERSION, len(certificates))
    now = int(time.time() * 1000)
    for number, certificate in enumerate(certificates):
        content += struct.pack(">I", TRUSTED) + _text(f"host{number}") + struct.pack(">Q", now)
        content += _text("X.509") + struct.pack(">I", len(certificate)) + certificate
    digest = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + content)  # noqa: S324 - the format's own
    return content + digest.digest()


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack(">H", len(encoded)) + encoded
