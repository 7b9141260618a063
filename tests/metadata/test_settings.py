"""Settings of a home: where they come from, and what is made on first use."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metadata.errors import UsageError
from metadata.settings import Settings, default_home, origins, public, settings


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("PILOTHOUSE_HOME", raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_without_a_name_the_home_is_in_the_data_folder_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert settings().home == default_home() == tmp_path / "pilothouse"
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "pilothouse", settings().logs, settings().state)} == {
        0o700
    }


def test_an_empty_variable_sets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("PILOTHOUSE_HOME", "")
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.chdir(tmp_path)
    assert settings().home == tmp_path / "pilothouse"
    assert settings().prefect_api_url is None
    assert {origins()[name][1] for name in ("home", "prefect_api_url")} == {"default"}


@pytest.mark.parametrize("named", ["here/home", "./here/../here/home", "~/here/home"])
def test_a_home_is_the_same_folder_wherever_a_process_stands(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PILOTHOUSE_HOME", named)
    monkeypatch.chdir(tmp_path)
    assert Settings().home == default_home() == tmp_path / "here" / "home"


DATA, DATABASE, MODELS = "PILOTHOUSE_DATA_URL", "PILOTHOUSE_DATABASE_URL", "MLFLOW_TRACKING_URI"


@pytest.mark.parametrize(
    ("variable", "given", "meant"),
    [
        (DATA, "lake", "{home}/lake"),
        (DATA, "../lake/", "{here}/lake"),
        (DATA, "{here}/lake/", "{here}/lake"),
        (DATA, "~/lake", "{here}/lake"),
        (DATA, "s3a://lake/a/", "s3a://lake/a"),
        (DATABASE, "sqlite:///meta.db", "sqlite:///{home}/meta.db"),
        (DATABASE, "sqlite+pysqlite:///./meta.db?timeout=9", "sqlite+pysqlite:///{home}/meta.db?timeout=9"),
        (DATABASE, "sqlite:///file:meta.db?uri=true", "sqlite:///file:{home}/meta.db?uri=true"),
        (DATABASE, "sqlite:////meta.db", "sqlite:////meta.db"),
        (DATABASE, "sqlite:///file:/meta.db?uri=true", "sqlite:///file:/meta.db?uri=true"),
        (DATABASE, "sqlite:///:memory:", "sqlite:///:memory:"),
        (DATABASE, "sqlite:///file::memory:?uri=true", "sqlite:///file::memory:?uri=true"),
        (DATABASE, "postgresql://me:a%2Fb@db/name", "postgresql://me:a%2Fb@db/name"),
        (MODELS, "sqlite:///mlflow.db", "sqlite:///{home}/mlflow.db"),
        (MODELS, "mlruns", "{home}/mlruns"),
        (MODELS, "file:mlruns", "file:{home}/mlruns"),
        (MODELS, "file:///mlruns", "file:///mlruns"),
        (MODELS, "http://models:5000/a", "http://models:5000/a"),
        (MODELS, "databricks", "databricks"),
    ],
)
def test_a_relative_path_is_one_in_the_home_wherever_a_process_stands(
    variable: str, given: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "my home"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PILOTHOUSE_HOME", str(home))
    monkeypatch.setenv(variable, given.format(here=tmp_path))
    (tmp_path / "elsewhere").mkdir()
    for place in (tmp_path, tmp_path / "elsewhere"):
        monkeypatch.chdir(place)
        read = {DATA: Settings().data, DATABASE: Settings().database, MODELS: Settings().mlflow_tracking_uri}
        assert read[variable] == meant.format(here=tmp_path, home=home)


def test_a_path_in_the_file_is_one_in_the_home_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'data_url = "lake"\ndatabase_url = "sqlite:///meta.db"\nmlflow_tracking_uri = "sqlite:///models.db"\n'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path))
    assert settings().database == f"sqlite:///{tmp_path}/meta.db"
    found = origins()
    assert found["data_url"] == (f"{tmp_path}/lake", "file")
    assert found["mlflow_tracking_uri"] == (f"sqlite:///{tmp_path}/models.db", "file")


def test_the_file_in_a_home_does_not_name_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(f'home = "{tmp_path}"\n', encoding="utf-8")
    for read in (settings, origins):
        with pytest.raises(UsageError, match=r"PH330 .*config.toml: .*home .*PILOTHOUSE_HOME"):
            read()


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'run_limit = 7\ntask_threads = 8\nprefect_api_url = "http://prefect:4200/api"\n'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("PILOTHOUSE_RUN_LIMIT", "9")
    found = origins()
    assert (found["run_limit"], found["task_threads"]) == ((9, "environment"), (8, "file"))
    assert found["prefect_api_url"] == ("http://prefect:4200/api", "file")
    assert found["log_retention_days"] == (30, "default")


def test_a_wrong_setting_is_named_without_its_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("PILOTHOUSE_RUN_LIMIT", "secret-token")
    with pytest.raises(UsageError, match="PH330.*run_limit") as refused:
        settings()
    assert "secret-token" not in str(refused.value)


@pytest.mark.parametrize("name", ["data_url", "mlflow_tracking_uri"])
def test_an_empty_place_in_the_file_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text(f'{name} = ""\n', encoding="utf-8")
    with pytest.raises(UsageError, match=rf"(?i)PH330.*{name}.* at least 1 character"):
        settings()


def test_a_setting_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTHOUSE_HOME", str(tmp_path))
    (tmp_path / "config.toml").write_text("run_limt = 7\n", encoding="utf-8")
    with pytest.raises(UsageError, match="PH330.*run_limt: there is no such setting"):
        settings()


def test_what_is_secret_in_a_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://spark:15002/;token=hush;user_id=me")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hush@models/path")
    monkeypatch.setenv("PILOTHOUSE_DATABASE_URL", "postgresql+psycopg://me:hush@db/name")
    assert "hush" not in str(origins())
    assert origins()["mlflow_tracking_uri"][0] == "https://**********@models/path"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://ann:hush@host:4200/api", "http://host:4200/api"),
        ("http://ann:hu@sh@host/api", "http://host/api"),
        ("postgresql+psycopg://ann:hu/sh@db/name", "postgresql+psycopg://db/name"),
        (
            "postgresql://db/name?user=ann&password=hush=&sslmode=require",
            "postgresql://db/name?user=ann&password=&sslmode=require",
        ),
        ("sc://host:15002/;token=aHVzaA==;use_ssl=true", "sc://host:15002/"),
        ("spark://host:15002/;token=hush", "spark://host:15002/"),
        ("SC://host:15002/;token=hush", "SC://host:15002/"),
        ("host:15002/;token=hush", "host:15002/"),
        ("https://host/path?X-Api-Token=hush#top", "https://host/path?X-Api-Token=#top"),
        ("sqlite:////home/ann@work/metadata.db", "sqlite:////home/ann@work/metadata.db"),
        (
            "postgresql://db/name?options=-csearch_path%3Dpilothouse",
            "postgresql://db/name?options=-csearch_path%3Dpilothouse",
        ),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert public(url) == shown
    assert "hush" not in public(url, "***")
    assert public(public(url)) == public(url)


@given(st.text(min_size=8, alphabet=string.ascii_letters + string.digits + "=/@:;?#+-_.~!$"))
def test_no_password_or_token_is_shown_whatever_it_is_made_of(secret: str) -> None:
    for url in (f"http://ann:{secret}@host/api", f"sc://host:1/;token={secret};x=y"):
        assert public(url) in ("http://host/api", "sc://host:1/")
