"""Linear policies (the paper's Fig. 13): what merged policies cost beside the optimum, a panel per
experiment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fleet_analysis.figures.panels import ratio_ticks
from fleet_analysis.figures.words import fitted
from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, SEED
from fleet_analysis.stats import mean_of_all
from fleet_analysis.style import INK, KNOWN, MUTED
from fleet_analysis.tasks import on_own_tasks, task_values

METRIC = "cost_ratio"  # expected cost over that of the optimal policy, mean over the tasks
ZERO = "zero_ratio"  # of the policy that does nothing

#: A bar's label, and the method whose colour it has; from the top.
BARS: dict[str, str] = {
    "task-specific": "local",
    "single-task": "local",
    "pooled data": "joint",
    "average": "average",
    "permutation": "git-rebasin",
    "GL(n)": "gl",
    "zero policy": "local",
}
MERGED = {
    "pooled data": "joint",
    "average": "average",
    "permutation": "git-rebasin",
    "GL(n)": "gl",
}

WIDTH, BAR_HEIGHT, FRAME = 3.5, 0.19, 0.75  # inches: of a panel, of a bar, around the bars


def draw(sweeps: Sequence[Results]) -> dict[str, Figure]:
    """Bars from the optimum to the median over seeds, with a line from the least to the largest.
    Raises ResultsError where a sweep has no linear policies."""
    tables = [bars_of(results) for results in sweeps]
    columns = min(2, len(sweeps))
    rows = -(-len(sweeps) // columns)
    count = max(len(table) for table in tables)
    size = (WIDTH * columns, (FRAME + BAR_HEIGHT * count) * rows)
    figure = Figure(figsize=size, layout="constrained")
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes, results, table in zip(panels, sweeps, tables, strict=False):
        _bars(axes, table)
        seeds = results.done[SEED].nunique()
        title = fitted(_title(results.name), WIDTH - 1.2, 8)
        axes.set_title(f"{title} ({seeds} trials)", loc="left")
        axes.set_xlabel("expected cost / optimal cost", loc="left")
    for axes in panels[len(sweeps) :]:
        axes.remove()
    note = "bar and number: median over trials; line: from the least to the largest"
    figure.supxlabel(note, size=7, color=MUTED, x=0.99, ha="right")
    return {f"{'+'.join(results.name for results in sweeps[:3])}-linear": figure}


def bars_of(results: Results) -> pd.DataFrame:
    """Per bar `median`, `low` and `high` over seeds, in the order of BARS."""
    known = results.metrics
    if METRIC not in set(known.metric):
        raise ResultsError(f"{results.name}: no {METRIC} in these results; not linear policies")
    rows = known[known["round"] == known.groupby("cell")["round"].transform("max")]
    rows = rows.merge(results.done[["cell", METHOD, SEED]], on="cell")
    merged = rows[(rows.robot < 0) & (rows.metric == METRIC)]
    values = {
        label: merged[merged[METHOD] == method].groupby(SEED).value.mean()
        for label, method in MERGED.items()
    }
    values["zero policy"] = rows[rows.metric == ZERO].groupby(SEED).value.mean()
    robots = rows[rows.robot >= 0]
    everywhere = mean_of_all(robots[robots.metric == METRIC], [SEED])
    own = on_own_tasks(task_values(results, METRIC), results.shards)
    values["task-specific"] = everywhere if own.empty else _means_by_seed(own, results)
    if not own.empty:
        values["single-task"] = everywhere
    statistics = {
        label: (values[label].median(), values[label].min(), values[label].max())
        for label in BARS
        if label in values and not values[label].empty
    }
    return pd.DataFrame.from_dict(statistics, orient="index", columns=["median", "low", "high"])


def _means_by_seed(own: pd.DataFrame, results: Results) -> pd.Series:
    """Per seed, the mean over robots of the ratio on the tasks that they were trained on."""
    seeds = own.merge(results.done[["cell", SEED]], on="cell")
    weighted = seeds.assign(value=seeds.value * seeds.samples).groupby(SEED)
    means = weighted.value.sum() / weighted.samples.sum()
    return means.where(weighted.value.count() == weighted.size())


def _bars(axes: Axes, table: pd.DataFrame) -> None:
    places = -np.arange(len(table), dtype=float)
    top = float(table.high[np.isfinite(table.high)].max())
    low, end = 1.0, max(1.1, top) ** 1.35  # room for the numbers
    axes.set_xscale("log")
    axes.set_xlim(low, end)
    for place, (label, row) in zip(places, table.iterrows(), strict=True):
        colour = KNOWN[BARS[str(label)]].colour
        axes.barh(place, max(min(row["median"], end), low) - low, 0.66, left=low, color=colour)
        reach = np.clip([row.low, row.high], low, end)
        axes.plot(reach, [place, place], color=INK, linewidth=0.9)
        axes.annotate(
            _number(row["median"]),
            (1.0, place),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            ha="right",
            size=7,
            color=INK,
        )
    axes.set_yticks(places, [str(label) for label in table.index])
    axes.grid(visible=False)
    axes.axvline(1.0, color=MUTED, linewidth=1.2)
    ratio_ticks(axes.xaxis, end)


def _title(name: str) -> str:
    words = name.split("_")
    return " ".join(word.upper() if word in ("lqg", "lqr") else word for word in words)


def _number(ratio: float) -> str:
    if not np.isfinite(ratio):
        return "unstable"
    return f"{ratio:.3f}" if ratio < 100.0 else f"{ratio:.2g}"
