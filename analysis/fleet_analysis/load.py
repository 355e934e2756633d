"""From results files (HDF5, schema version 1) to tidy tables.

`load` takes one file, many, a directory or a glob pattern and gives a `Results`. The table of cells
is read at once, since it is small and says whether the files are ours; the others when first asked
for. Strings are decoded once per distinct value, which is what keeps tables of millions of rows
quick.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from fleet_analysis import schema
from fleet_analysis.schema import METHOD, SEED

Source = str | os.PathLike[str]
Columns = dict[str, np.ndarray]

#: What h5py raises where the bytes of a file are not what they should be.
DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)


class ResultsError(Exception):
    """Results that cannot be read or do not hold what was asked for; the message is for the
    user."""


def load(source: Source | Iterable[Source]) -> Results:
    """The results in a file, a directory, a glob pattern, or a list of any of these.

    A directory stands for the *.h5 files in it; for the cells of the sweep that it holds; or else
    for what lies below it, saved models aside. Files are
    concatenated in the order given (sorted within a directory or pattern) and their cells
    renumbered so that each index is unique. A cell found twice, by its id, is kept once: finished
    rather than failed, then the first. Raises ResultsError.
    """
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    paths = list(dict.fromkeys(path for each in sources for path in _paths(each)))
    if not paths:
        raise ResultsError("no results files were given")
    return Results([_read_head(path) for path in paths])


class Results:
    """The tables of one or more results files; read-only.

    `cells`, `metrics`, `shards`, `rounds` and `instruments` are described in README.md. Strings are
    categoricals with their values in order of appearance, except `id` and `reason`, which are
    plain.
    """

    def __init__(self, heads: Sequence[_Head]) -> None:
        last = [int(head.cells["cell"].max()) + 1 for head in heads]
        self._paths = [head.path for head in heads]
        self._numbers = [head.cells["cell"] for head in heads]
        self._offsets = np.concatenate([[0], np.cumsum(last)[:-1]])
        stacked = _stack(
            [
                {**head.cells, "cell": head.cells["cell"] + offset}
                for head, offset in zip(heads, self._offsets, strict=True)
            ]
        )
        cells = _frame(stacked)
        repeated = _repeated(cells)
        self._dropped = cells.cell[repeated].to_numpy()
        self.cells: pd.DataFrame = cells[~repeated].reset_index(drop=True)
        self.axes: list[str] = list(dict.fromkeys(axis for head in heads for axis in head.axes))
        names = list(dict.fromkeys(head.name for head in heads))
        self.name: str = "+".join(
            names if len(names) <= 3 else [names[0], f"{len(names) - 1} more"]
        )
        configs = list(dict.fromkeys(head.config for head in heads))
        self.config: str = "\n".join(configs)
        self.provenance: pd.DataFrame = pd.DataFrame(
            [{"file": str(head.path), **head.provenance} for head in heads]
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
    def instruments(self) -> pd.DataFrame:
        """What instruments measured: cell, round, instrument, subject, split, metric, robot, other,
        at, value; without rows where none was on."""
        return self._table("instruments")

    @property
    def done(self) -> pd.DataFrame:
        """The cells that finished; only these count in figures and tables."""
        return self.cells[self.cells.status == "done"]

    @property
    def failed(self) -> pd.DataFrame:
        """The cells that did not finish; `reason` says why."""
        return self.cells[self.cells.status != "done"]

    @property
    def repeated(self) -> int:
        """How many cells were left out because another file held the same one."""
        return len(self._dropped)

    @property
    def swept(self) -> list[str]:
        """What differs between the finished cells, other than method and seed: swept axes first."""
        candidates = dict.fromkeys([*self.axes, *schema.SETTINGS])
        return [
            key
            for key in candidates
            if key not in (METHOD, SEED) and key in self.done and self.done[key].nunique() > 1
        ]

    @property
    def headline(self) -> str:
        """The metric that the workload names first."""
        return str(self.metrics.metric.iloc[0]) if len(self.metrics) else "accuracy"

    def series(self, metric: str = "accuracy", split: str = "test") -> pd.DataFrame:
        """The learning curve of each finished cell: cell, round, epoch, value.

        The merged policy's value; for the method `local`, which has none, the mean over the robots.
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
        return rows.groupby(["cell", "round", "epoch"], as_index=False)["value"].mean()

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
        for path, offset, known in zip(self._paths, self._offsets, self._numbers, strict=True):
            with _open(path) as file:
                if name in schema.OPTIONAL and name not in file:
                    continue
                columns = _read_table(file, path, name)
            if not np.isin(columns["cell"], known).all():
                raise ResultsError(f"{path}: /{name} speaks of cells that /cells lacks")
            columns["cell"] = columns["cell"] + offset
            parts.append(columns)
        if not parts:
            return pd.DataFrame(columns=list(schema.OPTIONAL[name]))
        table = _frame(_stack(parts))
        if len(self._dropped):
            table = table[~table.cell.isin(self._dropped)].reset_index(drop=True)
        return table


@dataclass(frozen=True)
class _Head:
    """What is read of every file at once."""

    path: Path
    name: str
    config: str
    axes: list[str]
    provenance: dict[str, str]
    cells: Columns


def _paths(source: Source) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        for pattern in ("*.h5", "cells/*.h5", "**/*.h5"):
            found = sorted(p for p in path.glob(pattern) if _may_hold_results(p.relative_to(path)))
            if found:
                return found
        raise ResultsError(f"{path}: no .h5 files in this directory")
    if not path.exists() and glob.has_magic(os.fspath(source)):
        found = sorted(map(Path, glob.glob(os.fspath(source), recursive=True)))  # noqa: PTH207
        if not found:
            raise ResultsError(f"{source}: no file matches")
        return found
    return [path]


def _may_hold_results(path: Path) -> bool:
    return not path.name.startswith(".") and "models" not in path.parts[:-1]


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    """The file for reading; whatever HDF5 has against it, then or later, is a ResultsError."""
    if not path.is_file():
        raise ResultsError(f"{path}: no such file")
    try:
        if path.stat().st_size == 0:
            raise ResultsError(f"{path}: the file is empty")
        if not h5py.is_hdf5(path):
            raise ResultsError(f"{path}: not an HDF5 file")
        file = h5py.File(path, "r")
    except OSError as error:
        raise ResultsError(f"{path}: cannot be opened; is it incomplete? ({error})") from error
    try:
        with file:
            yield file
    except DAMAGE as error:
        raise ResultsError(f"{path}: cannot be read; damaged? ({error})") from error


def _read_head(path: Path) -> _Head:
    with _open(path) as file:
        _check_version(file, path)
        missing = [name for name in schema.COLUMNS if name not in file]
        if missing:
            raise ResultsError(f"{path}: incomplete results file, lacks {_listed(missing)}")
        cells = _read_table(file, path, "cells")
        if not len(cells["cell"]):
            raise ResultsError(f"{path}: holds no cells")
        axes = _text(file["cells"].attrs.get("axes", ""))
        provenance = file["provenance"].attrs if "provenance" in file else {}
        return _Head(
            path=path,
            name=_text(file.attrs.get("name", "")) or path.stem,
            config=_text(file.attrs.get("config", "")),
            axes=[axis for axis in axes.split("\n") if axis],
            provenance={key: _text(value) for key, value in provenance.items()},
            cells=cells,
        )


def _check_version(file: h5py.File, path: Path) -> None:
    """ResultsError, with what to do, where the file is not ours or of another schema."""
    if "model_version" in file.attrs:
        raise ResultsError(f"{path}: a saved model, no results; see `fleet merge`, `fleet barrier`")
    if "schema_version" not in file.attrs:
        raise ResultsError(f"{path}: not a fleet results file (no attribute schema_version)")
    try:
        version = int(file.attrs["schema_version"])
    except (TypeError, ValueError, OSError) as error:
        raise ResultsError(f"{path}: its schema_version is no number") from error
    written = f"{path}: written in schema version {version}, this fleet-analysis reads "
    if version > schema.VERSION:
        raise ResultsError(f"{written}up to {schema.VERSION}; a newer one is needed")
    if version < schema.OLDEST:
        raise ResultsError(
            f"{written}from {schema.OLDEST} on; run the sweep again, or read it with the "
            f"fleet-analysis of the fleet that wrote it (/provenance: git_revision)"
        )


def _read_table(file: h5py.File, path: Path, name: str) -> Columns:
    table = file[name]
    names = table.dtype.names if isinstance(table, h5py.Dataset) else None
    if names is None or table.ndim != 1:
        raise ResultsError(f"{path}: /{name} is not a table")
    wanted = schema.COLUMNS.get(name) or schema.OPTIONAL[name]
    missing = [column for column in wanted if column not in names]
    if missing:
        raise ResultsError(f"{path}: /{name} lacks the column {_listed(missing)}")
    rows = table[:]
    for column in wanted:
        strings = column in schema.STRINGS
        if (rows[column].dtype.kind in "SO") != strings or rows[column].ndim != 1:
            kind = "strings" if strings else "numbers"
            raise ResultsError(f"{path}: the column {column} of /{name} does not hold {kind}")
    columns = {column: _native(rows[column]) for column in names}
    columns["cell"] = columns["cell"].astype(np.int64)
    return columns


def _native(values: np.ndarray) -> np.ndarray:
    """A column by itself, in this machine's byte order."""
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


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
        labels = [_text(value) for value in distinct]
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


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
