"""Pictures of the console on an existing home, for the documentation: python scripts/screenshots.py HOME [FOLDER].

Nothing is started and nothing is changed: what is shown is what the home's database says.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

SIZE = (120, 36)
FONT = "DejaVu Sans Mono"
SETTLE_SECONDS = 1.5
FIRED = ("slash", *"state:fired", "enter")
STEPS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    ("overview", (("1",),)),
    ("runs", (("2",),)),
    ("run", (("6",), FIRED, ("o",))),
    ("blueprint", (("3",), ("G",))),
    ("lineage", (("4",),)),
    ("models", (("5",),)),
    ("decisions", (("6",), FIRED)),
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
    os.environ |= {
        "PILOTHOUSE_HOME": sys.argv[1], "COLORTERM": "truecolor", "LANG": "C.UTF-8", "TERM": "xterm-256color",
    }  # fmt: skip
    for name in ("NO_COLOR", "LC_ALL", "LC_CTYPE"):
        os.environ.pop(name, None)
    root = Path(__file__).parents[1]
    sys.path.insert(0, str(root))
    folder = Path(sys.argv[2]) if len(sys.argv) == 3 else root / "screenshots"
    folder.mkdir(exist_ok=True)
    asyncio.run(take(folder))


if __name__ == "__main__":
    main()
