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
from fleet_analysis.stats import is_option, mean_of_all, spread_references
from fleet_analysis.style import INK, KNOWN, MUTED, setting_label, value_labels
from fleet_analysis.tasks import on_own_tasks, task_values
from fleet_analysis.view import MAX_PANELS, Notes, evenly, require_finished, values_of

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
    """Bars from the optimum to the median over seeds, with a line from the least to the largest; a
    panel for each sweep, and for each value of the first axis that it swept. Raises ResultsError
    where a sweep has no linear policies."""
    remarks: list[str] = []
    panels = [panel for results in sweeps for panel in _panels(results, remarks)]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    count = max(len(table) for _, table in panels)
    size = (WIDTH * columns, (FRAME + BAR_HEIGHT * count) * rows)
    figure = Figure(figsize=size, layout="constrained")
    places = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for axes, (title, table) in zip(places, panels, strict=False):
        _bars(axes, table)
        axes.set_title(fitted(title, WIDTH - 0.6, 8), loc="left")
        axes.set_xlabel("expected cost / optimal cost", loc="left")
    for axes in places[len(panels) :]:
        axes.remove()
    note = "bar and number: median over trials; line: from the least to the largest"
    lines = [fitted(line, size[0] - 0.2, 7) for line in [note, *remarks]]
    figure.supxlabel("\n".join(lines), size=7, color=MUTED, x=0.99, ha="right")
    names = [results.name for results in sweeps]
    shown = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2}-more"]
    return {f"{'+'.join(shown)}-linear": figure}


def _panels(results: Results, remarks: list[str]) -> list[tuple[str, pd.DataFrame]]:
    """The title and the bars of each; what they leave out is added to the remarks."""
    require_finished(results)
    name = _title(results.name)
    axes = [key for key in results.swept if not is_option(key)]
    cells = spread_references(results.done.astype({METHOD: str}), axes)
    key = next(iter(axes), None)
    notes = Notes(failed=len(results.failed), alike=results.alike, differing=results.differing)
    notes.averaged.update(dict.fromkeys(each for each in results.swept if each != key))
    left_out = sorted({*cells[METHOD]} - {*MERGED.values(), "local"})
    notes.last += [f"{', '.join(left_out)} not shown"] if left_out else []
    values = [] if key is None else evenly(values_of(cells, key), MAX_PANELS)
    if key is not None and len(values) < cells[key].nunique():
        notes.last.append(f"{len(values)} of {cells[key].nunique()} values shown")
    if key is not None:
        notes.note_unplaced(cells, [key])
    labels = value_labels(key, values) if key is not None else {}
    parts = [(setting_label(str(key), v, labels[v]), cells[cells[key] == v]) for v in values]
    said = [*notes.scope(), *notes.remarks()]
    remarks += [f"{name}: {'; '.join(said)}"] if said else []
    return [
        (f"{name}{', ' if value else ''}{value} ({_trials(part)})", bars_of(results, part))
        for value, part in parts or [("", cells)]
    ]


def _trials(cells: pd.DataFrame) -> str:
    count = cells[SEED].nunique()
    return f"{count} trial{'s' if count > 1 else ''}"


def bars_of(results: Results, cells: pd.DataFrame | None = None) -> pd.DataFrame:
    """Per bar `median`, `low` and `high` over seeds, in the order of BARS; of some of the finished
    cells only, if these are given."""
    known = results.metrics
    if METRIC not in set(known.metric):
        raise ResultsError(f"{results.name}: no {METRIC} in these results; not linear policies")
    settings = (results.done if cells is None else cells)[["cell", METHOD, SEED]]
    rows = known[known["round"] == known.groupby("cell")["round"].transform("max")]
    rows = rows.merge(settings, on="cell")
    merged = rows[(rows.robot < 0) & (rows.metric == METRIC)]
    values = {
        label: merged[merged[METHOD] == method].groupby(SEED).value.mean()
        for label, method in MERGED.items()
    }
    values["zero policy"] = rows[rows.metric == ZERO].groupby(SEED).value.mean()
    robots = rows[rows.robot >= 0]
    everywhere = mean_of_all(robots[robots.metric == METRIC], [SEED])
    own = on_own_tasks(task_values(results, METRIC), results.shards).merge(settings, on="cell")
    values["task-specific"] = everywhere if own.empty else _means_by_seed(own)
    if not own.empty:
        values["single-task"] = everywhere
    statistics = {
        label: (values[label].median(), values[label].min(), values[label].max())
        for label in BARS
        if label in values and not values[label].empty
    }
    return pd.DataFrame.from_dict(statistics, orient="index", columns=["median", "low", "high"])


def _means_by_seed(own: pd.DataFrame) -> pd.Series:
    """Per seed, the mean over robots of the ratio on the tasks that they were trained on."""
    weighted = own.assign(value=own.value * own.samples).groupby(SEED)
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
