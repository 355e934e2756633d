"""The segment between two models (the paper's Fig. 3 a, b): a metric along it, and the barriers of
all pairs, before and after alignment."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from fleet_analysis.figures.measured import Measured, measured, present
from fleet_analysis.figures.page import ROW_HEIGHT, page, panel_title, row_of_panels
from fleet_analysis.figures.panels import draw_curves, percent_axis, value_axis
from fleet_analysis.figures.words import fitted
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, is_share
from fleet_analysis.style import MethodStyle, method_styles

#: Alignments of pairs, which are the same whatever the merging method.
PAIRS = {
    "none": MethodStyle("as they are", "#8c8c8c", "o"),
    "git-rebasin": MethodStyle("matched in pairs", "#222222", "s"),
}


def draw(results: Results, metric: str) -> dict[str, Figure]:
    """A figure of the test metric and, beside an accuracy, one of the loss."""
    figures = {}
    names = dict.fromkeys([metric, "loss"])
    for name in names:
        segment = measured(results, "interpolation", "barrier")
        if segment is None:
            return {}
        rows = segment.rows
        segment.rows = rows[(rows.split == "test") & (rows.metric == name)]
        if not segment.rows.empty:
            figures[f"{results.name}-interpolation-{name}"] = _figure(segment, name)
    return figures


def _figure(segment: Measured, metric: str) -> Figure:
    segment.rows = _by_alignment(segment.rows)
    panels = segment.panels()
    styles = present(_styles(segment.rows), segment.rows)
    tables = [
        segment.summary(panel.rows[panel.rows.instrument == "interpolation"], along="at")
        for panel in panels
    ]
    title = f"{segment.name}: test {metric} between two models"
    lines = [*segment.notes.lines(), "below: a point per pair and seed, the line at the mean"]
    figure, (above, below) = page(len(panels), 2, title, lines, list(styles.values()))
    first = row_of_panels(above, len(panels), share_x=True)
    second = row_of_panels(below, len(panels), share_x=True)
    for upper, lower, panel, table in zip(first, second, panels, tables, strict=True):
        draw_curves(upper, table.rename(columns={"at": "epoch"}), styles)
        upper.xaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
        panel_title(upper, panel.title)
        _barriers(lower, panel.rows[panel.rows.instrument == "barrier"], styles)
    first[0].set_xlabel("λ", loc="left")
    value_axis(first[0], metric, "test")
    value_axis(second[0], f"{metric} barrier", "test")
    if is_share(metric):
        second[0].set_ylabel(fitted(f"test {metric} barrier (points)", ROW_HEIGHT, 8))
        percent_axis(second[0].yaxis)
    second[0].set_ylim(bottom=0)
    return figure


def _by_alignment(rows: pd.DataFrame) -> pd.DataFrame:
    """Lines are alignments: of the merging methods their own. Pairs under the others are found in
    the cells of every method that merged the same robots, and are kept once."""
    own = rows.subject == "method"
    line = rows[METHOD].where(own, rows.subject.astype(str).map(lambda name: f"pair {name}"))
    keys = [key for key in rows.columns if key not in ("cell", METHOD, "value")]
    rest = rows[~own].assign(**{METHOD: line[~own]}).drop_duplicates([METHOD, *keys])
    return pd.concat([rest, rows[own]], ignore_index=True)


def _styles(rows: pd.DataFrame) -> dict[str, MethodStyle]:
    pairs = {f"pair {name}": style for name, style in PAIRS.items()}
    methods = method_styles(name for name in rows[METHOD].unique() if name not in pairs)
    own = {
        name: MethodStyle(f"aligned by {style.label}", style.colour, style.marker)
        for name, style in methods.items()
    }
    return pairs | own


def _barriers(axes: Axes, rows: pd.DataFrame, styles: dict[str, MethodStyle]) -> None:
    for place, (name, style) in enumerate(styles.items()):
        values = rows[rows[METHOD] == name].value.to_numpy()
        if not len(values):
            continue
        spread = 0.3 * np.linspace(-1, 1, len(values)) if len(values) > 1 else np.zeros(1)
        axes.plot(
            place + spread, values, linestyle="none", marker=style.marker, markersize=3.2,
            color=style.colour, alpha=0.55, markeredgewidth=0,
        )  # fmt: skip
        axes.hlines(values.mean(), place - 0.36, place + 0.36, color=style.colour, linewidth=1.6)
    axes.set_xlim(-0.6, len(styles) - 0.4)
    axes.set_xticks([])
