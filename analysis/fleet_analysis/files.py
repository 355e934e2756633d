"""Results files (HDF5, schema version 1) one by one: where they are, whether they are ours, and
their tables as they lie there."""

from __future__ import annotations

import glob
import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from fleet_analysis import schema
from fleet_analysis.names import path_text, text_of
from fleet_analysis.seal import Seal, read_seal

Source = str | os.PathLike[str]
Columns = dict[str, np.ndarray]

#: What h5py raises where the bytes of a file are not what they should be.
DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError)
#: A table of so many bytes fits any memory; a larger one is believed as far as deflate can pack.
MOST_UNASKED, MOST_PACKED = 1 << 26, 1032
_RUN_AGAIN = "remove it and run the sweep again, which runs only this cell"


class ResultsError(Exception):
    """Results that cannot be read or do not hold what was asked for; the message is for the
    user."""


class Stamp(NamedTuple):
    """By which a file is known to be the one that was read before."""

    inode: int
    changed: int
    size: int


@dataclass(frozen=True)
class ResultsFile:
    """What is read of every file at once; its other tables when first asked for. `sealed`: whether
    its bytes are known to be those that were written. `settings`, of a file of one cell: all that
    it was run with, in lines `key = value`; elsewhere empty. `kept` holds tables for a next time,
    where there will be one."""

    path: Path
    name: str
    config: str
    axes: list[str]
    provenance: dict[str, str]
    cells: Columns
    settings: str
    stamp: Stamp
    sealed: bool
    kept: dict[str, Columns] | None = field(default=None, compare=False)

    def table(self, name: str) -> Columns | None:
        """The columns of a table; None where it may be missing, and is. Raises ResultsError."""
        if self.kept is not None and name in self.kept:
            return self.kept[name]
        with _open(self.path, self.stamp) as file:
            if name in schema.OPTIONAL and name not in file:
                return None
            columns = _read_table(file, self.path, name)
        if not np.isin(columns["cell"], self.cells["cell"]).all():
            raise ResultsError(f"{self.path}: /{name} speaks of cells that /cells lacks")
        if self.kept is not None:
            self.kept[name] = columns
        return columns

    def cells_with(self, keys: Iterable[str]) -> Columns:
        """The columns of `cells`, and those of further settings, as far as the file knows them: a
        cell that is older than an axis of its sweep has the value that was not swept then."""
        lacking = {key for key in keys if key not in self.cells}
        if not (lacking and self.settings):
            return self.cells
        known = dict(line.split(" = ", 1) for line in self.settings.splitlines() if " = " in line)
        try:
            further = {key: _column(known[key]) for key in lacking if key in known}
        except tomllib.TOMLDecodeError as error:
            raise ResultsError(f"{self.path}: settings of the cell: {error}") from error
        return self.cells | further


class Reader:
    """Reads the same files again and again, but from disk only those that are new or have
    changed."""

    def __init__(self) -> None:
        self._read: dict[Path, ResultsFile] = {}

    def __call__(self, path: Path) -> ResultsFile:
        """As `read_file` does."""
        known = self._read.get(path)
        try:
            changed = known is None or known.stamp != _stamp(path)
        except OSError:
            changed = True  # and `read_file` says what is wrong
        if known is None or changed:
            known = self._read[path] = read_file(path, keep=True)
        return known


def find_files(source: Source | Iterable[Source]) -> list[Path]:
    """The files that `load` means by a source. Raises ResultsError where there are none."""
    sources = [source] if isinstance(source, (str, os.PathLike)) else list(source)
    paths = list(dict.fromkeys(path for each in sources for path in _paths(each)))
    if not paths:
        raise ResultsError("no results files were given")
    return paths


def planned(directory: Path) -> dict[str, str] | None:
    """The labels of a sweep's cells by id, in the order of the plan; None where this is no sweep's
    directory."""
    try:
        text = (directory / "cells.tsv").read_text(encoding="utf-8", errors="backslashreplace")
    except OSError:
        return None
    return dict(line.split("\t", 1) for line in text.split("\n") if "\t" in line)


def read_file(path: Path, keep: bool = False) -> ResultsFile:
    """Raises ResultsError where the file is not ours, not whole, not as it was written, of another
    cell than its name says, or of another schema."""
    stamp, sealed = _checked(path)
    with _open(path, stamp) as file:
        _check_version(file, path)
        missing = [name for name in schema.COLUMNS if name not in file]
        if missing:
            raise ResultsError(f"{path}: incomplete results file, lacks {_listed(missing)}")
        cells = _read_table(file, path, "cells")
        if not len(cells["cell"]):
            raise ResultsError(f"{path}: holds no cells")
        _check_cells(cells, path)
        said = file["cells"].attrs
        axes = text_of(said.get("axes", ""))
        provenance = file["provenance"].attrs if "provenance" in file else {}
        return ResultsFile(
            path=path,
            name=text_of(file.attrs.get("name", "")) or path_text(path.stem),
            config=text_of(file.attrs.get("config", "")),
            axes=[axis for axis in axes.split("\n") if axis],
            provenance={key: text_of(value) for key, value in provenance.items()},
            cells=cells,
            settings=text_of(said.get("settings", "")),
            stamp=stamp,
            sealed=sealed,
            kept={} if keep else None,
        )


def _paths(source: Source) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        for pattern in ("*.h5", "cells/*.h5", "**/*.h5"):
            found = sorted(p for p in path.glob(pattern) if _may_hold_results(p.relative_to(path)))
            current = _of_current_plans(found)
            if current:
                return current
            if found:
                raise ResultsError(
                    f"{path}: no cell of the sweep as it is planned now has ended yet"
                )
        raise ResultsError(f"{path}: no .h5 files in this directory")
    if not path.exists() and glob.has_magic(os.fspath(source)):
        found = sorted(map(Path, glob.glob(os.fspath(source), recursive=True)))  # noqa: PTH207
        if not found:
            raise ResultsError(f"{source}: no file matches")
        return found
    return [path]


def _of_current_plans(paths: list[Path]) -> list[Path]:
    """Without the cells that a sweep has kept from earlier configurations."""
    plans = {p.parent: planned(p.parent.parent) for p in paths if p.parent.name == "cells"}

    def is_current(path: Path) -> bool:
        plan = plans.get(path.parent)
        return plan is None or path.name.removesuffix(".h5").removesuffix(".failed") in plan

    return [path for path in paths if is_current(path)]


def _may_hold_results(path: Path) -> bool:
    return not path.name.startswith(".") and "models" not in path.parts[:-1]


def _checked(path: Path) -> tuple[Stamp, bool]:
    """The file's stamp, and whether there is a seal. ResultsError, with what to do, where the file
    is not HDF5 or its seal is broken."""
    if not path.is_file():
        raise ResultsError(f"{path}: no such file")
    try:
        stamp = _stamp(path)
        if stamp.size == 0:
            raise ResultsError(f"{path}: the file is empty")
        if not h5py.is_hdf5(path):
            raise ResultsError(f"{path}: not an HDF5 file")
        seal = read_seal(path)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error})") from error
    if seal is Seal.BROKEN:
        again = _RUN_AGAIN if path.parent.name == "cells" else "collect or copy it again"
        raise ResultsError(
            f"{path}: damaged, or changed by another program: not the bytes that were written "
            f"(checksum); {again}"
        )
    return stamp, seal is Seal.INTACT


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return Stamp(status.st_ino, status.st_mtime_ns, status.st_size)


@contextmanager
def _open(path: Path, stamp: Stamp) -> Iterator[h5py.File]:
    """The file that has been checked, for reading; whatever HDF5 has against it, then or later, is
    a ResultsError, and so is another file in its place, whose cells would be others."""
    if not path.is_file():
        raise ResultsError(f"{path}: no such file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ResultsError(f"{path}: cannot be opened; is it incomplete? ({error})") from error
    try:
        with file:
            if _stamp(path) != stamp:
                raise ResultsError(f"{path}: has changed since it was loaded; load it again")
            yield file
    except DAMAGE as error:
        raise ResultsError(f"{path}: cannot be read; damaged? ({error})") from error


def _check_cells(cells: Columns, path: Path) -> None:
    """ResultsError where two cells have one index, or where the file is named after a cell and
    holds another: a copy of it, which would count as a second one."""
    if len(np.unique(cells["cell"])) < len(cells["cell"]):
        raise ResultsError(f"{path}: several rows of /cells have the same index")
    ids = [text_of(each) for each in cells["id"]]
    named = path.name.removesuffix(".h5").removesuffix(".failed")
    planned_here = path.parent.name == "cells" and (path.parent.parent / "cells.tsv").is_file()
    if planned_here or (len(ids) == 1 and _is_id(named) and len(named) == len(ids[0])):
        others = [each for each in ids if each != named]
        if others:
            raise ResultsError(
                f"{path}: is named after the cell {named}, but holds {others[0]}; {_RUN_AGAIN}"
            )


def _is_id(text: str) -> bool:
    return re.fullmatch("[0-9a-f]+", text) is not None


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
    _check_storage(file, path, name)
    wanted = schema.COLUMNS.get(name) or schema.OPTIONAL[name]
    missing = [column for column in wanted if column not in names]
    if missing:
        raise ResultsError(f"{path}: /{name} lacks the column {_listed(missing)}")
    for column in names:
        _check_column(table.dtype[column], column, column in wanted, f"{path}: /{name}")
    rows = table[:]
    columns = {column: _native(rows[column]) for column in names}
    columns["cell"] = columns["cell"].astype(np.int64)
    return columns


def _check_column(dtype: np.dtype, column: str, wanted: bool, where: str) -> None:
    """ResultsError where a column holds neither strings nor numbers, a value per row; or not what
    those hold that have a meaning."""
    strings = dtype.kind in "SU" or h5py.check_string_dtype(dtype) is not None
    if dtype.shape or not (strings or dtype.kind in "biuf"):
        kind = "strings or numbers, one in each row"
        raise ResultsError(f"{where}: the column {column} holds {dtype}, not {kind}")
    words = column in schema.STRINGS
    known = wanted or column in schema.COUNTS or column.startswith(schema.SECONDS)
    if known and strings != words:
        kind = "strings" if words else "numbers"
        raise ResultsError(f"{where}: the column {column} does not hold {kind}")


def _check_storage(file: h5py.File, path: Path, name: str) -> None:
    """ResultsError where a table's rows lie in another file, of which the seal says nothing, or are
    more than there is room for in this one."""
    table = file[name]
    plain = isinstance(file.get(name, getlink=True), h5py.HardLink)
    if not plain or table.is_virtual or table.external:
        raise ResultsError(f"{path}: /{name} does not lie in this file")
    size = table.size * table.dtype.itemsize
    if size > max(MOST_UNASKED, MOST_PACKED * path.stat().st_size):
        raise ResultsError(f"{path}: /{name} has {table.size} rows, more than the file can hold")


def _column(text: str) -> np.ndarray:
    """One row with a setting, as a table of cells has it: lists by their text."""
    value = tomllib.loads(f"value = {text}")["value"]
    if isinstance(value, bool):
        value = int(value)
    return np.array([text.encode() if isinstance(value, list) else
                     value.encode() if isinstance(value, str) else value])  # fmt: skip


def _native(values: np.ndarray) -> np.ndarray:
    """A column by itself, in this machine's byte order; floating point of unusual width as
    float64."""
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        return np.ascontiguousarray(values, dtype=np.float64)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
