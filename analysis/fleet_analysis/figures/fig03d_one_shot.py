"""One-shot merging against heterogeneity (the paper's Fig. 3 d)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from fleet_analysis.figures.accuracy import axis_figure
from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results
from fleet_analysis.schema import ALPHA, EVERY_EPOCHS, ONE_SHOT
from fleet_analysis.view import View


def draw(results: Results, metric: str, split: str) -> dict[str, Figure]:
    """The final value against Dirichlet's alpha, of cells that merged once, at the end."""
    view = View(results, metric, split).where(merged_once, "merged once")
    if ALPHA not in view.axes:
        raise ResultsError(f"{results.name}: {ALPHA} was not swept over cells that merged once")
    title = f"{view.name}: one-shot merging against heterogeneity"
    return {f"{results.name}-one-shot": axis_figure(view, ALPHA, title)}


def merged_once(rows: pd.DataFrame) -> pd.Series:
    """Which rows are of cells with a single merge, by their frequency or by their length."""
    return (rows[EVERY_EPOCHS] == ONE_SHOT) | (rows["rounds"] == 1)
