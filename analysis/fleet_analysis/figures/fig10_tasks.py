"""Many tasks side by side (the paper's Fig. 10): joint, task-specific and merged policies, a row
per task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fleet_analysis.figures.page import page
from fleet_analysis.figures.panels import value_axis_below
from fleet_analysis.figures.words import all_fitted
from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, SEED, higher_is_better
from fleet_analysis.stats import differs, spread_references, summarise
from fleet_analysis.style import GRID, MUTED, MethodStyle, line_look, method_styles
from fleet_analysis.tasks import on_own_tasks, task_values
from fleet_analysis.view import Notes

OWN = "task-specific"
#: Of robots that trained apart, each judged on the tasks whose data it held.
OWN_STYLE = MethodStyle("task-specific (each on its own)", "#8c8c8c", "|", "none", reference=True)
ALL = "mean over tasks"
SMALL = 5.5  # points of a task's name
FEW = 25  # tasks that have room
SPREAD = 0.5  # of a row, over which its methods lie
LABEL = 1.6  # inches at most of a task's name
SEPARATION = 1.4  # rows between the mean and the tasks


def draw(results: Results, metric: str, split: str) -> dict[str, Figure]:
    """The final value of every task by method, tasks in the order of pooled training's (or, without
    it, the first method's). Raises ResultsError where the results know no single tasks."""
    table, notes = _summary(results, metric, split)
    order = _order(table, metric)
    styles = _styles(table[METHOD].unique())
    title = f"{results.name}: {split} {metric} of {len(order)} tasks"
    inches = 0.2 if len(order) <= FEW else 0.125  # of a task
    height = inches * (len(order) + SEPARATION + 3)
    figure, (row,) = page(1, 1, title, notes.lines(), list(styles.values()), row_height=height)
    axes = row.subplots()
    places = {ALL: 0.0} | {task: i + SEPARATION for i, task in enumerate(order)}
    _rows(axes, table, places, styles)
    value_axis_below(axes, metric, split)
    return {f"{results.name}-tasks": figure}


def has_tasks(results: Results, metric: str) -> bool:
    """Whether there are at least two tasks to set beside each other."""
    return task_values(results, metric).task.nunique() > 1


def _styles(methods: Iterable[str]) -> dict[str, MethodStyle]:
    """References are strokes here, for there are no lines."""
    known = method_styles(name for name in methods if name != OWN)
    styles = {
        name: replace(style, marker="|", linestyle="none") if style.reference else style
        for name, style in known.items()
    }
    return styles | ({OWN: OWN_STYLE} if OWN in methods else {})


def _summary(results: Results, metric: str, split: str) -> tuple[pd.DataFrame, Notes]:
    """Mean and band over seeds per method and task, and over all tasks."""
    values = task_values(results, metric, split)
    if values.task.nunique() < 2:
        raise ResultsError(f"{results.name}: {metric} was not measured on single tasks")
    settings = results.done[["cell", METHOD, SEED, "workload", *_swept(results)]]
    merged = values[values.robot < 0].merge(settings, on="cell").astype({METHOD: str})
    own = on_own_tasks(values, results.shards).merge(settings, on="cell")
    own = own[own[METHOD] == "local"].astype({METHOD: str}).assign(**{METHOD: OWN})
    lacking = own.cell.isin(own.cell[own.value.isna()])  # of which the other robots would flatter
    rows = pd.concat([merged, own[~lacking]], ignore_index=True)
    rows = spread_references(rows, _swept(results))
    workload = str(rows.workload.iloc[0])
    notes = Notes(workload=workload, failed=len(results.failed), spread="bar over the mean")
    notes.differing = results.differing
    notes.without_value = own.cell[lacking].nunique()
    averaged = [key for key in _swept(results) if differs(rows, key)]
    by_task = summarise(rows, [METHOD, "task"], averaged)
    overall = summarise(rows, [METHOD], averaged)
    notes.seeds.update(by_task.table["n"])
    notes.averaged.update(dict.fromkeys(averaged))
    notes.note_summary(by_task)
    notes.note_summary(overall)
    return pd.concat([overall.table.assign(task=ALL), by_task.table], ignore_index=True), notes


def _swept(results: Results) -> list[str]:
    return [key for key in results.swept if key != "workload"]


def _order(table: pd.DataFrame, metric: str) -> list[str]:
    """The tasks, the best first."""
    methods = table[METHOD].unique()
    by = "joint" if "joint" in methods else methods[0]
    means = table[table.task != ALL].pivot_table(index="task", columns=METHOD, values="mean")
    key = means[by].fillna(means.mean(axis=1))
    return [str(task) for task in key.sort_values(ascending=not higher_is_better(metric)).index]


def _rows(
    axes: Axes, table: pd.DataFrame, places: dict[str, float], styles: dict[str, MethodStyle]
) -> None:
    for number, (name, style) in enumerate(styles.items()):
        own = table[table[METHOD] == name]
        offset = SPREAD * (number / (len(styles) - 1) - 0.5) if len(styles) > 1 else 0.0
        y = own.task.map(places) + offset
        size = 5.0 if style.marker == "|" else 3.4
        axes.plot(own["mean"], y, **{**line_look(style), "linestyle": "none", "markersize": size})
        overall = own[own.task == ALL]
        axes.hlines(y[overall.index], overall.low, overall.high, color=style.colour, linewidth=1.2)
    names = all_fitted([task.replace("_", " ") for task in places], LABEL, SMALL)
    axes.set_yticks(list(places.values()), names)
    axes.tick_params(axis="y", labelsize=SMALL)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.axhline(SEPARATION / 2 + 0.2, color=MUTED, linewidth=0.6)
    axes.set_ylim(max(places.values()) + 0.7, -0.7)
    axes.grid(visible=True, axis="both", color=GRID, linewidth=0.5)
