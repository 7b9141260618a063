"""Settings of one Pilothouse home: environment over file over default, each with where it came from."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from metadata.errors import PilothouseError, UsageError
from metadata.signet import Signet

FILE = "config.toml"
_SQLITE = re.compile(r"^(sqlite(?:\+\w+)?:///(?:file:)?+)(?!/|:memory:)([^?]+)")
_LOGIN = re.compile(r"//(?:[^/@:]*:.*|[^/?#]*)@")
"""Who logs in, whose password may hold what is to be quoted there: rather too much of a URL than a part of it."""
_WITHOUT_TOKENS = re.compile(r"(https?|file|sqlite|postgres|mysql|mssql|databricks)|[./]", re.IGNORECASE)
"""Begins what holds a `;` that is no end: all others may be addresses of Spark, or be meant so."""
_SECRET_PARAMETER = re.compile(r"([?&][^=&]*(?:pass|pwd|token|secret|key|auth|sig)[^=&]*=)[^&#]*", re.IGNORECASE)
_DATABRICKS = ("databricks", "databricks-uc")
"""MLflow stores that are named by a word."""


def default_home() -> Path:
    """Folder that holds everything Pilothouse writes: `PILOTHOUSE_HOME`, else the platform's data folder."""
    named = os.environ.get("PILOTHOUSE_HOME")
    return _absolute(Path(named)) if named else Path(platformdirs.user_data_dir("pilothouse"))


def _absolute(path: Path) -> Path:
    """The same folder for every process of a home, wherever it stands."""
    return path.expanduser().resolve()


def _in_home(path: str, info: ValidationInfo) -> str:
    """A path as an absolute one; a relative one lies in the home."""
    return str(_absolute(info.data["home"] / Path(path).expanduser()))


def _root(given: str, info: ValidationInfo) -> str:
    return given.rstrip("/") if "://" in given else _in_home(given, info)


def _sqlite(given: str, info: ValidationInfo) -> str:
    return _SQLITE.sub(lambda found: found[1] + _in_home(found[2], info), given)


def _database(given: SecretStr, info: ValidationInfo) -> SecretStr:
    return SecretStr(_sqlite(given.get_secret_value(), info))


def _store(given: str, info: ValidationInfo) -> str:
    if given.startswith("file:"):
        path = given.removeprefix("file:")
        return given if path.startswith("/") else f"file:{_in_home(path, info)}"
    return _sqlite(given, info) if ":" in given or given in _DATABRICKS else _in_home(given, info)


class Settings(BaseSettings):
    """What one home runs with. Read by `pilothouse config show`; set in `config.toml` or by `PILOTHOUSE_<NAME>`.

    Relative paths in it lie in the home, so that every process of the home means the same place.
    """

    model_config = SettingsConfigDict(
        env_prefix="PILOTHOUSE_", env_ignore_empty=True, extra="forbid", frozen=True, populate_by_name=True
    )

    home: Annotated[Path, AfterValidator(_absolute)] = Field(
        default_factory=default_home, description="Folder that holds everything Pilothouse writes."
    )
    database_url: Annotated[SecretStr, AfterValidator(_database)] | None = Field(
        None, description="Metadata database (SQLAlchemy URL). Unset: a SQLite file in the home."
    )
    data_url: Annotated[str, Field(min_length=1), AfterValidator(_root)] | None = Field(
        None, description="Root of tables and landed files. Unset: `data` in the home."
    )
    prefect_api_url: str | None = Field(
        None, validation_alias="PREFECT_API_URL", description="Prefect server. Unset: one on loopback is started."
    )
    spark_remote: str | None = Field(
        None, validation_alias="SPARK_REMOTE", description="Spark Connect URL. Unset: a local server is started."
    )
    mlflow_tracking_uri: Annotated[str, Field(min_length=1), AfterValidator(_store)] | None = Field(
        None, validation_alias="MLFLOW_TRACKING_URI", description="MLflow store. Unset: a SQLite file in the home."
    )
    audit_key: Annotated[str, Field(min_length=1), AfterValidator(_in_home)] | None = Field(
        None, description="File of the key that signs the audit. Unset: `audit.key` in the home, made on first use."
    )
    notes: Literal["optional", "required"] = Field(
        "optional", description="Whether who changes the blueprint must say why."
    )
    note_length: int = Field(5, ge=1, le=200, description="Characters that a required note has at least.")
    estimator_prefixes: tuple[str, ...] = Field(
        ("sklearn.", "lightgbm."), description="Import paths that an estimator may start with."
    )
    spark_driver_memory: str = Field("3g", description="Heap of the local Spark server.")
    run_limit: int = Field(4, ge=1, description="Runs that the local worker executes side by side.")
    task_threads: int = Field(4, ge=1, description="Tasks of one run that execute side by side.")
    log_lines_per_run: int = Field(5_000, ge=100, description="Log lines kept of one run.")
    log_retention_days: int = Field(30, ge=1, description="Days that log lines are kept.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over `config.toml` of the home over defaults."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, default_home() / FILE)

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the metadata database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.home / 'metadata.db'}"

    @property
    def data(self) -> str:
        """Root of all data, without a trailing slash; a local path or an object-store URL."""
        return self.data_url or str(_absolute(self.home / "data"))

    @property
    def signet(self) -> Signet:
        """What this home signs the audit with, and the file of how far it has seen it."""
        return Signet(Path(self.audit_key or self.home / "audit.key"), self.home / "audit.head")

    @property
    def logs(self) -> Path:
        """Folder of the services' own logs."""
        return self.home / "logs"

    @property
    def state(self) -> Path:
        """Folder of locks, addresses and tokens of the services of this home (files of mode 0600)."""
        return self.home / "services"


@functools.lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once; the home folder exists afterwards, with mode 0700.

    Raises UsageError PH330 for settings that cannot be read, PilothouseError PH331 for a home that cannot be used.
    """
    values = _read()
    try:
        for folder in (values.home, values.logs, values.state):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        values.home.chmod(0o700)
    except OSError as error:
        raise PilothouseError(
            "PH331",
            f"home {values.home}",
            f"it cannot be made or used ({error.strerror or error})",
            "name a folder of your own by PILOTHOUSE_HOME",
        ) from error
    return values


def _read() -> Settings:
    """Raises UsageError PH330 that names the setting; its value is not repeated, for it may be a secret."""
    try:
        if "home" in _from_file():
            raise UsageError(
                "PH330",
                f"settings file {default_home() / FILE}",
                "it names a home, and lies in one",
                "take home out of it; PILOTHOUSE_HOME names the home",
            )
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {_wrong(item['type'], item['msg'])}" for item in error.errors()
        )
        raise UsageError("PH330", "settings", wrong, f"correct it in the environment or in {FILE}") from None
    except (ValueError, OSError, SettingsError) as error:
        raise UsageError(
            "PH330", f"settings file {default_home() / FILE}", f"it cannot be read: {error}", "correct or remove it"
        ) from None


def _from_file() -> dict[str, Any]:
    return TomlConfigSettingsSource(Settings, default_home() / FILE)()


def _wrong(kind: str, message: str) -> str:
    return "there is no such setting (pilothouse config show lists them)" if kind == "extra_forbidden" else message


def origins() -> dict[str, tuple[Any, str]]:
    """Each setting's value and where it came from: `environment`, `file` or `default`. Secrets are masked."""
    values = _read()
    from_file = _from_file()
    found: dict[str, tuple[Any, str]] = {}
    for name, field in Settings.model_fields.items():
        variable = str(field.validation_alias or f"PILOTHOUSE_{name.upper()}")
        in_file = name in from_file or variable in from_file
        value = getattr(values, name)
        origin = "environment" if os.environ.get(variable) else "file" if in_file else "default"
        found[name] = (public(value, "**********") if isinstance(value, str) else value, origin)
    return found


def public(url: str, sign: str = "") -> str:
    """A URL without what may be secret: who logs in, what follows a semicolon where Spark carries tokens, and what
    parameters say that are called as secrets are. `sign` stands in the place of each."""
    place, end, rest = (url, "", "") if _WITHOUT_TOKENS.match(url) else url.partition(";")
    place = _LOGIN.sub(f"//{sign}@" if sign else "//", place)
    place = _SECRET_PARAMETER.sub(rf"\g<1>{sign}", place)
    return f"{place}{end}{sign}" if rest and sign else place
