"""Files that are no results: every command says so in a line and gives 2."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import METRIC, changed, grid, write

import fleet_analysis
from fleet_analysis import ResultsError
from fleet_analysis.cli import main

COMMANDS = {
    "figures": ["figures", "FILE", "-o", "OUT"],
    "figure": ["figure", "3d", "FILE", "-o", "OUT"],
    "figure 13": ["figure", "13", "FILE", "-o", "OUT"],
    "table": ["table", "FILE"],
    "report": ["report", "FILE", "-o", "OUT"],
    "compare": ["compare", "FILE", "GOOD"],
    "compare with": ["compare", "GOOD", "FILE"],
}


def _replace(file: h5py.File, name: str, rows: np.ndarray) -> None:
    del file[name]
    file[name] = rows


def _without_table(path: Path) -> None:
    with changed(write(path, grid())) as file:
        del file["metrics"]


def _without_column(path: Path) -> None:
    with changed(write(path, grid())) as file:
        cells = file["cells"][:]
        _replace(file, "cells", cells[[n for n in cells.dtype.names if n != "seed"]].copy())


def _group_for_table(path: Path) -> None:
    with changed(write(path, grid())) as file:
        del file["cells"]
        file.create_group("cells")


def _cut_short(path: Path) -> None:
    content = write(path, grid(seed=range(20))).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros(3)


def _no_cells(path: Path) -> None:
    with changed(write(path, grid())) as file:
        _replace(file, "cells", file["cells"][:0])


def _words_for_numbers(path: Path) -> None:
    with changed(write(path, grid())) as file:
        wrong = np.dtype([(n, "S8" if n == "value" else METRIC[n]) for n in METRIC.names])
        _replace(file, "metrics", np.zeros(3, wrong))


def _strangers(path: Path) -> None:
    with changed(write(path, grid())) as file:
        metrics = file["metrics"][:]
        metrics["cell"][-1] = 77
        _replace(file, "metrics", metrics)


def _version(value: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with changed(write(path, grid())) as file:
            file.attrs["schema_version"] = value

    return make


def _model(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["model_version"] = 1


def _overwritten(path: Path) -> None:
    content = bytearray(write(path, grid()).read_bytes())
    content[600:1400] = bytes(800)
    path.write_bytes(content)


BROKEN = [
    (lambda _: None, "no such file"),
    (lambda path: path.touch(), "empty"),
    (lambda path: path.write_text("a,b\n1,2\n"), "not an HDF5 file"),
    (lambda path: path.mkdir(), "no .h5 files"),
    (_foreign, "not a fleet results file"),
    (_model, "a saved model"),
    (_cut_short, "incomplete"),
    (_overwritten, "damaged"),
    (_without_table, "lacks metrics"),
    (_without_column, "/cells lacks the column seed"),
    (_group_for_table, "/cells is not a table"),
    (_no_cells, "holds no cells"),
    (_words_for_numbers, "column value of /metrics does not hold numbers"),
    (_strangers, "/metrics speaks of cells that /cells lacks"),
    (_version(2), "schema version 2.*a newer one is needed"),
    (_version(0), "schema version 0.*run the sweep again"),
    (_version("one"), "schema_version is no number"),
]


@pytest.mark.parametrize(("make", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_what_cannot_be_read_is_named_with_the_reason(make, message: str, tmp_path: Path) -> None:
    path = tmp_path / "results.h5"
    make(path)
    with pytest.raises(ResultsError, match=message) as error:
        _ = fleet_analysis.load(path).metrics
    assert str(path) in str(error.value)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("make", [make for make, _ in BROKEN], ids=[name for _, name in BROKEN])
def test_every_command_says_so_in_a_line(make, command: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / "results.h5"
    make(path)
    places = {"FILE": path, "OUT": tmp_path / "out", "GOOD": write(tmp_path / "good.h5", grid())}
    arguments = [str(places.get(word, word)) for word in COMMANDS[command]]
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.err.startswith("fleet-analysis: ") and len(said.err.splitlines()) == 1
    assert said.out == "" and not (tmp_path / "out").exists()


def test_numbers_of_another_byte_order_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", grid(seed=[0, 1]))
    before = fleet_analysis.load(path).final()
    with changed(path) as file:
        for name in ("cells", "metrics"):
            rows = file[name][:]
            axes = dict(file[name].attrs)
            _replace(file, name, rows.astype(rows.dtype.newbyteorder(">")))
            file[name].attrs.update(axes)
    assert fleet_analysis.load(path).final().equals(before)
