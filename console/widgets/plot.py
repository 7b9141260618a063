"""Plots: the one place that knows plotext. A plot is a frozen description; the widget draws it in its colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text
from textual import events
from textual.content import Content
from textual_plotext import PlotextPlot

from console.text import UNICODE

MARKS = (("●", "blue+", "bright_blue"), ("◆", "orange+", "bright_yellow"), ("▲", "green+", "bright_green"),
         ("■", "magenta+", "bright_magenta"))  # fmt: skip
"""How the lines are told apart: the sign of a point, its colour as plotext names it, and as textual does."""
LEVEL_COLOUR = "red+"
TICK_CELLS = 14
"""Cells that a tick of the x axis takes, with the space beside it."""
_ASCII = str.maketrans("┌┐└┘├┤┬┴┼│─•●◆▲■█", "+++++++++|-.*xo+#")


@dataclass(frozen=True)
class Line:
    """A series over named positions; None where there is no value."""

    values: Sequence[float | None]


@dataclass(frozen=True)
class Level:
    """A horizontal line, such as a threshold."""

    label: str
    value: float


@dataclass(frozen=True)
class Plot:
    """At most four series over `ticks` (lines, or bars side by side), levels, and the names and units of the axes."""

    title: str
    x: str
    y: str
    ticks: Sequence[str]
    lines: Sequence[Line]
    levels: Sequence[Level] = ()
    bars: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is no value at all."""
        return not any(drawable(value) for line in self.lines for value in line.values)


def drawable(value: float | None) -> bool:
    """Whether there is a value, and a place for it on an axis."""
    return value is not None and math.isfinite(value)


def mark(index: int) -> Content:
    """The sign and colour of a line, by its place in the plot."""
    sign, _, colour = MARKS[index]
    return Content.styled(sign if UNICODE else sign.translate(_ASCII), f"ansi_{colour}")


class PlotView(PlotextPlot):  # type: ignore[misc]
    """Draws one plot at a time."""

    DEFAULT_CSS = "PlotView { height: 1fr; min-height: 8; background: $background; }"
    _drawn: Plot | None = None

    def on_resize(self, _event: events.Resize) -> None:
        """The ticks that fit depend on the width."""
        if self._drawn is not None:
            self.draw(self._drawn)

    def draw(self, plot: Plot) -> None:
        """Draw a plot instead of what stands there."""
        self._drawn = plot
        canvas = self.plt
        canvas.clear_figure()
        canvas.title(plot.title)
        canvas.xlabel(plot.x)
        canvas.ylabel(plot.y)
        if plot.bars:
            self._bars(plot)
        else:
            self._lines(plot)
        for level in filter(lambda one: drawable(one.value), plot.levels):
            canvas.hline(level.value, color=LEVEL_COLOUR)
            canvas.text(
                f" {level.label} {level.value:.4g} ", x=1, y=level.value,
                color=LEVEL_COLOUR, background="default", alignment="left",
            )  # fmt: skip
        step = max(1, -(-len(plot.ticks) * TICK_CELLS // max(TICK_CELLS, self.size.width)))
        shown = range(0, len(plot.ticks), step)
        canvas.xticks([at + 1 for at in shown], [plot.ticks[at] for at in shown])
        self.refresh()

    def render(self) -> RenderableType:
        """The drawing, in ASCII where the terminal has nothing else."""
        drawn: RenderableType = super().render()
        if not UNICODE and isinstance(drawn, Text):
            drawn.plain = drawn.plain.translate(_ASCII)
        return drawn

    def _lines(self, plot: Plot) -> None:
        for index, line in enumerate(plot.lines):
            points = [(at + 1, value) for at, value in enumerate(line.values) if drawable(value)]
            if points:
                xs, ys = [at for at, _ in points], [value for _, value in points]
                sign, colour, _ = MARKS[index]
                self.plt.plot(xs, ys, color=colour, marker="braille" if UNICODE else "dot")
                self.plt.scatter(xs, ys, color=colour, marker=sign)

    def _bars(self, plot: Plot) -> None:
        positions = [at + 1 for at in range(len(plot.ticks))]
        self.plt.multiple_bar(
            positions,
            [[value if value and drawable(value) else 0.0 for value in line.values] for line in plot.lines],
            color=[colour for _, colour, _ in MARKS[: len(plot.lines)]],
            width=0.7,
        )
