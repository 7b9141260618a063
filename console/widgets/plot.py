"""Plots: the one place that knows plotext. A plot is a frozen description; the widget draws it in its colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual_plotext import PlotextPlot

COLOURS = ("blue+", "orange+", "green+", "gray")
MARKERS = ("braille", "dot")


@dataclass(frozen=True)
class Line:
    """A series over named positions; None where there is no value. `steps` draws it as bars."""

    label: str
    values: Sequence[float | None]
    bars: bool = False


@dataclass(frozen=True)
class Level:
    """A horizontal line, such as a threshold."""

    label: str
    value: float


@dataclass(frozen=True)
class Plot:
    """What is drawn: series over `ticks`, levels, and the names and units of the axes."""

    title: str
    x: str
    y: str
    ticks: Sequence[str]
    lines: Sequence[Line]
    levels: Sequence[Level] = ()

    @property
    def empty(self) -> bool:
        """Whether there is no value at all."""
        return not any(value is not None for line in self.lines for value in line.values)


class PlotView(PlotextPlot):  # type: ignore[misc]
    """Draws one plot at a time."""

    DEFAULT_CSS = "PlotView { height: 1fr; min-height: 8; background: $background; }"

    def draw(self, plot: Plot) -> None:
        """Draw a plot instead of what stands there."""
        canvas = self.plt
        canvas.clear_figure()
        canvas.title(plot.title)
        canvas.xlabel(plot.x)
        canvas.ylabel(plot.y)
        for index, line in enumerate(plot.lines):
            points = [(at + 1, value) for at, value in enumerate(line.values) if value is not None]
            if not points:
                continue
            xs, ys = [at for at, _ in points], [value for _, value in points]
            colour = COLOURS[index % len(COLOURS)]
            if line.bars:
                canvas.bar(xs, ys, label=line.label, color=colour, width=0.8)
            else:
                canvas.plot(xs, ys, label=line.label, color=colour, marker=MARKERS[0])
                canvas.scatter(xs, ys, color=colour, marker=MARKERS[1])
        for level in plot.levels:
            canvas.hline(level.value, color="red+")
            canvas.text(f"{level.label} {level.value:.3g}", x=1, y=level.value, color="red+")
        step = max(1, len(plot.ticks) // max(1, self.size.width // 12))
        canvas.xticks(
            [at + 1 for at in range(0, len(plot.ticks), step)],
            [plot.ticks[at] for at in range(0, len(plot.ticks), step)],
        )
        self.refresh()
