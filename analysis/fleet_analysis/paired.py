"""Tests of paired differences, and what many of them at once are worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Fewer pairs than this decide nothing.
MIN_PAIRS = 3


def t_test(differences: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of Student's paired test that the mean is 0, for the few seeds of one setting.

    NaN for fewer than three pairs, or where one is infinite. Differences that are all the same
    leave no spread to judge them by: then the p of the sign test, 2^(1-n), or 1 where they are 0.
    """
    values = np.asarray(differences, dtype=float)
    if len(values) < MIN_PAIRS or not np.isfinite(values).all():
        return np.nan
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return 1.0 if not values.any() else float(2.0 ** (1 - len(values)))
    from scipy.stats import ttest_1samp  # slow to import, and few commands need it

    return float(ttest_1samp(values, 0.0).pvalue)


def signed_rank_test(differences: Sequence[float] | np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, for pairs of many settings whose differences are
    of many sizes; exact for up to 50 without ties. Pairs without a difference do not count; 1 where
    none has one."""
    values = np.asarray(differences, dtype=float)
    values = values[values != 0.0]
    if not len(values):
        return 1.0
    finite = np.abs(values[np.isfinite(values)])
    beyond = 2.0 * finite.max() + 1.0 if len(finite) else 1.0  # the rank of what is infinite
    from scipy.stats import wilcoxon

    return float(wilcoxon(np.clip(values, -beyond, beyond)).pvalue)


def friedman_test(blocks: np.ndarray) -> float:
    """p of Friedman's test that the columns of (blocks, methods) rank alike; NaN for fewer than
    three methods or two blocks."""
    if blocks.shape[0] < 2 or blocks.shape[1] < 3 or not np.ptp(blocks, axis=1).any():
        return np.nan
    from scipy.stats import friedmanchisquare

    return float(friedmanchisquare(*blocks.T).pvalue)


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjusted by Holm's step-down procedure: calling what is below a level significant errs, over
    all tests together, with at most that probability. NaN stays, and is not counted."""
    values = np.asarray(p, dtype=float)
    adjusted = np.full(values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    scaled = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if len(order) else scaled
    return adjusted


def mean_interval(values: Sequence[float] | np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Student's interval of the mean; NaN for fewer than two values."""
    numbers = np.asarray(values, dtype=float)
    if len(numbers) < 2:
        return np.nan, np.nan
    from scipy.stats import t

    half = float(t.ppf(0.5 + level / 2.0, len(numbers) - 1)) * numbers.std(ddof=1)
    half /= np.sqrt(len(numbers))
    return float(numbers.mean() - half), float(numbers.mean() + half)
