"""A home of 100,000 definitions and 1,000,000 runs: how long lists, filters, searches and details take, and how much
memory the console needs, beside a small home.

Run: python -m tests.benchmarks.bench_scale [--definitions 100000] [--runs 1000000] [--times 20] [--postgres]

The home is made anew (a minute and a half), and removed afterwards. Queries are timed in this process, rows apart from
their number as the screens read them, keys on a real terminal: from the key until what it leads to stands on the
screen. `--postgres` times the queries on a throw-away server. On a machine that does other things, the processor's time
of a query tells more than the clock: both are shown.
"""

from __future__ import annotations

import argparse
import functools
import gc
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from console.author import user
from console.blueprint_panes import read_detail
from metadata.database import Database
from metadata.definitions import references_of, used_by
from metadata.rows import names
from metadata.rows.history import list_revisions
from metadata.rows.lineage import find_node, neighbours
from metadata.rows.model_charts import model_charts
from metadata.rows.overview import overview
from metadata.rows.pages import count_kinds, list_decisions, list_definitions, list_models, list_runs
from metadata.rows.search import search
from metadata.settings import settings
from tests.benchmarks.big_home import Size, fill
from tests.console.pty_terminal import CONSOLE, Terminal
from tests.flows.homes import at_home
from tests.metadata.postgres import Postgres

HOT = "bronze.orders_daily_00000"
AMONG = 50_000
"""Newest runs in which the console looks for words."""
DEFINITIONS = (
    "", "orders", "nosuchword", "shelves_apac", "owner:ops", "!tag:legacy", "used:>2", "/silver.*", "layer:silver",
    "kind:dataset layer:silver owner:ops !tag:legacy /*orders*", f"uses:{HOT}",
)  # fmt: skip
RUNS = (
    "", "state:failed", "active:yes", "pipeline:build.orders*", "age:<2d", "tag:pii", "revision:3", "/build.fli*",
    "clean", "nosuchword", "state:failed author:ada",
)  # fmt: skip
SMALL = Size(2_000, 5_000)
PALETTE_LINES = 7
PATIENCE = 60
QUIET = 0.6
"""Seconds without anything written after which a key has led to all that it leads to."""
Query = Callable[[], Any]


def queries(database: Database) -> Iterator[tuple[str, Query]]:
    """What the screens read, by name."""
    for kind in (None, "dataset", "pipeline"):
        for words in DEFINITIONS:
            yield (
                f"{kind or 'all kinds'} {words}",
                lambda kind=kind, words=words: list_definitions(database, kind, words, limit=100, counted=False),
            )
    for words in DEFINITIONS:
        yield f"count of {words}", lambda words=words: list_definitions(database, None, words, limit=0)
    yield "a late page", lambda: list_definitions(database, None, "", after="pipeline build.s", limit=500)
    yield "counts of kinds", lambda: count_kinds(database)
    for words in RUNS:
        yield f"runs {words}", lambda words=words: list_runs(database, words, limit=100, among=AMONG, counted=False)
        yield f"count of runs {words}", lambda words=words: list_runs(database, words, limit=0, among=AMONG)
    for words in ("", "owner:ops value:>0.6", "late_02"):
        yield f"models {words}", lambda words=words: list_models(database, words, limit=100, counted=False)
    for words in ("", "state:fired", "nosuchword"):
        yield f"decisions {words}", lambda words=words: list_decisions(database, words, limit=100, counted=False)
    for text in ("orders", "ord", "apac silver", "region_code", "nosuchword"):
        yield f"search {text}", lambda text=text: search(database, text)
    for kind in (None, "dataset"):
        yield f"{kind or 'any'} key that goes on", lambda kind=kind: names.begun(database, "b", kind, 1)
    row = list_definitions(database, "dataset", f"key:{HOT}").items[0]
    yield "detail", lambda: read_detail(database, row, user())
    yield "used by", lambda: used_by(database, row.uid)
    yield "uses", lambda: references_of(database, row.uid)
    yield "lineage", lambda: (find_node(database, HOT), neighbours(database, row.uid, "down"))
    yield "revisions", lambda: list_revisions(database, "", limit=100)
    yield "a model", lambda: model_charts(database, "late_00007")
    yield "overview", lambda: overview(database)


def timed(query: Query, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each time by the clock and of the processor, sorted; the first is not counted."""
    clock, processor = [], []
    gc.collect()
    for _ in range(times + 1):
        began, used = time.perf_counter(), time.process_time()
        query()
        clock.append(1_000 * (time.perf_counter() - began))
        processor.append(1_000 * (time.process_time() - used))
    return sorted(clock[1:]), sorted(processor[1:])


def p(values: list[float], share: float) -> float:
    """The value below which that share of sorted values lies."""
    return values[min(len(values) - 1, int(share * len(values)))]


def show_queries(database: Database, times: int) -> None:
    """Print each query."""
    print(f"{'query, ms':64} {'p50':>7} {'p99':>7} {'cpu p50':>8}")
    for name, query in queries(database):
        clock, processor = timed(query, times)
        slow = " !" if p(processor, 0.5) > 50 else ""
        print(f"{name:64} {p(clock, 0.5):7.1f} {p(clock, 0.99):7.1f} {p(processor, 0.5):8.1f}{slow}", flush=True)


def until(shown: Terminal, there: Callable[[str], bool]) -> None:
    """Wait until that is so."""
    began = time.perf_counter()
    while not there(shown.text):
        shown.read(0.002)
        assert time.perf_counter() - began < PATIENCE, shown.text


def pressed(shown: Terminal, key: str, there: Callable[[str], bool]) -> float:
    """Milliseconds from a key until what makes that so was written; drawing it in the emulator is not counted."""
    began = time.perf_counter()
    shown.send(key, wait=0)
    painted = None
    while painted is None:
        came: list[tuple[float, bytes]] = []
        while data := shown.written(QUIET):
            came.append((time.perf_counter(), data))
        for at, data in came:
            shown.feed(data)
            if painted is None and there(shown.text):
                painted = 1_000 * (at - began)
        assert time.perf_counter() - began < PATIENCE, f"{key} led to this:\n{shown.text}"
    return painted


def memory(pid: int) -> float:
    """Megabytes that a process holds."""
    words = Path(f"/proc/{pid}/status").read_text(encoding="ascii").split()
    return int(words[words.index("VmRSS:") + 1]) / 1_024


def keys(times: int) -> tuple[dict[str, list[float]], float]:
    """Milliseconds from key to paint by what is pressed, and the memory of the console after all of it."""
    found: dict[str, list[float]] = {}
    with Terminal(CONSOLE, size=(160, 48)) as shown:
        until(shown, lambda text: "ATTENTION" in text)
        found["runs: first opened"] = [pressed(shown, "2", lambda text: "newest first" in text)]
        _walk(shown, found, "runs: a row down", times)
        _filter(shown, found, "runs: filter", "state:failed", times)
        found["blueprint: first opened"] = [pressed(shown, "3", lambda text: "by key" in text)]
        _walk(shown, found, "blueprint: a row down", times)
        _details(shown, found, "blueprint: detail and used by", times)
        _filter(shown, found, "blueprint: filter", "layer:gold", times)
        _filter(shown, found, "blueprint: filter of all words", "kind:dataset layer:silver owner:ops /*orders*", times)
        for _ in range(times):
            for key, name, words in (
                ("2", "runs: opened again", "newest first"),
                ("3", "blueprint: opened again", "by key"),
            ):
                found.setdefault(name, []).append(pressed(shown, key, lambda text, words=words: words in text))
        for _ in range(times):
            shown.send("ctrl+p")
            until(shown, lambda text: "any word" in text)
            shown.send("gold b", wait=1)
            took = pressed(shown, "a", functools.partial(_others, shown.text))
            found.setdefault("palette: a letter", []).append(took)
            shown.send("escape")
            until(shown, lambda text: "any word" not in text)
        return found, memory(shown.pid)


def _walk(shown: Terminal, found: dict[str, list[float]], name: str, times: int) -> None:
    shown.read(1.5)
    for _ in range(times):
        shown.raw = b""
        began = time.perf_counter()
        shown.send("j", wait=0)
        while not shown.raw and time.perf_counter() - began < 5:
            shown.read(0.001)
        found.setdefault(name, []).append(1_000 * (time.perf_counter() - began))
        shown.read(0.3)


def _others(before: str, text: str) -> bool:
    """Whether the palette has other definitions below its line than before."""
    was, found = (each.splitlines()[PALETTE_LINES:] for each in (before, text))
    return found != was and any("gold." in line for line in found)


def _details(shown: Terminal, found: dict[str, list[float]], name: str, times: int) -> None:
    """A row down, until the definition and who uses it stand at the right."""
    shown.send(">")
    for _ in range(times):
        before = _used(shown.text)
        took = pressed(shown, "j", lambda text, before=before: _used(text) not in ("", before))
        found.setdefault(name, []).append(took)
    shown.send("<")


def _used(text: str) -> str:
    """By whom the right half tells that a definition is used, its name before; nothing while that is not read."""
    told = re.search(r"History +(\S.*?)│ Uses", text, re.DOTALL)
    return told[1] if told else ""


def _filter(shown: Terminal, found: dict[str, list[float]], name: str, words: str, times: int) -> None:
    for _ in range(times):
        shown.send("/")
        for letter in words[:-1]:
            shown.send(letter)
        shown.read(0.5)
        took = pressed(shown, words[-1], lambda text: f"▸ {words}" in text)
        found.setdefault(name, []).append(took)
        shown.send("escape")
        shown.read(0.5)


@contextmanager
def big(size: Size, folder: Path) -> Iterator[Database]:
    """A home of that size, which is that of this process."""
    with at_home(folder):
        database = Database.of(settings())
        began = time.perf_counter()
        fill(database, size)
        print(
            f"{size.definitions:,} definitions and {size.runs:,} runs in {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        try:
            yield database
        finally:
            database.close()


def main() -> None:
    """Print all of it."""
    options = argparse.ArgumentParser(description=main.__doc__)
    options.add_argument("--definitions", type=int, default=100_000)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("--times", type=int, default=20)
    options.add_argument("--postgres", action="store_true")
    given = options.parse_args()
    size = Size(given.definitions, given.runs)
    if given.postgres:
        server = Postgres()
        try:
            database = Database(server.create())
            fill(database, size)
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("ANALYZE")
            show_queries(database, given.times)
        finally:
            server.stop()
        return
    with tempfile.TemporaryDirectory(prefix="scale") as folder, big(SMALL, Path(folder)):
        _, small = keys(given.times)
    with tempfile.TemporaryDirectory(prefix="scale") as folder, big(size, Path(folder)) as database:
        show_queries(database, given.times)
        found, large = keys(given.times)
    print(f"\n{'key to paint, ms':64} {'p50':>7} {'p99':>7}")
    for name, values in found.items():
        print(f"{name:64} {p(sorted(values), 0.5):7.1f} {p(sorted(values), 0.99):7.1f}")
    print(f"\nmemory: {large:.0f} MB, of a small home {small:.0f} MB, ratio {large / small:.2f}")


if __name__ == "__main__":
    main()
