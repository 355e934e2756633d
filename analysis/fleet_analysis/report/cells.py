"""The table of cells, which the page's script sorts and filters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from fleet_analysis.load import Results
from fleet_analysis.report.sections import Section
from fleet_analysis.schema import METHOD, SEED, is_share


@dataclass(frozen=True)
class Column:
    """One of the table: `digits` after the point of a number; a label stands flush left."""

    title: str
    values: pd.Series
    digits: int | None = None
    label: bool = False


def cells_section(results: Results, metric: str, split: str) -> Section:
    """Every cell, finished or failed, in the order of the file."""
    columns = _columns(results, metric, split)
    described: list[dict[str, Any]] = [
        {
            **({"digits": column.digits} if column.digits is not None else {}),
            **({"label": 1} if column.label else {}),
        }
        for column in columns
    ]
    rows = list(map(list, zip(*(_plain(column) for column in columns), strict=True)))
    data = json.dumps({"columns": described, "rows": rows}, separators=(",", ":"), allow_nan=False)
    data = data.replace("<", r"\u003c")  # the one sign that could end the script element
    heads = "".join(
        f'<th scope="col"{" class=label" if column.label else ""}>'
        f'<button type="button">{escape(column.title)}</button></th>'
        for column in columns
    )
    body = f"""<div class="tools">
<input id="filter" type="search" placeholder="Filter, e.g. average failed" aria-label="Filter">
<span id="count" class="muted" aria-live="polite"></span></div>
<div class="scroll"><table id="cells"><thead><tr>{heads}</tr></thead><tbody></tbody></table></div>
<button id="more" class="more" type="button" hidden></button>
<noscript><p>This table needs JavaScript, which this browser has switched off.</p></noscript>
<script type="application/json" id="cells-data">{data}</script>"""
    return Section("cells-table", "Cells", body)


def _columns(results: Results, metric: str, split: str) -> list[Column]:
    cells = results.cells
    settings = [key for key in results.swept if key in cells]
    columns = [
        Column("cell", cells.cell),
        Column("status", cells.status.astype(str), label=True),
        Column("method", cells[METHOD].astype(str), label=True),
        *(Column(key, cells[key]) for key in settings),
        Column("seed", cells[SEED]),
        *_values(results, metric, split),
    ]
    columns += [
        Column(title, cells[name] / scale, digits)
        for name, title, scale, digits in (
            ("rounds", "rounds", 1, 0),
            ("seconds_total", "seconds", 1, 2),
            ("bytes_moved", "MB moved", 1e6, 2),
            ("peak_memory_mib", "MiB", 1, 0),
        )
        if name in cells
    ]
    columns.append(Column("id", cells.id, label=True))
    if len(results.failed):
        columns.append(Column("reason", cells.reason, label=True))
    return columns


def _values(results: Results, metric: str, split: str) -> list[Column]:
    """The final value of the metric and, beside another, of the loss."""
    known = set(results.metrics.metric[results.metrics.split == split].unique())
    columns = []
    for name in dict.fromkeys([metric, "loss"]):
        if name in known:
            final = results.final(name, split).set_index("cell").value
            values = results.cells.cell.map(final)
            share = is_share(name)
            title = f"{name} (%)" if share else name
            columns.append(Column(title, 100 * values if share else values, 2 if share else 4))
    return columns


def _plain(column: Column) -> list[Any]:
    """Values as JSON has them; None for what is missing, words for what is no finite number."""
    values = column.values.astype(object).to_numpy()
    return [_plain_value(value, column.digits) for value in values]


def _plain_value(value: Any, digits: int | None) -> Any:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, (float, np.floating)):
        if np.isnan(value):
            return None
        if np.isinf(value):
            return "inf" if value > 0 else "-inf"
        return round(float(value), digits + 2 if digits is not None else 12)
    return int(value) if isinstance(value, (int, np.integer)) else str(value)
