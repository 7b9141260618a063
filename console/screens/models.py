"""Models: versions with their aliases at the left; metric, drift and scores as plots at the right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

from textual.binding import BindingType
from textual.content import Content
from textual.widget import Widget

from console.narrow import unmatched
from console.paged import Paged
from console.places import Place
from console.screens.keys import key
from console.screens.paging import Listed, Paging
from console.screens.split import SplitScreen
from console.text import ago, as_of, figure, glyph, instant, joined, number, plain, share, spark, styled, switched
from console.widgets.plot import MARKS, Level, Line, Plot, PlotView, mark
from console.widgets.rows import Column, Row, Section
from metadata.database import Database
from metadata.rows.model_charts import Curve, ModelCharts, Scores, model_charts
from metadata.rows.models import ModelVersion
from metadata.rows.pages import ModelRow, list_models
from metadata.values import counted, utc_now

MODELS = (
    Column("MODEL"),
    Column("CHAMPION", 8, "right"),
    Column("METRIC", 8, shown_from=40),
    Column("VALUE", 7, "right"),
)
ALIASES = ("champion", "challenger")
VERSIONS = (
    Column("VERSION"),
    Column("ALIAS", 10),
    Column("VALUE", 7, "right"),
    Column("UNTIL", 10, shown_from=44),
    Column("ROWS", 10, "right", shown_from=50),
)


class ModelsScreen(SplitScreen, Paging):
    """Models and, of the chosen one, its versions."""

    CSS_PATH: ClassVar[list[str]] = ["split.tcss", "models.tcss"]  # type: ignore[assignment]
    FILTERS = True
    FILTER_HELP = "metric:roc_auc owner:ops value:>0.6 versions:>2 age:<30d words !not /late*"
    PANES = ("Metric", "Drift", "Scores", "Compare", "Versions")
    AGEING = ("Versions",)
    BINDINGS: ClassVar[list[BindingType]] = [
        key("L", "lineage", "lineage", help="lineage of the model"),
        key("e", "definition", "definition", help="its definition in the blueprint, where e edits it"),
    ]

    def __init__(self, subject: str = "") -> None:
        super().__init__(subject)
        self._model = ""
        """The model under the cursor; what is shown of another is being read anew."""
        self._wanted = subject
        """The model that one came for and that is not there yet."""
        self._charts: ModelCharts | None = None

    def more_right(self) -> Iterable[Widget]:
        """The plot below the words."""
        yield PlotView(id="plot")

    def turn_to(self, subject: str) -> None:
        """To one model."""
        if subject:
            self.first_page()
            self._wanted, self.filter = subject, ""
            self.reload()

    def listed(self) -> Listed:
        """Models."""
        return list_models

    def read(self) -> Callable[[Database], Any]:
        """The models, and the charts of one of them."""
        wanted = self._wanted or self._model
        read = self.reading(self._wanted)

        def query(database: Database) -> tuple[Paged[ModelRow], ModelCharts | None]:
            paged = read(database)
            keys = [row.key for row in paged.page.items]
            chosen = wanted if wanted in keys else keys[0] if keys else ""
            return paged, model_charts(database, chosen) if chosen else None

        return query

    def show(self, data: tuple[Paged[ModelRow], ModelCharts | None]) -> None:
        """Both tables, and the pane."""
        paged, charts = data
        page, self._charts = self.take(paged), charts
        empty = (
            unmatched(self.filter)
            if self.filter
            else "No models yet: a model and a train task in the blueprint (3) make one."
        )
        rows = [self._model_row(row) for row in page.items]
        sections = [Section(MODELS, rows, empty=empty, more=page.next is not None)]
        if charts is not None:
            none = "Not trained yet: the train task of a pipeline makes the first version."
            versions = [self._version_row(each) for each in charts.versions]
            sections.append(Section(VERSIONS, versions, title="VERSION", empty=none))
        self.list.show_sections(sections)
        self.landed(paged)
        if paged.wanted and paged.wanted == self._wanted:
            self._wanted = ""
            if not self.list.select(f"model {paged.wanted}"):
                self.say(f"there is no model {paged.wanted}", "warn")
        self._model = charts.key if charts else ""
        self.moved()

    def _model_row(self, row: ModelRow) -> Row:
        chosen = self._charts is not None and row.key == self._charts.key
        cells = (
            switched(row.key, row.enabled, "strong" if chosen else ""),
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
        charts = self._charts
        holders = {alias: charts.holder(alias) for alias in ALIASES} if charts else {}
        return [alias for alias, holder in holders.items() if holder and holder.version == version]

    def _named(self, version: int) -> str:
        return " ".join((f"v{version}", *self._aliases(version)))

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
        model, version = self._charts.key if self._charts else "", self._version()
        return f"{model} v{version.version}" if version else model

    def _version(self) -> ModelVersion | None:
        value = self.row.value if self.row else None
        return value if isinstance(value, ModelVersion) else None

    def draw_detail(self) -> None:
        """Words above, the plot below where there is one."""
        super().draw_detail()
        plot = self._plot()
        view = self.query_one(PlotView)
        view.display = plot is not None and not plot.empty
        self.set_class(not view.display, "plotless")
        if plot is not None and not plot.empty:
            view.draw(plot)

    def _plot(self) -> Plot | None:
        charts = self._charts
        if charts is None:
            return None
        makers = {
            "Metric": self._metric_plot,
            "Drift": self._drift_plot,
            "Scores": self._score_plot,
            "Compare": _comparison_plot,
        }
        pane = self.PANES[self.pane]
        return makers[pane](charts) if pane in makers else None

    def _metric_plot(self, charts: ModelCharts) -> Plot:
        """Every version that was measured; what the champion had on its test rows as a level, and a fixed limit."""
        metric, champion = charts.model.metric, charts.holder("champion")
        levels = [Level("limit", charts.limit)] if charts.limit is not None else []
        if champion is not None and champion.metric_value is not None:
            levels.append(Level(f"v{champion.version} on its test rows", champion.metric_value))
        lines = [Line(curve.values) for curve in list(_newest(charts).values())[: len(MARKS)]]
        return Plot(f"{metric} by window", "end of window", metric, _days(charts), lines, levels)

    def _drift_plot(self, charts: ModelCharts) -> Plot:
        """The features that drifted most, with the threshold of the first of them."""
        shown = charts.drift[: len(MARKS)]
        limit = _last(shown[0].thresholds) if shown else None
        levels = [Level(f"threshold of {shown[0].feature}", limit)] if limit is not None else []
        lines = [Line(each.values) for each in shown]
        title = "population stability index by window"
        return Plot(title, "end of window", "PSI (no unit)", _days(charts), lines, levels)

    def _scored(self, charts: ModelCharts) -> tuple[int, Scores] | None:
        """The scores of the version under the cursor, else of the champion, else of the newest."""
        chosen = self._version() or charts.holder("champion") or next(iter(charts.versions), None)
        return (chosen.version, charts.scores[chosen.version]) if chosen else None

    def _score_plot(self, charts: ModelCharts) -> Plot | None:
        scored = self._scored(charts)
        if scored is None:
            return None
        version, scores = scored
        if scores.window is None:
            return None
        ticks = [scores.reference.bin_name(index) for index in range(scores.reference.bins)]
        lines = [Line(scores.reference.shares), Line(scores.shares)]
        x, y = "score, in tenths of the test rows", "share of rows"
        return Plot(f"scores of v{version}", x, y, ticks, lines, bars=True)

    def _scores(self, charts: ModelCharts) -> list[Content]:
        """Bin by bin, on the test rows and in the newest window."""
        scored = self._scored(charts)
        if scored is None:
            return [styled("No version yet.", "quiet")]
        version, scores = scored
        reference, then = scores.reference, _day(scores.window) if scores.window else ""
        head = joined(mark(0), (f" {self._named(version)} on its {number(reference.rows)} test rows", "strong"))
        if scores.window is None:
            none = "  No window is counted: a monitor that watches the prediction counts the next one."
            lines = [f"{reference.bin_name(at):>14} {share(part):>8}" for at, part in enumerate(reference.shares)]
            return [head, *(styled(line) for line in lines), styled(none, "quiet")]
        return [head, joined(mark(1), (" in the window that ends ", "strong"), then)]

    def lines(self, pane: str) -> Sequence[Content]:
        """Words of a pane."""
        if self._charts is None:
            return ()
        makers = {
            "Metric": self._metric,
            "Drift": _drift,
            "Scores": self._scores,
            "Compare": _compared,
            "Versions": self._versions,
        }
        return makers[pane](self._charts)

    def _metric(self, charts: ModelCharts) -> list[Content]:
        if not charts.monitor:
            none = "No monitor watches this model. One under `monitors:` in the blueprint measures it."
            return [styled(none, "quiet")]
        if not charts.metric:
            first = "labels must be mature first" if charts.holder("champion") else "no version serves yet"
            return [styled(f"{charts.monitor} has measured no window yet: {first}.", "quiet")]
        width = max(len(self._named(version)) for version in charts.metric)
        return [
            joined(
                mark(index) if index < len(MARKS) else " ",
                (f" {self._named(version).ljust(width)}  ", "strong"),
                spark(_known(curve.values)).ljust(13),
                (figure(_last(curve.values)).rjust(8), "accent"),
                (f"  {counted(len(_known(curve.values)), 'window')}", "quiet"),
            )
            for index, (version, curve) in enumerate(_newest(charts).items())
        ]

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
        return self.about() if self._version() else self._model

    def trail(self) -> Content | str:
        """Where one is."""
        return joined(
            ("Models", "quiet"),
            (f" ▸ {self._model}" if self._model else "", "strong"),
            (f" ▸ {self.filter}" if self.filter else "", "accent"),
        )


def _drift(charts: ModelCharts) -> list[Content]:
    if not charts.drift:
        return [styled("No drift was measured yet: predictions come first.", "quiet")]
    width = max(len(each.feature) for each in charts.drift)
    lines = []
    for index, each in enumerate(charts.drift):
        known, limit = _known(each.values), _last(each.thresholds)
        lines.append(
            joined(
                mark(index) if index < len(MARKS) else " ",
                (f" {each.feature.ljust(width)}", "warn" if each.alarms else ""), "  ", spark(known).ljust(13),
                (figure(known[-1]).rjust(10) if known else "", "strong"),
                (f"  > {figure(limit)} !" if each.alarms else f"  of {figure(limit)}" if limit is not None else "",
                 "warn" if each.alarms else "quiet"),
            )
        )  # fmt: skip
    return lines


def _comparison_plot(charts: ModelCharts) -> Plot:
    """Champion and challenger of each comparison, on the same rows."""
    metric, found = charts.model.metric, charts.comparisons
    lines = [Line([each.champion for each in found]), Line([each.challenger for each in found])]
    return Plot(f"{metric} on the same rows", "comparison", metric, [_day(each.as_of) for each in found], lines)


def _compared(charts: ModelCharts) -> list[Content]:
    """Comparisons, newest first: the verdict, both values, and the difference with its interval."""
    if not charts.comparisons:
        none = "No challenger was compared yet: a decision rule that retrains the model brings one."
        return [styled(none, "quiet")]
    found = [joined(mark(0), (" champion  ", "strong"), mark(1), (" challenger", "strong"))]
    for each in reversed(charts.comparisons):
        who = f"v{each.version}" if each.version else "challenger"
        found.append(
            joined(
                (_day(each.as_of), "quiet"), "  ", ("better ", "good") if each.better else ("refused", "warn"),
                f"  {who} ", (figure(each.challenger), "accent"),
                f" against {figure(each.champion)}  {each.difference:+.4f}",
                (f" ({each.low:+.4f} to {each.high:+.4f}), {counted(each.rows, 'row')}", "quiet"),
            )
        )  # fmt: skip
    return found


def _version_lines(each: ModelVersion) -> list[Content]:
    facts = [
        (
            "trained on",
            f"{as_of(each.trained_from)[:10]} to {as_of(each.trained_until)[:10]}, {counted(each.rows_trained, 'row')}",
        ),
        (
            "tested on",
            f"{as_of(each.tested_from)[:10]} to {as_of(each.tested_until)[:10]}, {counted(each.rows_tested, 'row')}",
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


def _newest(charts: ModelCharts) -> dict[int, Curve]:
    """The metric by version, newest first."""
    return dict(sorted(charts.metric.items(), reverse=True))


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _days(charts: ModelCharts) -> list[str]:
    return [_day(window) for window in charts.windows]


def _day(window: datetime) -> str:
    return window.strftime("%Y-%m-%d")
