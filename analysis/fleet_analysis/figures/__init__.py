"""Figures; one module per kind, those of the paper named after it (`paper.py` lists them). Each has
a `draw` that gives figures by file name."""

from __future__ import annotations

from matplotlib.figure import Figure

from fleet_analysis.figures import (
    accuracy,
    alignment,
    fig03ab_interpolation,
    fig03c_finetuning,
    fig03d_one_shot,
    fig08_norms,
    fig10_tasks,
    fig12_ablations,
    fig13_linear,
    personal,
    traffic,
)
from fleet_analysis.figures.look import our_look
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, REFERENCES
from fleet_analysis.stats import is_option
from fleet_analysis.view import View


def every_figure(results: Results, metric: str, split: str) -> dict[str, Figure]:
    """All that the results can feed, by the name of its file; the overview first. Saved models that
    were only measured have no curves of learning."""
    with our_look():
        return _every_figure(results, metric, split)


def _every_figure(results: Results, metric: str, split: str) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if len(results.metrics) or results.instruments.empty:
        figures |= accuracy.draw(View(results, metric, split))
        if any(is_option(key) for key in results.swept) and _merged_once(results):
            figures |= fig12_ablations.draw(results, metric, split)
        if fig10_tasks.has_tasks(results, metric):
            figures |= fig10_tasks.draw(results, metric, split)
        figures |= traffic.draw(results, metric, split)
        if metric == fig13_linear.METRIC:
            figures |= fig13_linear.draw([results])
    for instrument in (fig03ab_interpolation, fig03c_finetuning, personal, fig08_norms, alignment):
        figures |= instrument.draw(results, metric)
    return figures


def _merged_once(results: Results) -> bool:
    """Whether a method that merges did so a single time somewhere."""
    merged = results.done[~results.done[METHOD].isin(list(REFERENCES))]
    return bool(fig03d_one_shot.merged_once(merged).any())
