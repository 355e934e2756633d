"""Merging once, method by method and option by option (the paper's Fig. 12): a row per variant, a
panel per value of the axis that matters most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fleet_analysis.figures.fig03d_one_shot import merged_once
from fleet_analysis.figures.page import page, panel_title, row_of_panels
from fleet_analysis.figures.panels import value_axis_below
from fleet_analysis.figures.words import all_fitted
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, REFERENCES
from fleet_analysis.stats import Summary, summarise
from fleet_analysis.style import TICK_SIZE, MethodStyle, line_look
from fleet_analysis.variants import methods_of, shared_axes, variants
from fleet_analysis.view import View

ROW, FRAME = 0.2, 0.75  # inches of a variant, around them
LABEL = 1.6  # inches at most of a variant's name
VARIANT = "variant"


def draw(results: Results, metric: str, split: str) -> dict[str, Figure]:
    """Means over seeds with bootstrap intervals; pooled and local training as lines. Raises
    ResultsError where no cell merged once."""
    view = View(results, metric, split).where(merged_once, "merged once")
    view.final = view.final.assign(**{VARIANT: variants(view.final, view.axes)})
    method_of = methods_of(view.final, view.final[VARIANT])
    notes = view.notes()
    shared = shared_axes(view.axes)
    key = max((k for k in shared if k in view.axes), key=view.effect, default=None)
    panels = view.panels(view.final, key, notes)
    averaged = [axis for axis in shared if axis != key]
    summaries = [_means(panel.rows, averaged) for panel in panels]
    tables = [summary.table for summary in summaries]
    notes.averaged.update(dict.fromkeys(averaged))
    for summary in summaries:
        notes.seeds.update(summary.table["n"])
        notes.note_summary(summary)
    names = [v for m in view.styles for v, method in method_of.items() if method == m]
    rows = {v: view.styles[method_of[v]] for v in names if method_of[v] not in REFERENCES}
    references = {name: style for name, style in view.styles.items() if style.reference}
    title = f"{view.name}: merging once, method by method"
    height = FRAME + ROW * len(rows)
    figure, (row,) = page(len(panels), 1, title, notes.lines(), list(references.values()), height)
    axes = row_of_panels(row, len(panels), share_x=True)
    for each, panel, table in zip(axes, panels, tables, strict=True):
        _panel(each, table, rows, references)
        panel_title(each, panel.title)
    value_axis_below(axes[0], metric, split, prefix="final ")
    return {f"{results.name}-ablations": figure}


def _means(rows: pd.DataFrame, averaged: Sequence[str]) -> Summary:
    """Mean and interval per variant; each counts as a method of its own."""
    named = rows.assign(**{METHOD: rows[VARIANT]})
    return summarise(named, [METHOD], averaged)


def _panel(
    axes: Axes,
    table: pd.DataFrame,
    rows: Mapping[str, MethodStyle],
    references: Mapping[str, MethodStyle],
) -> None:
    """A row per variant, each in the style of its method."""
    known = table.set_index(METHOD)
    for name, style in references.items():
        if name in known.index:
            axes.axvline(float(known["mean"][name]), **line_look(style))
    for place, (name, style) in enumerate(rows.items()):
        if name not in known.index:
            continue
        own = known.loc[name]
        axes.hlines(place, own["low"], own["high"], color=style.colour, alpha=0.45, linewidth=2.2)
        axes.plot(own["mean"], place, **{**line_look(style), "linestyle": "none"})
    axes.set_yticks(range(len(rows)), all_fitted(list(rows), LABEL, TICK_SIZE))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
