"""Robots that go on alone after the last merge: a test metric by gradient steps on what each keeps
to itself, beside what they had before the merge."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from fleet_analysis.figures.measured import measured
from fleet_analysis.figures.page import page, panel_title, row_of_panels
from fleet_analysis.figures.panels import draw_curves, value_axis
from fleet_analysis.kept import own_values
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD
from fleet_analysis.style import MethodStyle, method_styles

BEFORE = "before the merge"
BEFORE_STYLE = MethodStyle(BEFORE, "#8c8c8c", "", (0, (1, 1.6)), reference=True)


def draw(results: Results, metric: str) -> dict[str, Figure]:
    """The fleet's curves of all methods, a panel per value of the first axis."""
    alone = measured(results, "personal")
    if alone is None:
        return {}
    rows = alone.rows[(alone.rows.metric == metric) & (alone.rows.subject == "fleet")]
    if rows.empty:
        return {}
    alone.rows = rows
    styles = method_styles(list(rows[METHOD].unique()))
    panels = alone.panels()
    tables = [alone.summary(panel.rows, along="at") for panel in panels]
    before = [_before(results, panel.rows, metric) for panel in panels]
    shown = (
        {**styles, BEFORE: BEFORE_STYLE} if any(value is not None for value in before) else styles
    )
    title = f"{alone.name}: test {metric} of robots that go on alone"
    figure, (row,) = page(len(panels), 1, title, alone.notes.lines(), list(shown.values()))
    axes = row_of_panels(row, len(panels), share_x=True)
    for each, panel, table, own in zip(axes, panels, tables, before, strict=True):
        draw_curves(each, table.rename(columns={"at": "epoch"}), styles)
        if own is not None:
            each.axhline(own, color=BEFORE_STYLE.colour, linestyle=BEFORE_STYLE.linestyle)
        panel_title(each, panel.title)
    axes[0].set_xlabel("gradient steps after the merge", loc="left")
    value_axis(axes[0], metric, "test")
    return {f"{alone.name}-personal": figure}


def _before(results: Results, rows: pd.DataFrame, metric: str) -> float | None:
    """The mean over these cells' robots of their own policies, where they were tested."""
    own = own_values(results, metric)
    own = own[own.cell.isin(rows.cell)]
    return None if own.empty else float(own.own.mean())
