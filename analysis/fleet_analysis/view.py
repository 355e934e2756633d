"""The results as figures and tables see them: finished cells, one metric, the axes that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results
from fleet_analysis.schema import EVERY_EPOCHS, METHOD, ONE_SHOT, REFERENCES, SEED
from fleet_analysis.stats import Summary, differs, does_not_touch, spread_references, summarise
from fleet_analysis.style import MethodStyle, axis_name, method_styles, setting_label, value_labels

MAX_PANELS = 4


@dataclass
class Panel:
    """The rows that one panel summarises and what its title says."""

    title: str
    rows: pd.DataFrame


@dataclass
class Notes:
    """What a reader must know of the numbers, gathered while a figure is drawn."""

    workload: str = ""
    failed: int = 0
    without_value: int = 0
    seeds: set[int] = field(default_factory=set)
    shown: list[str] = field(default_factory=list)
    averaged: dict[str, None] = field(default_factory=dict)
    partial: set[str] = field(default_factory=set)
    uneven: bool = False
    unbounded: set[str] = field(default_factory=set)
    unplaced: dict[str, set[int]] = field(default_factory=dict)
    alike: int = 0
    differing: str = ""
    last: list[str] = field(default_factory=list)
    spread: str = "band"  # how intervals are drawn

    def note_summary(self, summary: Summary) -> None:
        """Points that are missing, and those that stand for other settings."""
        self.partial.update(summary.partial)
        self.uneven |= summary.uneven

    def note_unplaced(self, rows: pd.DataFrame, keys: Sequence[str]) -> None:
        """Cells that have no value of one of these, as where joined files have other axes."""
        for key in keys:
            lacking = rows.loc[rows[key].isna(), "cell"].unique()
            if len(lacking):
                self.unplaced.setdefault(key, set()).update(lacking.tolist())

    def lines(self) -> list[str]:
        """The parts of the text under the title."""
        return _present([self.workload, self._seeds(), *self.scope(), *self.remarks()])

    def scope(self) -> list[str]:
        """Which settings the numbers are for, where not all are shown."""
        names = [axis_name(key) for key in self.averaged]
        return [*self.shown, *([f"averaged over {_and(names)}"] if names else [])]

    def remarks(self) -> list[str]:
        """What is missing."""
        partial = (
            f"{_and(sorted(self.partial))}: points without all settings left out"
            if self.partial
            else ""
        )
        uneven = "points average different settings" if self.uneven else ""
        unbounded = (
            f"{_and(sorted(self.unbounded))}: no point where a policy is unstable"
            if self.unbounded
            else ""
        )
        counted = _present(
            [
                _count(self.failed, "failed cell"),
                _count(self.without_value, "cell", "without a value"),
            ]
        )
        left_out = f"{_and(counted)} left out" if counted else ""
        placed = [
            f"{_count(len(cells), 'cell', f'without {axis_name(key)}')} not shown"
            for key, cells in self.unplaced.items()
        ]
        alike = f"{_count(self.alike, 'cell')} averaged with others of their settings and seed"
        return _present(
            [
                *(partial, uneven, unbounded, *self.last, *placed),
                *(alike if self.alike else "", left_out, self.differing),
            ]
        )

    def _seeds(self) -> str:
        low, high = min(self.seeds, default=0), max(self.seeds, default=0)
        if high <= 1:
            return f"one seed (n = 1), no {self.spread}"
        count = f"{high}" if low == high else f"{low}–{high}"
        return f"mean of n = {count} seeds, {self.spread}: bootstrap 95 % interval"


def overview_lines(above: Notes, below: Notes) -> list[str]:
    """The text under the title of a figure with two rows."""
    both = Notes(
        workload=above.workload,
        failed=above.failed,
        without_value=above.without_value,
        seeds=above.seeds | below.seeds,
        partial=above.partial | below.partial,
        uneven=above.uneven or below.uneven,
        unplaced={**above.unplaced, **below.unplaced},
        alike=above.alike,
        differing=above.differing,
        unbounded=above.unbounded | below.unbounded,
        last=list(dict.fromkeys([*above.last, *below.last])),
    )
    scope = above.scope()
    both.shown = [f"above: {', '.join(scope)}"] if scope else []
    both.shown += ["below: averaged over the other axes"] if below.averaged else []
    return both.lines()


def _count(count: int, what: str, further: str = "") -> str:
    return f"{count} {what}{'s' if count > 1 else ''} {further}".rstrip() if count else ""


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _present(parts: Iterable[str]) -> list[str]:
    return [part for part in parts if part]


class View:
    """Tables that the figures draw from. Raises ResultsError where nothing can be drawn."""

    def __init__(self, results: Results, metric: str, split: str) -> None:
        require_finished(results)
        self.name = results.name
        self.metric = metric
        self.split = split
        self.shown: list[str] = []
        self._results = results
        final = results.final(metric, split)
        self._without_value = int(final.value.isna().sum())
        final = final.dropna(subset="value")
        self.axes = [key for key in results.swept if final[key].notna().any()]
        self.final = spread_references(final, self.axes)
        if self.final.empty:
            raise ResultsError(f"{results.name}: no finished cell has a {split} {metric}")
        self.styles: dict[str, MethodStyle] = method_styles(self.final[METHOD].unique())

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row per cell and round, with the swept axes, the method, the seed and the epoch."""
        series = self._results.series(self.metric, self.split).dropna(subset="value")
        keys = dict.fromkeys([METHOD, SEED, EVERY_EPOCHS, *self.axes])
        settings = self._results.done[["cell", *keys]]
        return spread_references(series.merge(settings, on="cell"), self.axes)

    def where(self, chosen: Callable[[pd.DataFrame], pd.Series], shown: str) -> View:
        """Of the cells that `chosen` says only; `shown` tells the reader. References stay where
        merging methods do. Raises ResultsError where no merging method is left."""
        part = copy(self)
        part.__dict__.pop("curves", None)
        keep = chosen(self.final)
        merged = self.final[keep & ~self.final[METHOD].isin(list(REFERENCES))]
        if merged.empty:
            raise ResultsError(f"{self.name}: no finished cell with {shown}")
        for reference in REFERENCES:
            own = self.final[METHOD] == reference
            keep = (keep & ~own) | self._beside(reference, merged, keep)
        part.final = self.final[keep]
        present = set(part.final[METHOD])
        part.styles = {name: style for name, style in self.styles.items() if name in present}
        part.axes = [key for key in self.axes if differs(merged, key)]
        part.shown = [*self.shown, shown]
        return part

    def _beside(self, reference: str, merged: pd.DataFrame, chosen: pd.Series) -> pd.Series:
        """Which rows of a reference stand at values that `merged` has too, of the axes that do not
        touch it: the chosen ones, else any, else all of its rows."""
        own = self.final[METHOD] == reference
        there = own
        for key in self.axes:
            if does_not_touch(key, reference):
                there = there & self.final[key].isin(merged[key].unique())
        return next((rows for rows in (there & chosen, there) if rows.any()), own)

    def notes(self) -> Notes:
        """With what holds for every figure of these results."""
        workloads = self.final["workload"].astype(str).unique()
        return Notes(
            workload=workloads[0] if len(workloads) == 1 else "",
            failed=len(self._results.failed),
            without_value=self._without_value,
            alike=self._results.alike,
            differing=self._results.differing,
            shown=list(self.shown),
        )

    def summary(
        self, rows: pd.DataFrame, keys: Sequence[str], notes: Notes, along: str | None = None
    ) -> pd.DataFrame:
        """Means and bands per method and `keys`, averaged over the axes not among them."""
        averaged = [key for key in self.axes if key not in keys and differs(rows, key)]
        summary = summarise(rows, [METHOD, *keys], averaged, along)
        notes.note_unplaced(rows, keys)
        references = [name for name, style in self.styles.items() if style.reference]
        merged = summary.table[~summary.table[METHOD].isin(references)]
        notes.seeds.update((summary.table if merged.empty else merged)["n"])
        notes.averaged.update(dict.fromkeys(averaged))
        notes.note_summary(summary)
        notes.unbounded.update(summary.table[METHOD][np.isinf(summary.table["mean"])].astype(str))
        return summary.table

    def panels(self, rows: pd.DataFrame, key: str | None, notes: Notes) -> list[Panel]:
        """A panel per value of an axis, at most four, evenly chosen; without an axis a single
        one."""
        if key is None:
            return [Panel("", rows)]
        values = values_of(rows, key)
        shown = evenly(values, MAX_PANELS)
        if len(shown) < len(values):
            notes.last.append(f"{len(shown)} of {len(values)} values of {axis_name(key)} shown")
        notes.note_unplaced(rows, [key])
        labels = value_labels(key, values)
        return [
            Panel(setting_label(key, value, labels[value]), rows[rows[key] == value])
            for value in shown
        ]

    def columns_for(self, key: str) -> str | None:
        """The axis to spread over panels beside `key`: the workload if it differs, since means over
        workloads say little; else, of those with few values, the one that matters most."""
        others = [axis for axis in self.axes if axis != key]
        if "workload" in others:
            return "workload"
        few = [axis for axis in others if self.final[axis].nunique() <= MAX_PANELS]
        return max(few or others, key=self.effect, default=None)

    def effect(self, key: str) -> float:
        """How far the methods' means move over the values of an axis."""
        means = self.final.groupby([METHOD, key], observed=True).value.mean().unstack()
        return float((means.max(axis=1) - means.min(axis=1)).mean())


def require_finished(results: Results) -> None:
    """ResultsError, with the reason of the first, where every cell failed."""
    if not results.done.empty:
        return
    reason = next((reason for reason in results.failed.reason if reason), "no reason given")
    count = len(results.failed)
    which = "the only cell" if count == 1 else f"all {count} cells"
    raise ResultsError(f"{results.name}: {which} failed: {reason}")


def values_of(rows: pd.DataFrame, key: str) -> list[Any]:
    """The values of an axis as Python's own: numbers ascending, names in order of appearance;
    one-shot merging, the rarest, last."""
    values = rows[key].dropna()
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(values.unique())
        return [value for value in values.cat.categories if value in present]
    ordered = sorted(values.unique().tolist())
    if key == EVERY_EPOCHS and ONE_SHOT in ordered:
        ordered.append(ordered.pop(ordered.index(ONE_SHOT)))
    return ordered


def evenly(values: Sequence[Any], count: int) -> list[Any]:
    """At most `count` of the values, both ends among them."""
    if len(values) <= count:
        return list(values)
    return [values[round(i * (len(values) - 1) / (count - 1))] for i in range(count)]


def first_of(axes: Iterable[str], preferred: str) -> str | None:
    """The preferred axis if it is there, else the first."""
    listed = list(axes)
    return preferred if preferred in listed else next(iter(listed), None)
