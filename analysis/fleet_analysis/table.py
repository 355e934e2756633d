"""The final values of a sweep as a table: settings down, methods across."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from fleet_analysis.files import ResultsError
from fleet_analysis.layout import Table, with_spread
from fleet_analysis.load import Results
from fleet_analysis.schema import METHOD, REFERENCES, SEED, higher_is_better, is_share
from fleet_analysis.style import value_labels
from fleet_analysis.view import View, values_of


def final_table(
    results: Results,
    by: Sequence[str] | None = None,
    metric: str = "accuracy",
    split: str = "test",
) -> Table:
    """Mean ± standard deviation over seeds, and n, per method and the settings `by` (default: all
    that were swept), averaged over the other settings as the figures do; the best of each row is
    strong, references aside. Raises ResultsError."""
    view = View(results, metric, split)
    keys = view.axes if by is None else [key for key in dict.fromkeys(by) if key != METHOD]
    for key in keys:
        if key not in results.cells or key == SEED:
            swept = ", ".join(view.axes) or "nothing"
            raise ResultsError(f"no setting {key} to group by; swept in {view.name}: {swept}")
    notes = view.notes()
    summary = view.summary(view.final, keys, notes)
    counts = sorted(set(summary["n"]))
    share = is_share(metric)
    entries: dict[tuple[Any, ...], str] = {}
    means: dict[tuple[Any, ...], float] = {}
    for row in summary.itertuples(index=False, name=None):
        setting, (mean, std, _, _, n) = row[: len(keys) + 1], row[len(keys) + 1 :]
        entries[setting] = with_spread(mean, std, share) + (f" ({n})" if len(counts) > 1 else "")
        means[setting] = mean
    methods = list(view.styles)
    settings = [
        setting
        for setting in product(*(values_of(view.final, key) for key in keys))
        if any((method, *setting) in entries for method in methods)
    ]
    labels = [value_labels(key, values_of(view.final, key)) for key in keys]
    rows = [
        [
            *(known[v] for known, v in zip(labels, setting, strict=True)),
            *(entries.get((m, *setting), "") for m in methods),
        ]
        for setting in settings
    ]
    finals = pd.DataFrame(
        [[means.get((m, *setting), np.nan) for m in methods] for setting in settings],
        columns=methods,
    )
    shown = f"n = {counts[0]}" if len(counts) == 1 else "n in brackets"
    unit = " (%)" if share else ""
    heading = f"final {split} {metric}{unit}, mean ± std over seeds, {shown}"
    caption = "; ".join([view.name, heading, *notes.scope(), *notes.remarks()])
    strong = _best(finals, metric, first_column=len(keys))
    return Table(caption, [*keys, *methods], rows, len(keys), strong)


def _best(finals: pd.DataFrame, metric: str, first_column: int) -> frozenset[tuple[int, int]]:
    """Where the best mean of each row stands, of those methods that merge."""
    merged = [method for method in finals if method not in REFERENCES]
    if len(merged) < 2:
        return frozenset()
    values = finals[merged] if higher_is_better(metric) else -finals[merged]
    best = values.eq(values.max(axis=1), axis=0)
    places = {method: first_column + i for i, method in enumerate(finals)}
    return frozenset((int(row), places[m]) for m in merged for row in np.flatnonzero(best[m]))
