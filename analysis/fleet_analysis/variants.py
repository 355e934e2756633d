"""Methods told apart by their own options, where a sweep varied those."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from fleet_analysis.schema import METHOD
from fleet_analysis.stats import differs, is_option
from fleet_analysis.style import axis_name, value_labels


def variants(rows: pd.DataFrame, axes: Sequence[str]) -> pd.Series:
    """The method of each row, followed by its swept options: what was compared is not fleet-merge,
    say, but fleet-merge with each of several starts. Of several options only those are named that
    differ from the most frequent."""
    names = rows[METHOD].astype(str)
    methods = names.copy()
    for method in methods.unique():
        own = methods == method
        prefix = f"merge.{method}."
        options = [key for key in axes if key.startswith(prefix) and differs(rows[own], key)]
        short = {key: axis_name(key) for key in options}
        same = len(set(short.values())) < len(short)
        for key in options:
            name = key.removeprefix(prefix).replace("_", " ") if same else short[key]
            values = rows.loc[own, key]
            labels = value_labels(key, values.dropna().unique().tolist())
            named = values.notna()
            if len(options) > 1 and named.all():
                named = values != values.mode().iloc[0]
            words = values[named].map({v: f" {name} = {label}" for v, label in labels.items()})
            names.loc[words.index] += words.astype(str)
    return names


def methods_of(rows: pd.DataFrame, names: pd.Series) -> dict[str, str]:
    """The method of each variant."""
    return dict(zip(names, rows[METHOD].astype(str), strict=True))


def shared_axes(axes: Sequence[str]) -> list[str]:
    """The axes that are no method's own."""
    return [key for key in axes if not is_option(key)]
