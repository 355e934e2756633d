"""Methods against each other over the cells of a sweep: ranks, and paired differences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fleet_analysis.files import ResultsError
from fleet_analysis.layout import Table, number, p_text
from fleet_analysis.load import Results
from fleet_analysis.paired import friedman_test, holm, signed_rank_test
from fleet_analysis.schema import METHOD, REFERENCES, SEED, higher_is_better, is_share
from fleet_analysis.stats import bootstrap, mean_of, spread_of
from fleet_analysis.variants import methods_of, shared_axes, variants
from fleet_analysis.view import View


def rank_table(results: Results, metric: str = "accuracy", split: str = "test") -> Table:
    """The mean rank of each merging method over settings and seeds, 1 being the best, with how
    often it was first (ties count for all). Only settings and seeds that all methods finished
    count. Raises ResultsError."""
    blocks, caption = _blocks(results, metric, split)
    full = blocks.dropna()
    if full.empty:
        raise ResultsError(f"{results.name}: no setting and seed that all methods finished")
    ranks = full.rank(axis=1, ascending=not higher_is_better(metric))
    order = ranks.mean().sort_values(kind="stable").index
    first = full.eq(full.max(axis=1) if higher_is_better(metric) else full.min(axis=1), axis=0)
    rows = [
        [
            str(name),
            f"{ranks[name].mean():.2f}",
            f"{first[name].sum()} of {len(full)}",
            number(
                mean_of(full[name].to_numpy()), is_share(metric), spread_of(full[name].to_numpy())
            ),
        ]
        for name in order
    ]
    left = len(blocks) - len(full)
    p = friedman_test(full.to_numpy())
    parts = [
        f"{caption}, ranks over {len(full)} settings × seeds",
        *([f"{left} that not all methods finished left out"] if left else []),
        *([f"Friedman's test that all rank alike: p {p_text(p)}"] if np.isfinite(p) else []),
    ]
    return Table("; ".join(parts), ["method", "mean rank", "first", "mean"], rows)


def difference_table(
    results: Results, against: str | None = None, metric: str = "accuracy", split: str = "test"
) -> Table:
    """Every other method minus `against` (default: the one that ranks best), by pairs of cells with
    the same settings and seed: mean, bootstrap 95 % interval, wins and losses, and p by Wilcoxon's
    signed-rank test after Holm. Raises ResultsError."""
    blocks, caption = _blocks(results, metric, split)
    rising = higher_is_better(metric)
    full = blocks.dropna()
    ranks = (full if len(full) else blocks).rank(axis=1, ascending=not rising)
    base = against or str(ranks.mean().idxmin())
    if base not in blocks:
        raise ResultsError(
            f"{results.name}: no method {base}; there are {', '.join(map(str, blocks))}"
        )
    pairs = {name: (blocks[name] - blocks[base]).dropna() for name in blocks if name != base}
    if not any(len(pair) for pair in pairs.values()):
        raise ResultsError(f"{results.name}: no settings and seed that {base} and another finished")
    raw = [signed_rank_test(p.to_numpy()) if len(p) else np.nan for p in pairs.values()]
    rows = [
        _difference_row(str(name), pair, p, metric)
        for (name, pair), p in zip(pairs.items(), holm(raw), strict=True)
    ]
    heading = f"{caption}: method − {base}, pairs of the same settings and seed; p: Wilcoxon, Holm"
    header = ["method", "pairs", "difference", "95 % interval", "better", "worse", "p"]
    return Table(heading, header, rows)


def _blocks(results: Results, metric: str, split: str) -> tuple[pd.DataFrame, str]:
    """A row per settings and seed, a column per merging method (references are no rivals), in the
    order of the legends; NaN where a cell has failed. And what the values are."""
    view = View(results, metric, split)
    final = view.final[~view.final[METHOD].isin(list(REFERENCES))]
    if final.empty:
        raise ResultsError(f"{results.name}: no method that merges has finished a cell")
    final = final.assign(variant=variants(final, view.axes))
    method_of = methods_of(final, final.variant)
    keys = [*shared_axes(view.axes), SEED]
    grouped = final.groupby([*keys, "variant"], observed=True, dropna=False).value
    blocks = grouped.mean().unstack("variant")
    names = [str(name) for name in blocks]
    order = [name for method in view.styles for name in names if method_of[name] == method]
    unit = " (%)" if is_share(metric) else ""
    further = f"; {results.differing}" if results.differing else ""
    return blocks[order], f"{results.name}; final {split} {metric}{unit}{further}"


def _difference_row(name: str, pair: pd.Series, p: float, metric: str) -> list[str]:
    if pair.empty:
        return [name, "0", *[""] * 5]
    values = pair.to_numpy()
    spread = float(values.std()) if np.isfinite(values).all() else np.nan
    share = is_share(metric)
    better = values > 0 if higher_is_better(metric) else values < 0
    low, high = bootstrap(values)
    said = [number(bound, share, spread, sign=True) for bound in (low, high)]
    return [
        name,
        str(len(values)),
        number(mean_of(values), share, spread, sign=True),
        f"{said[0]} to {said[1]}" if np.isfinite(low) else "",
        str(int(better.sum())),
        str(int(((values != 0) & ~better).sum())),
        p_text(p),
    ]
