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


def _with_column(name: str, table: str = "metrics", kind: object = "f8", **how: object):
    """A table with one more column, or another for one that it has."""

    def make(path: Path) -> None:
        with changed(write(path, grid(), epochs=2)) as file:
            rows, axes = file[table][:], dict(file[table].attrs)
            own = [(n, rows.dtype[n]) for n in rows.dtype.names if n != name]
            wider = np.zeros(len(rows), [*own, (name, kind)])
            for column, _ in own:
                wider[column] = rows[column]
            if "value" in how:
                wider[name] = how["value"]
            del file[table]
            empty = wider.dtype[name].hasobject  # of which numpy has no zeros
            file.create_dataset(table, wider.shape, wider.dtype, None if empty else wider)
            file[table].attrs.update(axes)

    return make


OPAQUE = h5py.opaque_dtype(np.dtype("M8[s]"))
#: What a column may not hold, whether it has a meaning or is one more.
UNREADABLE = {
    "complex": "c16",
    "time": OPAQUE,
    "bytes without meaning": "V3",
    "compound": [("a", "i4"), ("b", "i4")],
    "array": ("f8", (2,)),
    "array of strings": ("S3", (2,)),
    "lists": h5py.vlen_dtype(np.int32),
    "references": h5py.ref_dtype,
}


@pytest.mark.parametrize("kind", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize(
    ("table", "name"), [("metrics", "value"), ("metrics", "more"), ("cells", "x")]
)
def test_a_column_of_what_is_no_value_is_named(kind, table: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    _with_column(name, table, kind)(path)
    with pytest.raises(ResultsError, match=f"{path}: /{table}: the column {name} ") as error:
        _ = fleet_analysis.load(path).metrics
    assert "damaged" not in str(error.value)


@pytest.mark.parametrize("name", ["seconds_total", "seconds_train", "bytes_moved", "rounds"])
def test_an_outcome_is_a_number(name: str, tmp_path: Path) -> None:
    _with_column(name, "cells", "S4")(tmp_path / "a.h5")
    with pytest.raises(ResultsError, match=f"/cells: the column {name} does not hold numbers"):
        fleet_analysis.load(tmp_path / "a.h5")


@pytest.mark.parametrize("kind", ["f2", np.longdouble, "f4", "i1", "u8", "?"])
@pytest.mark.parametrize(("table", "name"), [("metrics", "value"), ("cells", "train.x")])
def test_numbers_of_every_width_serve_every_command(
    kind, table: str, name: str, tmp_path: Path, capsys
) -> None:
    _with_column(name, table, kind, value=1)(tmp_path / "a.h5")
    results = fleet_analysis.load(tmp_path / "a.h5")
    column = getattr(results, table)[name]
    assert (column == 1).all() and column.dtype.itemsize <= 8
    places = {"FILE": tmp_path / "a.h5", "OUT": tmp_path / "out", "GOOD": tmp_path / "a.h5"}
    for command in ("table", "report", "compare"):
        assert main([str(places.get(word, word)) for word in COMMANDS[command]]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("seconds", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["seconds_total", "seconds_train", "bytes_moved"])
def test_what_a_cell_took_may_be_unknown(name: str, seconds: float, tmp_path: Path) -> None:
    _with_column(name, "cells", "f8", value=seconds)(tmp_path / "a.h5")
    assert main(["report", str(tmp_path / "a.h5"), "-o", str(tmp_path / "p.html")]) == 0
    page = (tmp_path / "p.html").read_text()
    assert "width:nan" not in page and "width:inf" not in page
    assert ("unknown time" in page) == (name == "seconds_train")


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
    (_words_for_numbers, "/metrics: the column value does not hold numbers"),
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


@pytest.mark.parametrize("command", ["figures", "table", "report", "compare", "compare with"])
def test_a_fleet_with_data_of_its_own_has_nothing_dealt(command: str, tmp_path: Path) -> None:
    """Cells of a program of the user's do not say how data were dealt; all else is drawn."""
    axes = grid(merge__method=["average", "local"], seed=[0, 1])
    own = tmp_path / "own.h5"
    with changed(write(own, axes)) as file:
        cells = file["cells"][:]
        told = [n for n in cells.dtype.names if n not in ("fleet.alpha", "fleet.partition")]
        _replace(file, "cells", cells[told].copy())
    places = {"FILE": str(own), "GOOD": str(own), "OUT": str(tmp_path / "out.html")}
    if command == "figures":
        places["OUT"] = str(tmp_path / "figures")
    assert main([places.get(word, word) for word in COMMANDS[command]]) == 0
