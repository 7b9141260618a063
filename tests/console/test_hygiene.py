"""Opening the console loads nothing heavy, and what a screen keeps has a name of its own."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator

from textual.screen import Screen

import console.screens
from console.app import PilothouseApp

HEAVY = (
    "pyspark",
    "mlflow",
    "prefect",
    "pandas",
    "sklearn",
    "numpy",
    "sqlglot",
    "alembic",
    "httpx",
    "plotext",
    "cel",
    "sqlalchemy",
)


def test_importing_the_app_loads_none_of_the_heavy_libraries() -> None:
    script = (
        f"import sys, console.app, console.screens.overview;print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def screens() -> Iterator[type[object]]:
    """The app and every screen, which are made of many classes."""
    yield PilothouseApp
    for module in pkgutil.iter_modules(console.screens.__path__, "console.screens."):
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and issubclass(value, Screen):
                yield value


@functools.cache
def kept(of: type[object]) -> frozenset[str]:
    """The private names that one class sets at its beginning."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(of)))
    beginnings = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    targets = [each for beginning in beginnings for each in ast.walk(beginning) if isinstance(each, ast.Attribute)]
    return frozenset(each.attr for each in targets if isinstance(each.ctx, ast.Store) and each.attr.startswith("_"))


def test_no_two_classes_of_a_screen_keep_something_under_one_name() -> None:
    clashes = set[str]()
    for screen in screens():
        ours: dict[str, str] = {}
        for each in screen.__mro__[:-1]:
            if each.__module__.startswith(("console.", "textual.")):
                names = kept(each)
                clashes |= {f"{name}: {each.__name__}, {ours[name]}" for name in names & ours.keys()}
                ours |= dict.fromkeys(names if each.__module__.startswith("console.") else (), each.__name__)
    assert clashes == set()
