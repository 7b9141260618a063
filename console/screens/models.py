"""Models: versions with their aliases at the left; metric, drift and scores as plots at the right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget

from console.places import Place
from console.screens.base import key
from console.screens.split import SplitScreen
from console.text import ago, as_of, figure, glyph, instant, joined, number, plain, spark, styled
from console.widgets.plot import Level, Line, Plot, PlotView
from console.widgets.rows import Column, Row, Rows, Section
from metadata.database import Database
from metadata.rows.model_charts import ModelCharts, model_charts
from metadata.rows.models import ModelVersion
from metadata.rows.pages import ModelRow, Page, list_models
from metadata.values import utc_now

MODELS = (
    Column("MODEL"),
    Column("CHAMPION", 8, "right"),
    Column("METRIC", 8, shown_from=40),
    Column("VALUE", 7, "right"),
)
VERSIONS = (
    Column("VERSION"),
    Column("ALIAS", 10),
    Column("VALUE", 7, "right"),
    Column("UNTIL", 10, shown_from=44),
    Column("ROWS", 9, "right", shown_from=50),
)


class ModelsScreen(SplitScreen):
    """Models and, of the chosen one, its versions."""

    CSS_PATH: ClassVar[list[str]] = ["split.tcss", "models.tcss"]  # type: ignore[assignment]
    FILTERS = True
    PANES = ("Metric", "Drift", "Scores", "Versions")
    BINDINGS: ClassVar[list[BindingType]] = [
        key("L", "lineage", "lineage", help="lineage of the model"),
        key("e", "definition", "definition", help="its definition in the blueprint, where e edits it"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._model = subject
        self._page: Page[ModelRow] | None = None
        self._charts: ModelCharts | None = None

    def more_right(self) -> Iterable[Widget]:
        """The plot below the words."""
        yield PlotView(id="plot")

    def turn_to(self, subject: str) -> None:
        """To one model."""
        if subject:
            self._model = subject
            self.reload()

    def read(self) -> Callable[[Database], Any]:
        """The models, and the charts of one of them."""
        words, limit, wanted = self.filter, self.page_size, self._model

        def query(database: Database) -> tuple[Page[ModelRow], ModelCharts | None]:
            page = list_models(database, words, limit=limit)
            keys = [row.key for row in page.items]
            chosen = wanted if wanted in keys else keys[0] if keys else ""
            return page, model_charts(database, chosen) if chosen else None

        return query

    def show(self, data: tuple[Page[ModelRow], ModelCharts | None]) -> None:
        """Both tables, and the pane."""
        self._page, self._charts = data
        self._model = self._charts.key if self._charts else ""
        empty = (
            f"Nothing matches {self.filter!r}. esc takes the filter back."
            if self.filter
            else "No models yet. A blueprint with a model and a train task makes one; 3 shows the blueprint."
        )
        models = Section(MODELS, [self._model_row(row) for row in self._page.items], empty=empty)
        sections = [models]
        if self._charts is not None:
            none = "Not trained yet: the train task of a pipeline makes the first version."
            rows = [self._version_row(each) for each in self._charts.versions]
            sections.append(Section(VERSIONS, rows, title=f"VERSIONS OF {self._charts.key}", empty=none))
        self.list.show_sections(sections)
        self.draw_detail()

    def _model_row(self, row: ModelRow) -> Row:
        chosen = row.key == self._model
        cells = (
            styled(row.key, "strong" if chosen else ""),
            f"v{row.champion}" if row.champion else glyph("–"),
            styled(row.metric, "quiet"),
            figure(row.metric_value),
        )
        return Row(f"model {row.key}", cells, value=row)

    def _version_row(self, each: ModelVersion) -> Row:
        aliases = self._aliases(each.version)
        cells = (
            f"v{each.version}",
            styled(", ".join(aliases), "accent" if "champion" in aliases else ""),
            figure(each.metric_value),
            styled(as_of(each.trained_until)[:10], "quiet"),
            number(each.rows_trained),
        )
        return Row(f"version {each.version}", cells, value=each)

    def _aliases(self, version: int) -> list[str]:
        held: dict[str, int | None] = {}
        for change in self._charts.aliases if self._charts else ():
            held.setdefault(change.alias, change.version)
        return [alias for alias, holder in held.items() if holder == version]

    def moved(self) -> None:
        """Another model has other charts."""
        row = self.row
        if row is not None and isinstance(row.value, ModelRow) and row.value.key != self._model:
            self._model = row.value.key
            self.reload()
        else:
            self.draw_detail()

    def about(self) -> str:
        """Which model, or which version."""
        version = self._version()
        return f"{self._model} v{version.version}" if version else self._model

    def _version(self) -> ModelVersion | None:
        value = self.row.value if self.row else None
        return value if isinstance(value, ModelVersion) else None

    def draw_detail(self) -> None:
        """Words above, the plot below where there is one."""
        super().draw_detail()
        plot = self._plot()
        view = self.query_one(PlotView)
        view.display = plot is not None and not plot.empty
        if plot is not None and not plot.empty:
            view.draw(plot)

    def _plot(self) -> Plot | None:
        charts, pane = self._charts, self.PANES[self.pane]
        if charts is None:
            return None
        ticks = [window.strftime("%Y-%m-%d") for window in charts.windows]
        if pane == "Metric":
            lines = [Line(curve.label, curve.values) for curve in charts.metric]
            champion = next((each for each in charts.versions if "champion" in self._aliases(each.version)), None)
            levels = [Level("test", champion.metric_value)] if champion and champion.metric_value is not None else []
            return Plot(f"{charts.model.metric} by window", "end of window", charts.model.metric, ticks, lines, levels)
        if pane == "Drift" and charts.drift:
            lines = [Line(each.feature, each.values) for each in charts.drift[:3]]
            limits = [limit for each in charts.drift[:1] for limit in each.thresholds if limit is not None]
            levels = [Level(f"threshold {charts.drift[0].feature}", limits[-1])] if limits else []
            return Plot("PSI by window", "end of window", "PSI", ticks, lines, levels)
        return self._score_plot(charts) if pane == "Scores" else None

    def _score_plot(self, charts: ModelCharts) -> Plot | None:
        version = self._version()
        chosen = [version.version] if version else list(charts.scores)[:2]
        shown = [(number_, charts.scores[number_]) for number_ in chosen if number_ in charts.scores]
        if not shown:
            return None
        edges = shown[0][1].edges
        ticks = [*(f"{edge:.2g}" for edge in edges), glyph("…")]
        lines = [
            Line(f"v{number_} on its test rows", [count / max(1, each.rows) for count in each.counts], bars=True)
            for number_, each in shown
        ]
        return Plot("scores", "score up to", "share of rows", ticks, lines)

    def lines(self, pane: str) -> Sequence[Content]:
        """Words of a pane."""
        if self._charts is None:
            return ()
        makers = {"Metric": _metric, "Drift": _drift, "Scores": _scores, "Versions": self._versions}
        return makers[pane](self._charts)

    def _versions(self, charts: ModelCharts) -> list[Content]:
        version = self._version()
        lines = [line for each in charts.versions if version in (None, each) for line in _version_lines(each)]
        lines += [Content(""), styled("Aliases", "strong")]
        lines += [
            joined(
                (as_of(change.as_of), "quiet"), f"  {change.alias} ", (f"v{change.version}", "accent"),
                (f" after v{change.previous}" if change.previous else "", "quiet"), f"  {plain(change.reason)}",
            )
            for change in charts.aliases
        ]  # fmt: skip
        return lines

    def unavailable(self, name: str) -> str:
        """What needs a model."""
        if name in ("lineage", "definition") and not self._model:
            return "there is no model here"
        return super().unavailable(name)

    def do_lineage(self) -> None:
        """`L`"""
        self.go(Place("lineage", f"model {self._model}"))

    def do_definition(self) -> None:
        """`e`"""
        self.go(Place("blueprint", f"model {self._model}"))

    def copied(self) -> str:
        """The model, or version, as people type it."""
        return self.about()

    def trail(self) -> Content | str:
        """Where one is."""
        return joined(
            ("Models ▸ ", "quiet"), (self._model, "strong"), (f"  {self.filter}" if self.filter else "", "accent")
        )

    def caption(self) -> Content | str:
        """How many there are."""
        return styled(f"{number(self._page.total)} models" if self._page else "", "quiet")

    def on_rows_opened(self, message: Rows.Opened) -> None:
        """Enter: to what is said of it."""
        self.turn_half(True)


def _metric(charts: ModelCharts) -> list[Content]:
    if not charts.monitor:
        return [styled("No monitor watches this model. One under `monitors:` in the blueprint measures it.", "quiet")]
    if not charts.metric:
        return [styled(f"{charts.monitor} has measured no window yet: labels must be mature first.", "quiet")]
    return [
        joined((f"{curve.label}  ", "strong"), spark([value for value in curve.values if value is not None]),
               (f"  {figure(next((value for value in reversed(curve.values) if value is not None), None))}", "accent"))
        for curve in charts.metric
    ]  # fmt: skip


def _drift(charts: ModelCharts) -> list[Content]:
    if not charts.drift:
        return [styled("No drift was measured yet: predictions come first.", "quiet")]
    width = max(len(each.feature) for each in charts.drift)
    lines = []
    for each in charts.drift:
        known = [value for value in each.values if value is not None]
        limit = next((value for value in reversed(each.thresholds) if value is not None), None)
        lines.append(
            joined(
                (each.feature.ljust(width), "warn" if each.alarms else ""), "  ", spark(known).ljust(13),
                (figure(known[-1]).rjust(8) if known else "", "strong"),
                (f"  > {figure(limit)} !" if each.alarms else f"  of {figure(limit)}" if limit is not None else "",
                 "warn" if each.alarms else "quiet"),
            )
        )  # fmt: skip
    return lines


def _scores(charts: ModelCharts) -> list[Content]:
    if not charts.scores:
        return [styled("No version yet.", "quiet")]
    return [
        joined((f"v{version}  ", "strong"), f"{number(each.rows)} test rows") for version, each in charts.scores.items()
    ]


def _version_lines(each: ModelVersion) -> list[Content]:
    facts = [
        (
            "trained on",
            f"{as_of(each.trained_from)[:10]} to {as_of(each.trained_until)[:10]}, {number(each.rows_trained)} rows",
        ),
        (
            "tested on",
            f"{as_of(each.tested_from)[:10]} to {as_of(each.tested_until)[:10]}, {number(each.rows_tested)} rows",
        ),
        (each.metric, figure(each.metric_value)),
        ("made", f"{instant(each.created_at)} ({ago(each.created_at, utc_now())})"),
        ("digest", each.digest[:16]),
        ("features", ", ".join(feature.name for feature in each.features)),
    ]
    return [
        styled(f"version {each.version}", "strong"),
        *(joined((f"  {name:<11}", "quiet"), plain(value)) for name, value in facts),
    ]
