"""Accuracy (or another metric): at the end against each swept axis, along training, and an
overview."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure, SubFigure

from fleet_analysis.figures.page import PANEL_FRAME, page, panel_title, row_of_panels
from fleet_analysis.figures.panels import draw_curves, draw_final, value_axis
from fleet_analysis.figures.scale import scale_of
from fleet_analysis.figures.words import fitted, text_width
from fleet_analysis.schema import EVERY_EPOCHS, METHOD, ONE_SHOT
from fleet_analysis.style import axis_label, axis_name, setting_label
from fleet_analysis.view import MAX_PANELS, Notes, Panel, View, first_of, overview_lines, values_of


def draw(view: View) -> dict[str, Figure]:
    """Every figure of a sweep by the name of its file, the overview first."""
    figures = {view.name: overview_figure(view)}
    for key in view.axes:
        figures[f"{view.name}-{key}"] = axis_figure(view, key)
    if _has_curves(view):
        figures[f"{view.name}-curves"] = curves_figure(view)
    return figures


def axis_figure(view: View, key: str, title: str | None = None) -> Figure:
    """The final value against one axis, a panel per value of the most telling other axis."""
    notes = view.notes()
    panels = view.panels(view.final, view.columns_for(key), notes)
    tables = [view.summary(panel.rows, [key], notes) for panel in panels]
    title = title or f"{view.name}: final {view.split} {view.metric} by {axis_name(key)}"
    figure, rows = page(len(panels), 1, title, notes.lines(), list(view.styles.values()))
    final_row(view, rows[0], panels, tables, [key] * len(panels))
    return figure


def curves_figure(view: View) -> Figure:
    """The value along training, a panel per value of the first axis."""
    notes = view.notes()
    panels, tables = _curves(view, notes)
    title = f"{view.name}: {view.split} {view.metric} along training"
    figure, rows = page(len(panels), 1, title, notes.lines(), list(view.styles.values()))
    _curves_row(view, rows[0], panels, tables)
    return figure


def overview_figure(view: View) -> Figure:
    """Curves above, the final value against the axes below; without axes, beside them by method.
    Where everything merges once, at the end, there are no curves."""
    above, below = view.notes(), Notes()
    panels, tables = _curves(view, above) if _has_curves(view) else ([], [])
    keys = view.axes[:MAX_PANELS] or [METHOD]
    if "workload" in view.axes:
        key = next((axis for axis in view.axes if axis != "workload"), METHOD)
        finals = view.panels(view.final, "workload", below)
        keys = [key] * len(finals)
    else:
        finals = [Panel("", view.final)] * len(keys)
    final_tables = [
        view.summary(panel.rows, [] if key == METHOD else [key], below)
        for panel, key in zip(finals, keys, strict=True)
    ]
    title = f"{view.name}: {view.split} {view.metric}"
    lines, styles = overview_lines(above, below), list(view.styles.values())
    if not panels:
        figure, (second,) = page(len(finals), 1, title, lines, styles)
    elif view.axes:
        figure, (first, second) = page(max(len(panels), len(finals)), 2, title, lines, styles)
    else:
        figure, (row,) = page(2, 1, title, lines, styles)
        first, second = row.subfigures(1, 2, squeeze=False)[0]
    if panels:
        _curves_row(view, first, panels, tables)
    final_row(view, second, finals, final_tables, keys)
    return figure


def _has_curves(view: View) -> bool:
    """A point is no curve."""
    return bool(view.curves.groupby("cell").epoch.nunique().max() > 1)


def _curves(view: View, notes: Notes) -> tuple[list[Panel], list[pd.DataFrame]]:
    """The panels of curves with their summaries.

    Methods that merge at several frequencies have curves with points at different epochs, which no
    mean can join. So either the panels are the frequencies, or only the highest one is shown.
    """
    rows, key = view.curves, first_of(view.axes, "workload")
    frequencies = values_of(rows, EVERY_EPOCHS)
    if len(frequencies) > 1 and key == EVERY_EPOCHS:
        once = rows[EVERY_EPOCHS] == ONE_SHOT
        if len(frequencies) > 2 and rows[once].groupby("cell").epoch.nunique().max() == 1:
            rows = rows[~once]
            notes.last.append("no curve for one-shot merging")
    elif len(frequencies) > 1:
        rows = rows[rows[EVERY_EPOCHS] == frequencies[0]]
        notes.shown.append(setting_label(EVERY_EPOCHS, frequencies[0]))
    panels = view.panels(rows, key, notes)
    keys = [key] if key else []
    return panels, [view.summary(panel.rows, keys, notes, along="epoch") for panel in panels]


def _curves_row(
    view: View, row: SubFigure, panels: Sequence[Panel], tables: Sequence[pd.DataFrame]
) -> None:
    axes = row_of_panels(row, len(panels), share_x=True)
    for each, panel, table in zip(axes, panels, tables, strict=True):
        draw_curves(each, table, view.styles)
        panel_title(each, panel.title)
    value_axis(axes[0], view.metric, view.split)
    axes[0].set_xlabel("local epochs", loc="left")


def final_row(
    view: View,
    row: SubFigure,
    panels: Sequence[Panel],
    tables: Sequence[pd.DataFrame],
    keys: Sequence[str],
) -> None:
    """A panel against each of the keys; where they are all the same, its name stands once."""
    same = len(set(keys)) == 1
    axes = row_of_panels(row, len(panels), share_x=same)
    width = row.bbox.width / row.dpi / len(panels) - 0.3
    merged = [name for name, style in view.styles.items() if not style.reference]
    for each, panel, table, key in zip(axes, panels, tables, keys, strict=True):
        values = merged or list(view.styles) if key == METHOD else values_of(view.final, key)
        draw_final(each, table, scale_of(key, values), view.styles, width)
        panel_title(each, panel.title)
        if each is axes[0] or not same:
            label = axis_label(key)
            room = row.bbox.width / row.dpi - PANEL_FRAME if same else width
            short = label if text_width(label, 8) < room else axis_name(key)
            each.set_xlabel(fitted(short, room, 8), loc="left")
    value_axis(axes[0], view.metric, view.split, prefix="final ")
