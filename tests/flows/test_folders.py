"""The files of a connection, whatever somebody makes of them between listing and reading."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from flows import folders
from flows.folders import Folder, SourceChangedError
from metadata.errors import PilothouseError


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with one file, in a folder of its own."""
    root = tmp_path / "landing"
    (root / "day").mkdir(parents=True)
    (root / "day" / "a.csv").write_text("id\n1\n")
    return Folder(root, tmp_path, "connection landing")


def test_a_name_that_is_no_text_is_told(folder: Folder) -> None:
    odd = os.fsencode(folder.root) + b"/caf\xe9.csv"
    Path(os.fsdecode(odd)).write_text("id\n2\n")
    with pytest.raises(PilothouseError, match=r"PH237 connection landing: .*'caf\\udce9\.csv'.*rename it"):
        folder.matching("*.csv")
    assert folder.matching("day/*.csv")


def gone(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def in_a_file(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("x")


@pytest.mark.parametrize("copied", [64, 0])
@pytest.mark.parametrize("change", [gone, a_folder, in_a_file])
def test_a_file_that_is_none_any_more_is_told_as_changed(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], copied: int
) -> None:
    monkeypatch.setattr(folders, "COPY_BYTES", copied)
    path = folder.root / "day" / "a.csv"
    file = folder.identify(path, None)
    assert file is not None
    change(path)
    with pytest.raises(SourceChangedError, match=r"PH233.*day/a\.csv"):
        folder.set_aside(file, tmp_path / "aside")
    assert folder.identify(path, None) is None
