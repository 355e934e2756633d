"""Robots that learn online (the paper's Fig. 11): the merged policy beside the mean of the robots'
own, judged just before they merge, a panel per frequency of merging."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from fleet_analysis.figures.page import page, panel_title, row_of_panels
from fleet_analysis.figures.panels import draw_curves, value_axis
from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results
from fleet_analysis.schema import EVERY_EPOCHS, METHOD, REFERENCES, SEED
from fleet_analysis.stats import mean_of_all
from fleet_analysis.style import MethodStyle
from fleet_analysis.view import View


def draw(results: Results, metric: str, split: str) -> dict[str, Figure]:
    """Along training. Raises ResultsError where no robots were judged beside the merged policy."""
    view = View(results, metric, split)
    key = EVERY_EPOCHS if EVERY_EPOCHS in view.axes else None
    rows = pd.concat([view.curves.astype({METHOD: str}), _robots(view, results)])
    notes = view.notes()
    panels = view.panels(rows, key, notes)
    keys = [key] if key else []
    tables = [view.summary(panel.rows, keys, notes, along="epoch") for panel in panels]
    styles = _styles(view)
    title = f"{view.name}: {split} {metric} of robots that learn online"
    figure, (row,) = page(len(panels), 1, title, notes.lines(), list(styles.values()))
    axes = row_of_panels(row, len(panels), share_x=True)
    for each, panel, table in zip(axes, panels, tables, strict=True):
        draw_curves(each, table, styles)
        panel_title(each, panel.title)
    value_axis(axes[0], metric, split)
    axes[0].set_xlabel("local epochs", loc="left")
    return {f"{view.name}-online": figure}


def _of_robots(method: str) -> str:
    return f"{method}: its robots, before they merge"


def _robots(view: View, results: Results) -> pd.DataFrame:
    """Rows like the view's curves, of the mean over the robots of every cell that merges."""
    rows = results.metrics
    rows = rows[(rows.robot >= 0) & (rows.metric == view.metric) & (rows.split == view.split)]
    means = mean_of_all(rows, ["cell", "epoch"]).dropna().reset_index()
    keys = dict.fromkeys([METHOD, SEED, EVERY_EPOCHS, *view.axes])
    means = means.merge(results.done[["cell", *keys]], on="cell").astype({METHOD: str})
    means = means[~means[METHOD].isin(list(REFERENCES))]
    if means.empty:
        raise ResultsError(
            f"{results.name}: robots' own {view.metric} was not measured; "
            'run with evaluate.local = "every"'
        )
    return means.assign(**{METHOD: means[METHOD].map(_of_robots)})


def _styles(view: View) -> dict[str, MethodStyle]:
    """The robots of a method have its colour."""
    styles = dict(view.styles)
    for name, style in view.styles.items():
        if not style.reference:
            label = f"{style.label}: its robots, before they merge"
            styles[_of_robots(name)] = replace(style, label=label, marker="", linestyle="--")
    return styles
