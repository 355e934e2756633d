"""How an alignment goes: distance to the reference, units that change place, and how far relaxed
permutations are from doubly stochastic, by epoch."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fleet_analysis.figures.measured import measured, present
from fleet_analysis.figures.page import page, panel_title, row_of_panels
from fleet_analysis.figures.panels import draw_curves
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD
from fleet_analysis.style import method_styles

#: The series of an alignment and how they are called; shares in percent.
SERIES = {
    "distance": ("distance to the reference", 1),
    "changes": ("units that changed place (%)", 100),
    "doubly stochastic": ("error of row and column sums", 1),
}


def draw(results: Results, metric: str) -> dict[str, Figure]:
    """A row of panels per series, a panel per value of the first axis; lines are methods."""
    del metric
    aligned = measured(results, "alignment")
    if aligned is None:
        return {}
    aligned.rows = aligned.rows[aligned.rows.subject == "epochs"]
    if aligned.rows.empty:
        return {}
    styles = present(method_styles(aligned.rows[METHOD].unique()), aligned.rows)
    panels = aligned.panels()
    series = [name for name in SERIES if (aligned.rows.metric == name).any()]
    tables = [
        [aligned.summary(p.rows[p.rows.metric == name], along="at") for p in panels]
        for name in series
    ]
    title = f"{aligned.name}: the course of the last alignment"
    lines = [
        *aligned.notes.lines(),
        "means over robots; epoch 0 is the start; distances relative to the reference",
    ]
    figure, rows = page(len(panels), len(series), title, lines, list(styles.values()))
    for row, name, of_series in zip(rows, series, tables, strict=True):
        label, scale = SERIES[name]
        axes = row_of_panels(row, len(panels), share_x=True)
        for each, panel, table in zip(axes, panels, of_series, strict=True):
            values = table.rename(columns={"at": "epoch"})
            values[["mean", "low", "high"]] *= scale
            draw_curves(each, values, styles)
            if row is rows[0]:
                panel_title(each, panel.title)
        axes[0].set_ylabel(label)
        axes[0].yaxis.set_major_locator(MaxNLocator(6))
        axes[0].set_xlabel("epochs (of weight matching: sweeps)", loc="left")
    return {f"{aligned.name}-alignment": figure}
