"""How much the norms of weights vary between models (the paper's Fig. 8), tensor by tensor."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fleet_analysis.figures.measured import measured
from fleet_analysis.figures.page import page, panel_title, row_of_panels
from fleet_analysis.figures.words import all_fitted
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, SEED
from fleet_analysis.stats import differs
from fleet_analysis.style import TICK_SIZE, axis_name

COLOUR = "#0072B2"
LABEL = 1.2  # inches at most of a tensor's name


def draw(results: Results, metric: str) -> dict[str, Figure]:
    """| |W_i| - |W_first| | / |W_first| in percent; a point per robot, the line at their mean."""
    del metric
    norms = measured(results, "norms")
    if norms is None:
        return {}
    rows = norms.rows[norms.rows.metric == "variation"].dropna(subset="value")
    first = rows.groupby("cell").robot.transform("min")  # which is compared with itself
    rows = rows[rows.robot > first]
    if rows.empty:
        return {}
    # Robots that had trained alike whatever the merging method was are counted once.
    keys = [*(key for key in norms.axes if key != METHOD), SEED, "robot", "subject"]
    norms.rows = rows.drop_duplicates([*keys, "value"])
    tensors = [str(name) for name in norms.rows.subject.unique()]
    labels = all_fitted(tensors, LABEL, TICK_SIZE)
    panels = norms.panels()
    title = f"{norms.name}: variation of weight norms between robots"
    pooled = [key for key in norms.axes if any(differs(panel.rows, key) for panel in panels)]
    if pooled:
        norms.notes.shown.append(f"all values of {', '.join(map(axis_name, pooled))}")
    said = "|norm − norm of the first robot's| / the latter; a point per robot and seed"
    notes = [norms.notes.workload, said, *norms.notes.scope(), *norms.notes.remarks()]
    figure, (row,) = page(len(panels), 1, title, [note for note in notes if note], [])
    axes = row_of_panels(row, len(panels), share_x=True)
    for each, panel in zip(axes, panels, strict=True):
        for place, tensor in enumerate(tensors):
            values = 100 * panel.rows[panel.rows.subject == tensor].value.to_numpy()
            if not len(values):
                continue
            spread = np.linspace(-0.25, 0.25, len(values)) if len(values) > 1 else np.zeros(1)
            each.plot(
                place + spread, values, "o", color=COLOUR, alpha=0.5, markersize=3,
                markeredgewidth=0,
            )  # fmt: skip
            each.hlines(values.mean(), place - 0.34, place + 0.34, color=COLOUR, linewidth=1.6)
        panel_title(each, panel.title)
        each.set_xticks(
            range(len(tensors)), labels, rotation=60, ha="right", rotation_mode="anchor"
        )
    axes[0].yaxis.set_major_locator(MaxNLocator(6))
    axes[0].set_ylabel("variation of the norm (%)")
    axes[0].set_ylim(bottom=0)
    return {f"{norms.name}-norms": figure}
