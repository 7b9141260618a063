"""Words and signs: how states, numbers, times and foreign text are written on screen. Pure; no widgets.

Text from data, logs and metadata is never markup: it passes `plain()` and is styled only by `styled()`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.cells import cell_len
from textual.content import Content, Span

from console import terminal
from metadata.errors import Fault
from metadata.states import OFF, State
from metadata.values import local, utc_now

LABEL_CELLS = 9
"""Width of the names of a fault's parts."""
UNICODE = terminal.speaks_unicode()
"""Whether signs beyond ASCII are used by this process."""

EXACT = 1e15
"""From here on figures are told by their power of ten."""
_LONG = re.compile(r"(\d+):(\d\d):\d\d")
_QUANTITY = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?|-?\d+(\.\d+)?(e[+-]?\d+)|-?\d+\.\d+")
"""A number as it is written here; a whole one without separators is what something is called."""
_UNITS = ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"), (1e12, "T"))

_QUIET = "dim" if terminal.few_colours() else "$tone-quiet"

TONES = {
    "": "",
    "quiet": _QUIET,
    "good": "$tone-good",
    "bad": "bold $tone-bad",
    "warn": "bold $tone-warn",
    "active": "$tone-active",
    "accent": "bold $tone-active",
    "strong": "bold",
    "key": "bold $tone-key",
    "head": _QUIET,
}
"""A tone says what a text means; the theme says how that looks."""


@dataclass(frozen=True)
class Sign:
    """How a state is shown: a sign with its ASCII twin, a word, and a tone."""

    sign: str
    ascii: str
    word: str
    tone: str

    def __str__(self) -> str:
        return self.sign if UNICODE else self.ascii


SIGNS: dict[str, Sign] = {
    State.SUCCEEDED: Sign("✓", "+", "succeeded", "good"),
    State.FAILED: Sign("✗", "x", "failed", "bad"),
    State.RUNNING: Sign("▶", ">", "running", "active"),
    State.SCHEDULED: Sign("◷", "@", "scheduled", "quiet"),
    State.QUEUED: Sign("…", ".", "queued", "quiet"),
    State.BLOCKED: Sign("⊘", "0", "blocked", "quiet"),
    State.RETRYING: Sign("↻", "~", "retrying", "warn"),
    State.WAITING: Sign("‖", "|", "waits for approval", "warn"),
    State.CANCELLING: Sign("■", "#", "cancelling", "warn"),
    State.CANCELLED: Sign("■", "#", "cancelled", "quiet"),
    State.SKIPPED: Sign("–", "-", "skipped", "quiet"),
    State.LOST: Sign("?", "?", "lost", "bad"),
    "fired": Sign("!", "!", "fired", "warn"),
    "quiet": Sign("✓", "+", "quiet", "good"),
    "held": Sign("–", "-", "held back", "quiet"),
    "undecided": Sign("?", "?", "undecided", "warn"),
    "attention": Sign("!", "!", "attention", "warn"),
}
"""Every state by its word, of runs, task runs and decisions; `attention` marks what a person should look at."""

UNKNOWN = Sign("?", "?", "unknown", "warn")
_TWINS = {
    "●": "*", "◐": "~", "○": "o", "━": "=", "╸": ">", "┄": "-", "─": "-", "│": "|", "▸": ">", "▾": "v", "…": "..",
    "→": "->", "←": "<-", "±": "+/-", "·": "-", "×": "x", "–": "-", "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "+",
    "▆": "*", "▇": "#", "█": "#", "✓": "+", "✗": "x", "▶": ">", "‖": "|", "■": "#", "⊘": "0", "↻": "~", "◷": "@",
    "✎": "&",
}  # fmt: skip


def state_of(word: str) -> Sign:
    """The sign of a state by its word; a state nobody knows is shown as that."""
    return SIGNS.get(word, UNKNOWN)


def glyph(text: str) -> str:
    """Our own drawing characters, or their ASCII twins on a terminal without UTF-8."""
    return text if UNICODE else "".join(_TWINS.get(one, one) for one in text)


def twinned(content: Content) -> Content:
    """Content with our own drawing characters as `glyph` has them, in the styles that they have."""
    if UNICODE or content.plain.isascii():
        return content
    parts = [content[at : at + 1] for at in range(len(content.plain))]
    return Content("").join(
        Content(glyph(part.plain), spans=[Span(0, len(glyph(part.plain)), one.style) for one in part.spans])
        for part in parts
    )


_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def plain(text: object, lines: bool = False) -> str:
    """Foreign text without escape sequences, control and direction characters; on one line unless `lines`."""
    cleaned = _CONTROL.sub("", str(text).replace("\r\n", "\n").replace("\r", "\n").expandtabs(4))
    return cleaned if lines else " ".join(cleaned.split("\n"))


def styled(text: object, tone: str = "", lines: bool = False) -> Content:
    """Foreign or own text as content of a tone; markup in it stays text."""
    return Content.styled(plain(text, lines), TONES[tone]) if TONES[tone] else Content(plain(text, lines))


def joined(*parts: Content | str | tuple[object, str]) -> Content:
    """Content of several parts: content, plain text, or (text, tone)."""
    return Content("").join(
        part if isinstance(part, Content) else styled(*part) if isinstance(part, tuple) else styled(part)
        for part in parts
    )


def switched(name: str, on: bool, tone: str = "") -> Content:
    """The name of a definition; one that is off is quiet, and says so."""
    return styled(name, tone) if on else styled(f"{name} {OFF}", "quiet")


def stacked(lines: Iterable[Content | str]) -> Content:
    """Content of several lines."""
    return Content("\n").join([line if isinstance(line, Content) else styled(line) for line in lines])


def state_content(word: str, detail: str = "") -> Content:
    """Sign and word of a state in its tone, with a detail after it."""
    sign = state_of(word)
    return joined((f"{sign} {sign.word}", sign.tone), (f" {detail}" if detail else "", "quiet"))


def shorten(text: str, width: int) -> str:
    """Shortened in the middle to `width` cells: the ends are what tells names apart."""
    if len(text) <= width:
        return text
    mark = glyph("…")
    room = width - len(mark)
    if room <= 0:
        return text[:width]
    head = (room + 1) // 2
    return text[:head] + mark + (text[-(room - head) :] if room > head else "")


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separators; a dash when there is none."""
    return glyph("–") if value is None else f"{value:,.{digits}f}"


def figure(value: float | None) -> str:
    """A figure of unknown size in four significant digits; one that is not finite by its word."""
    if value is None:
        return glyph("–")
    whole = math.isfinite(value) and value == int(value) and 10 <= abs(value) < EXACT
    return f"{value:,.0f}" if whole else f"{value:,.4g}"


def squeezed(told: str, width: int) -> str:
    """A number or a length of time, as `number()`, `figure()` and `seconds()` write it, in `width` cells at most.

    It loses precision and says so by its unit (`12.3 M`, `12 h 34`), never digits. What is no quantity is a mark alone.
    """
    if cell_len(told) <= width:
        return told
    forms = [f"{hours} h {minutes}" for hours, minutes in _LONG.findall(told)]
    forms += [f"{hours} h" for hours, _ in _LONG.findall(told)]
    forms += _rough(float(told.replace(",", ""))) if _QUANTITY.fullmatch(told) else []
    return next((form for form in forms if len(form) <= width), glyph("…")[:width])


def _rough(value: float) -> Iterator[str]:
    """A number with fewer and fewer digits."""
    for digits in (3, 2, 1):
        for size, unit in _UNITS:
            shown = float(f"{value / size:.{digits}g}")
            if 1 <= abs(shown) < 1_000:
                yield f"{shown:g} {unit}".rstrip()
        yield f"{value:.{digits}g}"


def share(value: float | None) -> str:
    """A share as a percentage."""
    return glyph("–") if value is None else f"{value * 100:.3g} %"


def seconds(value: float | None) -> str:
    """A length of time, as `0:41`, `12:05` or `3:07:00`; a dash when there is none."""
    if value is None:
        return glyph("–")
    whole = max(0, round(value))
    hours, rest = divmod(whole, 3_600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


_STEPS = ((60, 1, "s"), (3_600, 60, "min"), (86_400, 3_600, "h"), (30 * 86_400, 86_400, "d"))


def span(value: float) -> str:
    """A rough length of time: `41 s`, `12 min`, `26 h`, `3 d`, `5 months`."""
    for limit, unit, name in _STEPS:
        if value < limit * (2 if name == "h" else 1):
            return f"{int(value // unit)} {name}"
    months = int(value // (30.44 * 86_400))
    return f"{months} month{'s' if months != 1 else ''}" if months < 24 else f"{months // 12} years"


def ago(instant: datetime | None, now: datetime | None = None) -> str:
    """How long ago, or until, roughly: `now`, `3 min ago`, `in 12 min`."""
    if instant is None:
        return glyph("–")
    passed = ((now or utc_now()) - instant).total_seconds()
    if abs(passed) < 5:
        return "now"
    return f"{span(passed)} ago" if passed > 0 else f"in {span(-passed)}"


def instant(value: datetime | None) -> str:
    """An absolute time with its zone, in the zone of this machine."""
    return glyph("–") if value is None else local(value)


def as_of(value: datetime | None) -> str:
    """The instant a run speaks for: its date, and the time when it is not midnight."""
    if value is None:
        return glyph("–")
    return value.strftime("%Y-%m-%d" if (value.hour, value.minute, value.second) == (0, 0, 0) else "%Y-%m-%d %H:%M")


def bar(done: float, total: float, width: int) -> str:
    """A progress bar: done, now, still to come."""
    part = min(1.0, max(0.0, done / total)) if total > 0 else 0.0
    full = int(part * width)
    return glyph("━" * full + ("╸" if full < width else "") + "┄" * max(0, width - full - 1))


def spark(values: Sequence[float]) -> str:
    """A line of blocks, lowest to highest, one for each value that is finite."""
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return ""
    blocks, low, high = "▁▂▃▄▅▆▇", min(values), max(values)
    scale = (len(blocks) - 1) / (high - low) if high > low else 0.0
    return glyph("".join(blocks[round((value - low) * scale)] for value in values))


def fault_content(fault: Fault, keys: str = "", width: int = 0, height: int = 0) -> Content:
    """A failure in its four parts, each on its line; `keys` names those that mend it.

    With a `width` in cells, what is longer goes on below itself. With a `height` in lines, what there is no room for is
    left out with a mark: the end of the cause first, of what mends it last, of the keys nothing.
    """
    room = max(width - LABEL_CELLS, 12)
    head = joined((f"{SIGNS[State.FAILED]} {fault.code}", "bad"), ("  " + plain(fault.thing), "strong"))
    parts = {"": head.wrap(max(width, 20)) if width else [head]}
    for name, words, tone in (("cause", plain(fault.cause), ""), ("remedy", plain(fault.remedy), ""),
                              ("press", keys, "key")):  # fmt: skip
        if words:
            parts[name] = styled(words, tone).wrap(room) if width else [styled(words, tone)]
    spare = sum(map(len, parts.values())) - height if height else 0
    for name in ("cause", "remedy", ""):
        kept = max(1, len(parts[name]) - max(0, spare))
        if name in parts and kept < len(parts[name]):
            spare -= len(parts[name]) - kept
            mark = glyph(" …")
            parts[name] = [*parts[name][: kept - 1], parts[name][kept - 1].truncate(room - len(mark)) + mark]
    labels = {name: ("" if not name else name.ljust(LABEL_CELLS)) for name in parts}
    return stacked(
        joined((label if not at else " " * len(label), "quiet"), line)
        for name, label in labels.items()
        for at, line in enumerate(parts[name])
    )
