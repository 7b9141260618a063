"""Estimators that are not there: told where a module's file tells, and of no other."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from metadata.importable import missing


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a package `ours_of_test` that is installed, with an empty module `plain`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    _write(tmp_path / "ours_of_test", **{"__init__": "", "plain": "class Ridge: pass"})
    return tmp_path / "ours_of_test"


def _write(folder: Path, **texts: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "globals().update({'Ridge' + 'Model': type('RidgeModel', (), {})})",
        "exec('class RidgeModel: pass')",
        "import sys\nsetattr(sys.modules[__name__], 'Ridge' + 'Model', 1)",
        "import sys\nsys.modules[__name__] = object()",
        "vars()['Ridge' + 'Model'] = 1",
        "from ours_of_test.plain import *",
        "def __getattr__(name): return 1",
    ],
)
def test_of_a_module_that_makes_its_names_as_it_runs_nobody_can_tell(ours: Path, text: str) -> None:
    _write(ours, models=text)
    assert missing("ours_of_test.models.RidgeModel") is None


@pytest.mark.parametrize(
    "text", ["import sys\nsys.modules['ours_of_test.other'] = sys", "__path__ = ['/elsewhere']"], ids=["alias", "path"]
)
def test_of_a_package_that_makes_its_modules_as_it_runs_nobody_can_tell(ours: Path, text: str) -> None:
    _write(ours, __init__=text)
    assert missing("ours_of_test.other.Ridge") is None


def test_what_is_installed_later_is_there_then(ours: Path) -> None:
    assert missing("ours_of_test.later.Ridge") == ("ours_of_test has no module later", "there are: plain")
    _write(ours, later="class Lasso: pass")
    assert missing("ours_of_test.later.Ridge") == ("ours_of_test.later has no Ridge", "there are: Lasso")
    _write(ours, later="class Ridge: pass  # and no Lasso")
    assert missing("ours_of_test.later.Ridge") is None


def test_a_package_may_lie_in_several_folders(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("one", "two"):
        monkeypatch.syspath_prepend(str(ours / part))
        (ours / part).mkdir()
        _write(ours / part / "split_of_test", **{part: "class Ridge: pass"})
    assert missing("split_of_test.one.Ridge") is None and missing("split_of_test.two.Ridge") is None
    assert missing("split_of_test.three.Ridge") == ("split_of_test has no module three", "there are: one, two")
    assert missing("split_of_test.one.Lasso") == ("split_of_test.one has no Lasso", "there are: Ridge")


def test_of_a_folder_that_cannot_be_read_nobody_can_tell(ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    assert missing("ours_of_test.other.Ridge") is None
    assert "ours_of_test" not in sys.modules


def test_modules_of_sklearn_tell_what_they_have() -> None:
    for module in ("linear_model", "ensemble", "svm", "tree", "neighbors", "neural_network", "naive_bayes"):
        assert missing(f"sklearn.{module}.Rigde") is not None, module
    assert missing("sklearn.other.Ridge") is not None
