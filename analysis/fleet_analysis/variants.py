"""Methods told apart by their own options, where a sweep varied those."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fleet_analysis.schema import METHOD
from fleet_analysis.stats import is_option
from fleet_analysis.style import axis_name, value_label


def variants(rows: pd.DataFrame, axes: Sequence[str]) -> pd.Series:
    """The method of each row, followed by its swept options: what was compared is not fleet-merge,
    say, but fleet-merge with each of several starts. Of several options only those are named that
    differ from the most frequent."""
    names = rows[METHOD].astype(str)
    methods = names.copy()
    for method in methods.unique():
        own = methods == method
        prefix = f"merge.{method}."
        options = [
            key for key in axes if key.startswith(prefix) and rows.loc[own, key].nunique() > 1
        ]
        for key in options:
            values = rows.loc[own, key]
            named = values != values.mode().iloc[0] if len(options) > 1 else values.notna()
            words = values[named].map(
                lambda v, key=key: f" {axis_name(key)} = {value_label(key, v)}"
            )
            names.loc[words.index] += words.astype(str)
    return names


def method_of(variant: str) -> str:
    """The method that a variant is of."""
    return variant.split(" ", 1)[0]


def shared_axes(axes: Sequence[str]) -> list[str]:
    """The axes that are no method's own."""
    return [key for key in axes if not is_option(key)]
