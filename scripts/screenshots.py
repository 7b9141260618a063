"""Pictures of the console on an existing home, for the documentation: python scripts/screenshots.py HOME [FOLDER].

Nothing is started, and nothing in the home is changed: what is shown is a copy of its database, in which two edits are
applied and one waits, beside its own tables.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

SIZE = (120, 36)
FONT = "DejaVu Sans Mono"
SETTLE_SECONDS = 1.5
FIRED = ("slash", *"state:fired", "enter")
FLIGHTS = ("colon", *"dataset silver.flights", "enter")
APPLIED = (
    ("layer:gold", "owner", "analytics", "analytics answers for gold"),
    ("/silver.*", "tags", "+nightly", "silver is filled at night"),
)
"""Edits of datasets that are applied: filter, field, value, note."""
STAGED = ("silver.flights", "BETWEEN -120 AND 1500", "BETWEEN -120 AND 1440")
"""The edit that waits: a dataset, what stands in its text, and what is to stand there."""
STEPS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("overview", (("1",),)),
    ("runs", (("2",),)),
    ("run", (("6",), FIRED, ("o",))),
    ("blueprint", (("3",), ("G",))),
    ("lineage", (("4",),)),
    ("models", (("5",),)),
    ("decisions", (("6",), FIRED)),
    ("form", (FLIGHTS, ("f",))),
    ("changes", (("escape",), ("P",))),
    ("review", (("a",),)),
    ("history", (("escape",), ("escape",), ("H",))),
    ("audit", (("colon", *"audit", "enter"),)),
)
"""Name of the picture, and the moves that lead there: keys that are pressed at once."""


async def take(folder: Path) -> None:
    """Walk through the screens and write a picture of each."""
    from console.app import PilothouseApp
    from console.session import open_session
    from metadata.settings import settings

    app = PilothouseApp(open_session(settings()), start=False)
    async with app.run_test(size=SIZE) as pilot:
        for name, moves in STEPS:
            for keys in moves:
                await pilot.press(*keys)
                await pilot.pause(SETTLE_SECONDS)
            svg = to_svg(app.export_screenshot(title="pilothouse"))
            (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
            (folder / f"{name}.png").write_bytes(to_png(svg))
            print(folder / f"{name}.png")


def copied(home: Path, into: Path) -> None:
    """A home with the files of another one, and a copy of its database."""
    for each in home.iterdir():
        if not each.name.startswith(("metadata.db", "audit.", "services")):
            (into / each.name).symlink_to(each.resolve())
    for each in home.glob("audit.*"):
        shutil.copy(each, into)
    with closing(sqlite3.connect(home / "metadata.db")) as source, closing(sqlite3.connect(into / "metadata.db")) as to:
        source.backup(to)


def edit() -> None:
    """Apply two edits and stage a third, as somebody would."""
    from console.author import author, user
    from console.cli.access import database as opened
    from metadata.bulk import edited
    from metadata.documents import dump_one, read_text
    from metadata.revisions import apply
    from metadata.rows.pages import matching
    from metadata.rows.staged import load_staged, stage
    from metadata.settings import settings

    with closing(opened()) as database:
        for words, field, value, note in APPLIED:
            there = load_staged(database, user()).working.blueprint
            made = edited(there, "dataset", matching(database, "dataset", words), field, value)
            apply(database, made.document, author=author(), note=note, settings=settings())
        key, old, new = STAGED
        text = dump_one("dataset", key, load_staged(database, user()).working.blueprint.datasets[key])
        stage(database, user(), read_text(text.replace(old, new)).blueprint)


def to_svg(text: str) -> str:
    """A picture that asks for fonts by name only, and fetches none."""
    without = re.sub(r"@font-face\s*\{[^}]*\}", "", text)
    return re.sub(r"Fira Code, monospace", f"'{FONT}', monospace", without)


def to_png(svg: str) -> bytes:
    """Drawn with the fonts that come with matplotlib."""
    import matplotlib
    import resvg_py

    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    drawn: bytes = resvg_py.svg_to_bytes(
        svg_string=svg, font_dirs=[str(fonts)], skip_system_fonts=True, monospace_family=FONT
    )
    return drawn


def main() -> None:
    """Set the environment before anything reads it."""
    if len(sys.argv) not in (2, 3) or not (Path(sys.argv[1]) / "metadata.db").exists():
        sys.exit("usage: python scripts/screenshots.py HOME [FOLDER]; HOME is one that pilothouse demo has filled")
    home = tempfile.TemporaryDirectory()
    copied(Path(sys.argv[1]), Path(home.name))
    os.environ |= {
        "PILOTHOUSE_HOME": home.name, "COLORTERM": "truecolor", "LANG": "C.UTF-8", "TERM": "xterm-256color",
    }  # fmt: skip
    for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE"):
        os.environ.pop(name, None)
    root = Path(__file__).parents[1]
    sys.path.insert(0, str(root))
    folder = Path(sys.argv[2]) if len(sys.argv) == 3 else root / "screenshots"
    folder.mkdir(exist_ok=True)
    with home:
        edit()
        asyncio.run(take(folder))


if __name__ == "__main__":
    main()
