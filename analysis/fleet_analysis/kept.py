"""What robots keep of their own when they are merged: a metric after the merge as a share of what
each robot's own policy had before it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fleet_analysis.figures.measured import measured
from fleet_analysis.files import ResultsError
from fleet_analysis.layout import Table, with_spread
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, SEED
from fleet_analysis.style import value_labels
from fleet_analysis.view import values_of


def kept_table(results: Results, metric: str) -> Table:
    """Per cent of the own policy's value, mean ± std over seeds: a row per setting, robot and step
    after the merge, a column per method. Raises ResultsError where robots were not tested."""
    alone = measured(results, "personal")
    if alone is None:
        raise ResultsError(
            f"{results.name}: no robots were measured after the merge; "
            "run with instruments.personal_steps"
        )
    rows = alone.rows[(alone.rows.metric == metric) & (alone.rows.subject == "robot")]
    own = own_values(results, metric)
    rows = rows.merge(own, on=["cell", "robot"])
    if rows.empty:
        raise ResultsError(
            f"{results.name}: robots' own {metric} was not tested; "
            'run with evaluate.local = "last"'
        )
    robots = rows.drop_duplicates(["cell", "robot"])
    lost = int((robots.own <= 0).sum())
    rows = rows[rows.own > 0]
    if rows.empty:
        raise ResultsError(
            f"{results.name}: no robot's own {metric} is above 0, and no share of that tells what "
            "it kept; choose another --metric"
        )
    rows = rows.assign(share=100 * rows.value / rows.own)
    axes = [key for key in alone.axes if key != SEED and rows[key].nunique() > 1]
    methods = list(dict.fromkeys(rows[METHOD]))
    axes = [key for key in axes if key != METHOD]
    keys = [*axes, "robot", "at"]
    lines = []
    for setting, group in rows.groupby(keys, sort=False, observed=True, dropna=False):
        line = [group[group[METHOD] == method].groupby(SEED).share.mean() for method in methods]
        lines.append((setting, line, group.groupby(SEED).own.mean()))
    labels = [value_labels(key, values_of(rows, key)) for key in axes]
    body = [
        [
            *(known[v] for known, v in zip(labels, setting[:-2], strict=True)),
            str(setting[-2]),
            f"{setting[-1]:g}",
            with_spread(own.mean(), _std(own), share=False),
            *(
                "" if part.empty else with_spread(part.mean(), _std(part), share=False)
                for part in line
            ),
        ]
        for setting, line, own in lines
    ]
    seeds = sorted({len(part) for _, line, _ in lines for part in line if not part.empty})
    counted = f"n = {seeds[0]}" if len(seeds) == 1 else f"n = {seeds[0]} to {seeds[-1]}"
    caption = (
        f"{alone.name}; test {metric} of every robot as a share (%) of its own before the merge, "
        f"by steps taken after it, mean ± std over seeds, {counted}"
        + (f"; {lost} of {len(robots)} robots left out, whose own is not above 0" if lost else "")
    )
    return Table(
        caption, [*axes, "robot", "step", "own", *methods], body, len(keys) + 1, frozenset()
    )


def _std(values: pd.Series) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else np.nan


def own_values(results: Results, metric: str) -> pd.DataFrame:
    """Of every cell and robot, the last test of its own policy."""
    rows = results.metrics
    rows = rows[(rows.robot >= 0) & (rows.split == "test") & (rows.metric == metric)]
    last = rows[rows["round"] == rows.groupby("cell")["round"].transform("max")]
    return last[["cell", "robot", "value"]].rename(columns={"value": "own"})
