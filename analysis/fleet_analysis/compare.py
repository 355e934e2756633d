"""The same cells of two versions side by side: has the science changed?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fleet_analysis.files import ResultsError
from fleet_analysis.layout import Table, number, p_text
from fleet_analysis.load import Results
from fleet_analysis.paired import holm, signed_rank_test, t_test
from fleet_analysis.schema import METHOD, SEED, higher_is_better, is_share
from fleet_analysis.stats import differs, mean_of
from fleet_analysis.style import value_labels


@dataclass(frozen=True)
class Comparison:
    """Of `settings` a row per method and settings, of `methods` one per method, each with `pairs`,
    `same` (to the bit), `difference` (mean of second minus first), `p` (adjusted over the rows of
    both together) and `verdict`: "same", "better", "worse", or "" where chance will do.

    `settings` has the means too, `first` and `second`; `methods` has `time`, the geometric mean of
    the ratio of wall seconds. `newly_failed` are labels of cells that only the first finished.
    """

    metric: str
    split: str
    names: tuple[str, str]
    keys: list[str]
    settings: pd.DataFrame
    methods: pd.DataFrame
    newly_failed: list[str]
    unmatched: tuple[int, int]
    config: list[str]

    @property
    def worse(self) -> bool:
        """Whether something is significantly worse, or has failed that had not."""
        verdicts = [*self.settings.verdict, *self.methods.verdict]
        return bool(self.newly_failed) or "worse" in verdicts

    @property
    def pairs(self) -> int:
        """How many cells both have finished."""
        return int(self.methods.pairs.sum())


def compare(
    first: Results,
    second: Results,
    metric: str = "accuracy",
    split: str = "test",
    level: float = 0.05,
) -> Comparison:
    """Matches cells by id or, where the configuration differs elsewhere, by method, seed and all
    settings that both hold. Significant is what stays below `level` after Holm, over all tests: one
    per method and settings, Student's over seeds, and one per method, Wilcoxon's over all pairs.
    Raises ResultsError where no cell has a counterpart, or one has several."""
    keys = _setting_keys(first, second)
    matched = _match(first.cells, second.cells, keys)
    lost = matched[(matched.status_1 == "done") & (matched.status_2 != "done")]
    for side, results in ((1, first), (2, second)):
        final = results.final(metric, split).set_index("cell").value
        matched[f"value_{side}"] = matched[f"cell_{side}"].map(final)
    pairs = matched.dropna(subset=["value_1", "value_2"])
    if pairs.empty:
        raise ResultsError(f"{first.name} and {second.name}: no cell that both have finished")
    change = pairs.value_2 - pairs.value_1
    pairs = pairs.assign(difference=change.where(pairs.value_1 != pairs.value_2, 0.0))
    varying = [key for key in keys if key not in (METHOD, SEED) and differs(pairs, key)]
    settings = _rows(pairs, [METHOD, *varying], t_test)
    methods = _rows(pairs, [METHOD], signed_rank_test)
    _judge(settings, methods, metric, level)
    return Comparison(
        metric=metric,
        split=split,
        names=(first.name, second.name),
        keys=varying,
        settings=settings,
        methods=methods,
        newly_failed=_labels(matched, lost, [METHOD, *varying, SEED]),
        unmatched=(len(first.cells) - len(matched), len(second.cells) - len(matched)),
        config=_changed_lines(first.config, second.config),
    )


def comparison_tables(result: Comparison, everything: bool = False) -> list[Table]:
    """Per method, and per settings: those that have changed, or all of them."""
    share = is_share(result.metric)
    unit = " (%)" if share else ""
    what = f"final {result.split} {result.metric}{unit}"
    methods = [
        [
            str(row[METHOD]), f"{row['pairs']:.0f}", f"{row['same']:.0f}",
            number(row["difference"], share, row["spread"], sign=True), p_text(row["p"]),
            row["verdict"], "" if np.isnan(row["time"]) else f"×{row['time']:.2f}",
        ]
        for row in result.methods.to_dict("records")
    ]  # fmt: skip
    shown = result.settings if everything else result.settings[result.settings.verdict != "same"]
    labels = {key: value_labels(key, result.settings[key].tolist()) for key in result.keys}
    rows = [
        [
            str(row[METHOD]), *(labels[key].get(row[key], "") for key in result.keys),
            f"{row['pairs']:.0f}", number(row["first"], share, row["spread"]),
            number(row["second"], share, row["spread"]),
            number(row["difference"], share, row["spread"], sign=True), p_text(row["p"]),
            row["verdict"],
        ]
        for row in shown.to_dict("records")
    ]  # fmt: skip
    tested = "p after Holm over both tables"
    one = f"{what} by method, {result.pairs} pairs of cells; {tested}: Wilcoxon over all pairs"
    two = f"{what} by settings; {tested}: Student's t over seeds"
    left = len(result.settings) - len(shown)
    two += f"; {left} settings the same to the bit, not shown" if left else ""
    heads = ["method", "pairs", "same", "difference", "p", "verdict", "time"]
    tables = [Table(one, heads, methods, strong=_marks(result.methods, heads))]
    if rows:
        heads = ["method", *result.keys, "n", "first", "second", "difference", "p", "verdict"]
        about = 1 + len(result.keys)
        tables.append(Table(two, heads, rows, about, _marks(shown, heads)))
    return tables


def _setting_keys(first: Results, second: Results) -> list[str]:
    return [name for name in first.settings if name in second.cells]


def _match(first: pd.DataFrame, second: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """A row per pair of cells: the settings, and the rest of each side with _1 or _2 behind."""
    left, right = _side(first, keys, "_1"), _side(second, keys, "_2")
    known = set(first.id) & set(second.id) - {""}
    left_known, right_known = left.id_1.isin(known), right.id_2.isin(known)
    own = [name for name in right.columns if name not in keys]
    by_id = left[left_known].merge(
        right.loc[right_known, own], left_on="id_1", right_on="id_2", validate="one_to_one"
    )
    try:
        by_settings = left[~left_known].merge(right[~right_known], on=keys, validate="one_to_one")
    except pd.errors.MergeError as error:
        raise ResultsError(
            "cells differ in settings that only one of the two files holds, so that one cell would "
            f"have several counterparts; both hold {', '.join(keys)}"
        ) from error
    return pd.concat([by_id, by_settings], ignore_index=True)


def _side(cells: pd.DataFrame, keys: list[str], mark: str) -> pd.DataFrame:
    kept = ["cell", "id", "status", *(["seconds_total"] if "seconds_total" in cells else [])]
    strings = {key: str for key in keys if isinstance(cells[key].dtype, pd.CategoricalDtype)}
    return cells[[*keys, *kept]].astype(strings).rename(columns={n: n + mark for n in kept})


def _rows(
    pairs: pd.DataFrame, keys: list[str], test: Callable[[np.ndarray], float]
) -> pd.DataFrame:
    rows = []
    for key, group in pairs.groupby(keys, observed=True, dropna=False, sort=False):
        change = group.difference.to_numpy()
        finite = np.isfinite(change).all()
        rows.append(
            {
                **dict(zip(keys, key, strict=True)),
                "pairs": len(group),
                "same": int((change == 0.0).sum()),
                "first": mean_of(group.value_1.to_numpy()),
                "second": mean_of(group.value_2.to_numpy()),
                "difference": change.mean() if finite else float(np.nansum(change)),
                "spread": float(change.std()) if finite else np.nan,
                "p": test(change),
                "time": _time_ratio(group),
            }
        )
    return pd.DataFrame(rows)


def _time_ratio(group: pd.DataFrame) -> float:
    if not {"seconds_total_1", "seconds_total_2"} <= set(group):
        return np.nan
    ratio = group.seconds_total_2 / group.seconds_total_1.where(group.seconds_total_1 > 0)
    ratio = ratio[ratio > 0]
    return float(np.exp(np.log(ratio).mean())) if len(ratio) else np.nan


def _judge(settings: pd.DataFrame, methods: pd.DataFrame, metric: str, level: float) -> None:
    """Adjusts p over both tables together and adds the verdicts. What is the same to the bit needs
    no test."""
    tables = (settings, methods)
    for table in tables:
        table.loc[table.same == table.pairs, "p"] = np.nan
    adjusted = holm(np.concatenate([table.p.to_numpy() for table in tables]))
    sign = 1.0 if higher_is_better(metric) else -1.0
    for table, p in zip(tables, np.split(adjusted, [len(settings)]), strict=True):
        table["p"] = p
        moved = np.where(sign * table.difference > 0, "better", "worse")
        verdict = np.where(p < level, moved, "")
        table["verdict"] = np.where(table.same == table.pairs, "same", verdict)


def _marks(table: pd.DataFrame, heads: list[str]) -> frozenset[tuple[int, int]]:
    place = heads.index("verdict")
    rows = np.flatnonzero(table.verdict.isin(["better", "worse"]))
    return frozenset((int(row), place) for row in rows)


def _changed_lines(first: str, second: str) -> list[str]:
    """Lines of one configuration that the other lacks, marked - and +."""
    before, after = first.splitlines(), second.splitlines()
    gone = [f"- {line}" for line in before if line not in set(after)]
    return gone + [f"+ {line}" for line in after if line not in set(before)]


def _labels(known: pd.DataFrame, rows: pd.DataFrame, keys: list[str]) -> list[str]:
    """Each of the rows by its settings, told apart from all that are known."""
    labels = {key: value_labels(key, known[key].tolist()) for key in keys}
    return [
        ", ".join(f"{key} = {labels[key].get(row[key], '')}" for key in keys)
        for row in rows.to_dict("records")
    ]
