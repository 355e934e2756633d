"""The final values of a sweep as a table: settings down, methods across."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import numpy as np

from fleet_analysis.load import Results, ResultsError
from fleet_analysis.schema import METHOD, SEED
from fleet_analysis.style import SHARES, value_label
from fleet_analysis.view import View, values_of

Layout = Literal["text", "markdown"]


def final_table(
    results: Results,
    by: Sequence[str] | None = None,
    metric: str = "accuracy",
    split: str = "test",
    layout: Layout = "text",
) -> str:
    """Mean ± standard deviation over seeds, and n, per method and the settings `by` (default: all
    that were swept), averaged over the other settings as the figures do. Raises ResultsError."""
    view = View(results, metric, split)
    keys = view.axes if by is None else [key for key in dict.fromkeys(by) if key != METHOD]
    for key in keys:
        if key not in results.cells or key == SEED:
            swept = ", ".join(view.axes) or "nothing"
            raise ResultsError(f"no setting {key} to group by; swept in {view.name}: {swept}")
    notes = view.notes()
    summary = view.summary(view.final, keys, notes)
    counts = sorted(set(summary["n"]))
    share = metric in SHARES
    entries: dict[tuple[Any, ...], str] = {}
    for row in summary.itertuples(index=False, name=None):
        setting, (mean, std, _, _, n) = row[: len(keys) + 1], row[len(keys) + 1 :]
        entries[setting] = _entry(mean, std, share) + (f" ({n})" if len(counts) > 1 else "")
    rows = [
        [*map(value_label, keys, setting), *(entries.get((m, *setting), "") for m in view.styles)]
        for setting in product(*(values_of(view.final, key) for key in keys))
        if any((method, *setting) in entries for method in view.styles)
    ]
    unit = " (%)" if share else ""
    shown = f"n = {counts[0]}" if len(counts) == 1 else "n in brackets"
    heading = f"final {split} {metric}{unit}, mean ± std over seeds, {shown}"
    remarks = "; ".join([view.name, heading, *notes.scope(), *notes.remarks()])
    return "\n".join([remarks, "", *_lines([*keys, *view.styles], rows, len(keys), layout)])


def _entry(mean: float, std: float, share: bool) -> str:
    """Shares in percent with a decimal, others to two digits of the deviation."""
    if share:
        mean, std, decimals = 100 * mean, 100 * std, 1
    else:
        leading = std if std > 0 else abs(mean) / 100 or 1.0
        decimals = max(0, 1 - int(np.floor(np.log10(leading))))
    deviation = "" if np.isnan(std) else f" ± {std:.{decimals}f}"
    return f"{mean:.{decimals}f}{deviation}"


def _lines(
    header: Sequence[str], rows: Sequence[Sequence[str]], labels: int, layout: Layout
) -> list[str]:
    """Columns of one width each: the first `labels` flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        parts = [
            cell.ljust(width) if i < labels else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(parts)} |" if layout == "markdown" else "  ".join(parts).rstrip()

    if layout == "markdown":
        rules = [
            "-" * max(width, 3) if i < labels else "-" * (max(width, 3) - 1) + ":"
            for i, width in enumerate(widths)
        ]
        rule = f"| {' | '.join(rules)} |"
    else:
        rule = "  ".join("-" * width for width in widths)
    return [line(header), rule, *(line(row) for row in rows)]
