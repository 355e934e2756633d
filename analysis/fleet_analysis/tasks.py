"""Metrics of single tasks: success_TASK of manipulation, METRIC.NUMBER of linear control."""

from __future__ import annotations

import pandas as pd

from fleet_analysis.load import Results

#: What stands where a task's name would, but sums up over tasks.
SUMMARIES = ("success_task_p10", "success_unseen")


def task_values(results: Results, metric: str, split: str = "test") -> pd.DataFrame:
    """The values of single tasks at the last round of every finished cell: the columns of /metrics,
    with `task`, its name, and `label`, its number, by which /shards know it; in the order of the
    labels."""
    known = results.metrics
    names = [name for name in known.metric.unique() if _is_task(str(name), metric)]
    rows = known[known.metric.isin(names) & (known.split == split)]
    rows = rows[rows.cell.isin(results.done.cell)]
    rows = rows[rows["round"] == rows.groupby("cell")["round"].transform("max")]
    tasks = {name: str(name)[len(metric) + 1 :] for name in names}
    metrics = rows.metric.astype(str)
    labels = {
        name: int(task) if task.isdigit() else place
        for place, (name, task) in enumerate(tasks.items())
    }
    return rows.assign(task=metrics.map(tasks), label=metrics.map(labels))


def on_own_tasks(values: pd.DataFrame, shards: pd.DataFrame) -> pd.DataFrame:
    """Of `task_values` those of robots that hold samples of the task, with their number,
    `samples`."""
    robots = values[values.robot >= 0]
    return robots.merge(shards[shards.samples > 0], on=["cell", "robot", "label"])


def _is_task(name: str, metric: str) -> bool:
    mark = "_" if metric == "success" else "."
    return name.startswith(metric + mark) and name not in SUMMARIES
