"""The value against the bytes that a robot has sent and received so far, with the frontier: what no
fewer bytes do better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from fleet_analysis.figures.page import page, panel_title, row_of_panels
from fleet_analysis.figures.panels import value_axis
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, REFERENCES, SEED, higher_is_better
from fleet_analysis.stats import bootstrap, mean_of
from fleet_analysis.style import MUTED, MethodStyle, line_look
from fleet_analysis.view import View, first_of

MEGABYTE = 1e6


def draw(results: Results, metric: str, split: str) -> dict[str, Figure]:
    """A panel per value of the first axis; of every method and setting a line along its rounds."""
    if results.traffic.empty:
        return {}
    view = View(results, metric, split)
    rows = view.curves.merge(megabytes(results), on=["cell", "round"], how="left")
    if not (rows.megabytes > 0).any():
        return {}
    notes = view.notes()
    key = first_of(view.axes, "workload")
    panels = view.panels(rows, key, notes)
    others = [axis for axis in view.axes if axis != key]
    tables = [summary(panel.rows, others) for panel in panels]
    for table in tables:
        notes.seeds.update(table[~table[METHOD].isin(list(REFERENCES))]["n"])
    notes.spread = "stroke"
    lines = [*notes.lines(), "a point per tested round; steps: no fewer bytes do better"]
    title = f"{view.name}: {split} {metric} against bytes"
    figure, (row,) = page(len(panels), 1, title, lines, list(view.styles.values()))
    for axes, panel, table in zip(
        row_of_panels(row, len(panels), True), panels, tables, strict=True
    ):
        _panel(axes, table, others, view.styles, higher_is_better(metric))
        panel_title(axes, panel.title)
    value_axis(figure.axes[0], metric, split)
    figure.axes[0].set_xlabel("MB sent and received by a robot, so far", loc="left")
    return {f"{view.name}-bytes": figure}


def megabytes(results: Results) -> pd.DataFrame:
    """What a robot, on average, has sent and received up to the end of each round: cell, round,
    megabytes."""
    traffic = results.traffic
    rounds = (traffic.sent + traffic.received).groupby([traffic.cell, traffic["round"]]).sum()
    summed = rounds.groupby("cell").cumsum().rename("megabytes").reset_index()
    robots = results.cells.set_index("cell")["fleet.robots"]
    summed["megabytes"] /= MEGABYTE * summed.cell.map(robots)
    return summed


def summary(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Means over seeds per method, setting and round, with the interval of the value."""
    found = []
    by = [METHOD, *keys, "round"]
    for group, own in rows.dropna(subset="value").groupby(by, observed=True, dropna=False):
        seeds = own.groupby(SEED)[["value", "megabytes"]].mean()
        values = seeds.value.to_numpy()
        low, high = bootstrap(values)
        found.append((*group, seeds.megabytes.mean(), mean_of(values), low, high, len(values)))
    return pd.DataFrame(found, columns=[*by, "megabytes", "mean", "low", "high", "n"])


def frontier(points: pd.DataFrame, rising: bool) -> pd.DataFrame:
    """The points that no point of as few bytes or fewer beats, in the order of their bytes."""
    sign = -1.0 if rising else 1.0
    ordered = points.assign(worse=sign * points["mean"]).sort_values(["megabytes", "worse"])
    best = ordered.worse.cummin().shift(fill_value=np.inf)
    return ordered[ordered.worse < best].drop(columns="worse")


def _panel(
    axes: Axes,
    table: pd.DataFrame,
    keys: list[str],
    styles: Mapping[str, MethodStyle],
    rising: bool,
) -> None:
    reference = table[METHOD].isin(list(REFERENCES))
    for method, own in table[reference].groupby(METHOD, observed=True):
        last = own[own["round"] == own["round"].max()]
        axes.axhline(last["mean"].mean(), **line_look(styles[str(method)]))
    points = table[~reference]
    best = frontier(points, rising)
    axes.step(best.megabytes, best["mean"], where="post", color=MUTED, linewidth=3.0, alpha=0.35)
    for group, own in points.groupby([METHOD, *keys], observed=True, dropna=False):
        look = line_look(styles[str(group[0])])
        own = own.sort_values("round")
        axes.vlines(own.megabytes, own.low, own.high, color=look["color"], alpha=0.4, linewidth=2.2)
        axes.plot(own.megabytes, own["mean"], **{**look, "linewidth": 0.8})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))  # also within one decade
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
