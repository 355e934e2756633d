"""Figures; one module per kind. Each has a `draw` that gives figures by file name."""

from __future__ import annotations

from matplotlib.figure import Figure

from fleet_analysis.figures import accuracy, alignment, finetune, interpolation, norms
from fleet_analysis.load import Results
from fleet_analysis.view import View


def every_figure(results: Results, metric: str, split: str) -> dict[str, Figure]:
    """All that the results can feed, by the name of its file; the overview first. Saved models that
    were only measured have no curves of learning."""
    figures: dict[str, Figure] = {}
    if len(results.metrics) or results.instruments.empty:
        figures |= accuracy.draw(View(results, metric, split))
    for instrument in (interpolation, finetune, norms, alignment):
        figures |= instrument.draw(results, metric)
    return figures
