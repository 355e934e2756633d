"""Means over seeds, with their bands, done so that failed cells cannot flatter a method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from fleet_analysis.schema import METHOD, REFERENCES, SEED

DRAWS = 2000
LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """Per combination of keys: mean, std (of a sample), low, high, n (seeds); NaN where n is too
    small.

    `partial` names the methods that lack points because no seed of theirs has all of the settings
    that others are averaged over. `uneven`: some points average more settings than others do.
    """

    table: pd.DataFrame
    partial: tuple[str, ...]
    uneven: bool


def summarise(
    rows: pd.DataFrame,
    keys: Sequence[str],
    averaged: Sequence[str] = (),
    along: str | None = None,
) -> Summary:
    """Mean and spread over seeds of `value`, per combination of `keys` (METHOD among them).

    Each seed's value is first averaged over the settings `averaged`. A seed that lacks some of them
    that other methods or seeds have (its cell failed) does not count: a mean over the easier
    settings only would flatter. Options of one method (merge.NAME.OPTION) are averaged too, but
    need not be there. `along` is a further key, such as the epoch, whose points must all average
    the same settings: points with fewer are dropped.
    """
    rows = rows.dropna(subset="value")
    points = [*keys, along] if along else list(keys)
    common = [key for key in averaged if not is_option(key)]
    cells = _group(rows, [*points, SEED, *common]).value.mean().reset_index()
    grouped = _group(cells, [*points, SEED]).value
    seeds = grouped.mean().reset_index().assign(settings=grouped.size().to_numpy())
    others = [key for key in keys if key != METHOD]
    full = _group(seeds, others).settings.transform("max") if others else seeds.settings.max()
    complete = seeds[seeds.settings == full]
    values = [(*key, *_spread(group.to_numpy())) for key, group in _group(complete, points).value]
    table = pd.DataFrame(values, columns=[*points, "mean", "std", "low", "high", "n"])
    best = _group(seeds, keys).settings.transform("max")
    partial = seeds.loc[best < full, METHOD].astype(str).unique()
    return Summary(table, tuple(sorted(partial)), complete.settings.nunique() > 1)


def bootstrap(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """The percentile bootstrap interval of the mean; NaN for fewer than two values, or where one
    has no bound (an unstable policy's cost).

    The draws are the same for every call with as many values, so that a band along a curve is
    smooth and a figure drawn twice is the same. The interval holds the mean of the values.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        return (np.nan, np.nan)
    means = values[_draws(len(values))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    mean = values.mean()
    return (float(min(low, mean)), float(max(high, mean)))


def mean_of(values: np.ndarray) -> float:
    """The mean; NaN where some are infinite in one direction and some in the other."""
    with np.errstate(invalid="ignore"):
        return float(values.mean())


def mean_of_all(rows: pd.DataFrame, keys: Sequence[str]) -> pd.Series:
    """The mean of `value` per combination of `keys`; NaN where one of the values is: the mean of
    the robots that did not diverge would flatter."""
    values = rows.groupby(list(keys), observed=True).value
    return values.mean().where(values.count() == values.size())


def spread_of(values: np.ndarray) -> float:
    """The standard deviation of a sample; NaN for fewer than two, or where one has no bound."""
    return float(values.std(ddof=1)) if len(values) > 1 and np.isfinite(values).all() else np.nan


def is_option(key: str) -> bool:
    """Whether a setting is one method's own: merge.NAME.OPTION, but for merge.after.*, which are of
    rounds after any."""
    return key.startswith("merge.") and key.count(".") > 1 and not key.startswith("merge.after.")


def differs(rows: pd.DataFrame, key: str) -> bool:
    """Whether a setting has several values. To have none, as cells of a file without that axis, is
    one more, but not for cells of a method that does not read it."""
    values = rows[key]
    lacking = rows.loc[values.isna(), METHOD].astype(str).unique()
    return values.nunique() + any(reads(method, key) for method in lacking) > 1


def reads(method: str, key: str) -> bool:
    """Whether a setting changes what a method does: not another's option, nor what does not touch
    a reference."""
    if is_option(key):
        return key.startswith(f"merge.{method}.")
    return not does_not_touch(key, method)


def spread_references(rows: pd.DataFrame, keys: Iterable[str]) -> pd.DataFrame:
    """Repeats reference methods that ran at one value only of a setting that does not touch them.

    Pooled training, say, is the same whatever the merging: a sweep may run it once, and it then
    stands for every value of that setting that the other methods have.
    """
    keys = list(keys)
    merged = rows[~rows[METHOD].isin(list(REFERENCES))]
    settings = merged[keys].drop_duplicates()  # not all combinations need have been run
    copies = []
    for method in REFERENCES:
        own = rows[rows[METHOD] == method]
        over = [key for key in keys if does_not_touch(key, method) and own[key].nunique() == 1]
        if not over:
            continue
        others = [key for key in keys if key not in over]
        rest = own.drop(columns=over)
        copied = rest.merge(settings, on=others) if others else rest.merge(settings, how="cross")
        known = [own[key].dropna().iloc[0] for key in over]
        is_new = [copied[key] != value for key, value in zip(over, known, strict=True)]
        copies.append(copied.loc[np.logical_or.reduce(is_new), rows.columns].astype(rows.dtypes))
    return pd.concat([rows, *copies]).reset_index(drop=True)


def does_not_touch(key: str, reference: str) -> bool:
    """Whether a reference method is the same whatever the value of this setting, which is no option
    of its own."""
    return not key.startswith(f"merge.{reference}.") and any(
        key == each or (each.endswith(".") and key.startswith(each))
        for each in REFERENCES.get(reference, ())
    )


def _group(rows: pd.DataFrame, keys: Sequence[str]) -> Any:
    return rows.groupby(list(keys), observed=True, dropna=False)


def _spread(values: np.ndarray) -> tuple[float, float, float, float, int]:
    return (mean_of(values), spread_of(values), *bootstrap(values), len(values))


@lru_cache(maxsize=64)
def _draws(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, count, size=(DRAWS, count))
