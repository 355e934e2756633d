"""Finetuning from a merged start (the paper's Fig. 3 c): a test metric by gradient steps on data
that no robot trained on."""

from __future__ import annotations

from matplotlib.figure import Figure

from fleet_analysis.figures.measured import measured
from fleet_analysis.figures.page import page, panel_title, row_of_panels
from fleet_analysis.figures.panels import draw_curves, value_axis
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD
from fleet_analysis.style import MethodStyle, method_styles

SCRATCH = "from scratch"
SCRATCH_STYLE = MethodStyle("from scratch", "#8c8c8c", "", (0, (1, 1.6)), reference=True)


def draw(results: Results, metric: str) -> dict[str, Figure]:
    """The curves of all methods, a panel per value of the first axis."""
    tuned = measured(results, "finetune")
    if tuned is None:
        return {}
    rows = tuned.rows[(tuned.rows.metric == metric) & (tuned.rows.split == "test")]
    if rows.empty:
        return {}
    fresh = rows.subject == SCRATCH  # the same whatever the method was
    tuned.rows = rows.assign(**{METHOD: rows[METHOD].where(~fresh, SCRATCH)})
    names = [name for name in tuned.rows[METHOD].unique() if name != SCRATCH]
    styles = {**method_styles(names), SCRATCH: SCRATCH_STYLE}
    panels = tuned.panels()
    tables = [
        tuned.summary(panel.rows.drop_duplicates([METHOD, *tuned.axes, "seed", "at"]), along="at")
        for panel in panels
    ]
    title = f"{tuned.name}: test {metric} while a merged policy is finetuned"
    figure, (row,) = page(len(panels), 1, title, tuned.notes.lines(), list(styles.values()))
    axes = row_of_panels(row, len(panels), share_x=True)
    for each, panel, table in zip(axes, panels, tables, strict=True):
        draw_curves(each, table.rename(columns={"at": "epoch"}), styles)
        panel_title(each, panel.title)
    axes[0].set_xlabel("gradient steps on held-out data", loc="left")
    value_axis(axes[0], metric, "test")
    return {f"{tuned.name}-finetune": figure}
