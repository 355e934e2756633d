"""From results files (HDF5, schema version 1) to tidy tables.

`load` takes one file, many, a directory or a glob pattern and gives a `Results`. The table of cells
is read at once, since it is small and says whether the files are ours; the others when first asked
for. Strings are decoded once per distinct value, which is what keeps tables of millions of rows
quick.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fleet_analysis import schema
from fleet_analysis.configs import differences
from fleet_analysis.files import (
    Columns,
    ResultsError,
    ResultsFile,
    Source,
    find_files,
    read_file,
)
from fleet_analysis.names import path_text, text_of
from fleet_analysis.schema import METHOD, SEED
from fleet_analysis.stats import differs, mean_of_all

LOGGER = logging.getLogger("fleet_analysis")


def load(
    source: Source | Iterable[Source], read: Callable[[Path], ResultsFile] = read_file
) -> Results:
    """The results in a file, a directory, a glob pattern, or a list of any of these.

    A directory stands for the *.h5 files in it; for the cells of the sweep that it holds, as it is
    planned now, whatever it keeps of earlier configurations; or else for what lies below it, saved
    models aside. Files are concatenated in the order given (sorted within a directory or pattern)
    and their cells renumbered so that each index is unique. A cell found twice, by its id, is kept
    once: finished rather than failed, then the first. `read`: a `Reader`, for one who loads again
    and again. Files without a seal are warned of, by the logger "fleet_analysis". Raises
    ResultsError.
    """
    files = [read(path) for path in find_files(source)]
    unsealed = [file.path for file in files if not file.sealed]
    if unsealed:
        more = f" and {len(unsealed) - 1} more" if len(unsealed) > 1 else ""
        LOGGER.warning(
            "%s%s: no checksum at the end, as after another program has opened it for writing; "
            "changed or damaged numbers would go unnoticed", unsealed[0], more,
        )  # fmt: skip
    results = Results(files)
    if results.repeated:
        LOGGER.warning("%d cells found twice, kept once", results.repeated)
    if results.differing:
        LOGGER.warning("%s", results.differing)
    if results.alike:
        LOGGER.warning(
            "%d finished cells have the method, settings and seed of others, but are not the same: "
            "what no column tells, as data or a setting that was not swept, differs; they count "
            "as one seed, at their mean", results.alike,
        )  # fmt: skip
    return results


class Results:
    """The tables of one or more results files; read-only.

    `cells`, `metrics`, `shards`, `rounds`, `traffic` and `instruments` are described in
    docs/analysis/files.md.
    Strings are categoricals with their values in order of appearance, except `id` and `reason`,
    which are plain.
    """

    def __init__(self, files: Sequence[ResultsFile]) -> None:
        last = [int(file.cells["cell"].max()) + 1 for file in files]
        self._files = files
        self._offsets = np.concatenate([[0], np.cumsum(last)[:-1]])
        columns = dict.fromkeys(column for file in files for column in file.cells)
        stacked = _stack(
            [
                {**file.cells_with(columns), "cell": file.cells["cell"] + offset}
                for file, offset in zip(files, self._offsets, strict=True)
            ]
        )
        cells = _frame(stacked)
        repeated = _repeated(cells)
        self._dropped = cells.cell[repeated].to_numpy()
        self.cells: pd.DataFrame = cells[~repeated].reset_index(drop=True)
        self.axes: list[str] = list(dict.fromkeys(axis for file in files for axis in file.axes))
        names = list(dict.fromkeys(file.name for file in files))
        self.name: str = "+".join(
            names if len(names) <= 3 else [names[0], f"{len(names) - 1} more"]
        )
        configs = list(dict.fromkeys(file.config for file in files))
        self.config: str = "\n".join(configs)
        self.provenance: pd.DataFrame = pd.DataFrame(
            [{"file": path_text(file.path), **file.provenance} for file in files]
        )

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Long form: cell, round, epoch, robot (-1 = the merged policy), split, metric, value."""
        return self._table("metrics")

    @cached_property
    def shards(self) -> pd.DataFrame:
        """How many samples of each label each robot holds: cell, robot, label, samples."""
        return self._table("shards")

    @cached_property
    def rounds(self) -> pd.DataFrame:
        """What each round cost: participants, wall seconds by phase, bytes moved, iterations."""
        return self._table("rounds")

    @cached_property
    def traffic(self) -> pd.DataFrame:
        """Bytes between the robots, all together, and the rest of their fleet: cell, round, cargo,
        sent, received; without rows in files of earlier versions."""
        return self._table("traffic")

    @cached_property
    def instruments(self) -> pd.DataFrame:
        """What instruments measured: cell, round, instrument, subject, split, metric, robot, other,
        at, value; without rows where none was on."""
        return self._table("instruments")

    @cached_property
    def done(self) -> pd.DataFrame:
        """The cells that finished; only these count in figures and tables."""
        return self.cells[self.cells.status == "done"]

    @cached_property
    def failed(self) -> pd.DataFrame:
        """The cells that did not finish; `reason` says why."""
        return self.cells[self.cells.status != "done"]

    @property
    def repeated(self) -> int:
        """How many cells were left out because another file held the same one."""
        return len(self._dropped)

    @property
    def settings(self) -> list[str]:
        """The columns of `cells` that say what a cell is, not how it went."""
        return [
            str(key)
            for key in self.cells
            if key not in schema.OUTCOMES and not str(key).startswith(schema.SECONDS)
        ]

    @cached_property
    def alike(self) -> int:
        """How many finished cells share method, seed and every setting with another."""
        return int(self.done.duplicated(self.settings, keep=False).sum())

    @cached_property
    def swept(self) -> list[str]:
        """What differs between the finished cells, other than method and seed: swept axes first."""
        candidates = dict.fromkeys([*self.axes, *schema.SETTINGS, *schema.DEALT])
        return [
            key
            for key in candidates
            if key not in (METHOD, SEED) and key in self.done and differs(self.done, key)
        ]

    @cached_property
    def differing(self) -> str:
        """In which settings that no column tells the files differ, in words; or nothing."""
        files = [(path_text(file.path), file.config) for file in self._files]
        return differences(files, {*self.axes, *schema.SETTINGS, *schema.DEALT})

    @property
    def headline(self) -> str:
        """The metric that the workload names first; without curves, as of barriers between saved
        models, the first that was measured on the test set."""
        if len(self.metrics):
            return str(self.metrics.metric.iloc[0])
        tested = self.instruments[self.instruments.split == "test"]
        return str(tested.metric.iloc[0]) if len(tested) else "accuracy"

    def series(self, metric: str = "accuracy", split: str = "test") -> pd.DataFrame:
        """The learning curve of each finished cell: cell, round, epoch, value.

        The merged policy's value; for the method `local`, which has none, the mean over the robots,
        NaN where one of them has no value.
        """
        known = self.metrics
        rows = known[(known.metric == metric) & (known.split == split)]
        if rows.empty and not self.done.empty:
            pairs = known[["split", "metric"]].drop_duplicates()
            have = ", ".join(f"{row.split} {row.metric}" for row in pairs.itertuples())
            raise ResultsError(f"no {split} {metric} in these results; they have: {have or 'none'}")
        wanted = np.zeros(int(self.cells.cell.max()) + 1, dtype=bool)
        local = wanted.copy()
        wanted[self.done.cell] = True
        local[self.done.cell[self.done[METHOD] == "local"]] = True
        cell = rows.cell.to_numpy()
        rows = rows[wanted[cell] & (local[cell] == (rows.robot.to_numpy() >= 0))]
        return mean_of_all(rows, ["cell", "round", "epoch"]).reset_index()

    def final(self, metric: str = "accuracy", split: str = "test") -> pd.DataFrame:
        """One row per finished cell: the columns of `cells` and `value`, that of its last round.

        NaN where a cell holds no such value. Failed cells are left out; `failed` has them.
        """
        last = (
            self.series(metric, split)
            .sort_values(["cell", "round"])
            .drop_duplicates("cell", keep="last")
        )
        return self.done.merge(last[["cell", "value"]], on="cell", how="left")

    def _table(self, name: str) -> pd.DataFrame:
        parts = []
        for file, offset in zip(self._files, self._offsets, strict=True):
            columns = file.table(name)
            if columns is not None:
                parts.append({**columns, "cell": columns["cell"] + offset})
        if not parts:
            return pd.DataFrame(columns=list(schema.OPTIONAL[name]))
        table = _frame(_stack(parts))
        if len(self._dropped):
            table = table[~table.cell.isin(self._dropped)].reset_index(drop=True)
        return table


def _stack(parts: Sequence[Columns]) -> Columns:
    """The rows of all parts; where a part lacks a column: NaN, or an empty string."""
    if len(parts) == 1:
        return dict(parts[0])
    kinds: dict[str, np.dtype[Any]] = {}
    for part in parts:
        for column, values in part.items():
            kinds.setdefault(column, values.dtype)

    def values_of(part: Columns, column: str) -> np.ndarray:
        if column in part:
            return part[column]
        filler: object = b"" if kinds[column].kind in "SO" else np.nan
        return np.full(len(part["cell"]), filler)

    return {column: np.concatenate([values_of(p, column) for p in parts]) for column in kinds}


def _frame(columns: Columns) -> pd.DataFrame:
    decoded: dict[str, Any] = {}
    for column, values in columns.items():
        if values.dtype.kind not in "SO":
            decoded[column] = values
            continue
        codes, distinct = pd.factorize(values.astype(object))
        labels = [text_of(value) for value in distinct]
        if len(set(labels)) < len(labels):
            raise ResultsError(f"the column {column} holds texts that differ in their bytes only")
        if column in schema.PLAIN_STRINGS:
            decoded[column] = np.array(labels, dtype=object)[codes]
        else:
            decoded[column] = pd.Categorical.from_codes(codes, categories=labels)
    return pd.DataFrame(decoded)


def _repeated(cells: pd.DataFrame) -> pd.Series:
    """Which rows are further copies of a cell; finished ones come before failed ones."""
    finished_first = cells.assign(failed=cells.status != "done").sort_values(
        "failed", kind="stable"
    )
    copies = finished_first.duplicated("id") & (finished_first.id != "")
    return copies.reindex(cells.index)
