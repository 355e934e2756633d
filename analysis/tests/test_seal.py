"""Files that are not as they were written: none gives another number without a word."""

import logging
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import changed, grid, settle, write, write_sweep

from fleet_analysis import ResultsError, load
from fleet_analysis.cli import main
from fleet_analysis.files import Reader
from fleet_analysis.follow import looks
from fleet_analysis.seal import INNER, LENGTH, Seal, inner_sealed, read_seal, seal_of

AXES = grid(merge__method=["average", "joint"], seed=[0, 1])


def flipped(path: Path, place: int, bit: int = 4) -> Path:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("share", np.linspace(0, 1, 41).round(3))
def test_a_flipped_bit_anywhere_is_an_error_that_names_the_file(
    share: float, tmp_path: Path
) -> None:
    path = write(tmp_path / "r.h5", AXES)
    place = round(share * (path.stat().st_size - 1))
    flipped(path, place, bit=place % 8)
    with pytest.raises(ResultsError, match=r"r\.h5: .*(damaged|not an HDF5 file)"):
        load(path)


def test_a_flipped_bit_of_a_value_is_not_shown_as_a_number(tmp_path: Path, capsys) -> None:
    path = write(tmp_path / "r.h5", AXES)
    with h5py.File(path) as file:
        start = file["metrics"].id.get_offset()
    assert main(["table", str(flipped(path, start + 60))]) == 2
    said = capsys.readouterr()
    assert said.out == "" and "checksum" in said.err and "collect or copy it again" in said.err


@pytest.mark.parametrize("place", range(-LENGTH, 0))
def test_a_broken_seal_is_no_missing_one(place: int, tmp_path: Path) -> None:
    path = flipped(write(tmp_path / "r.h5", AXES), place)
    assert read_seal(path) is Seal.BROKEN


@pytest.mark.parametrize("version", ["earliest", "v108", "latest"])
@pytest.mark.parametrize("after", [b"\n", b"x" * LENGTH, b"fleet CRC-32 "])
def test_bytes_behind_the_end_of_hdf5_are_no_missing_seal(
    version: str, after: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "r.h5"
    with h5py.File(
        path, "w", libver=("earliest", version) if version == "v108" else version
    ) as file:
        file["numbers"] = np.arange(100)
    content = path.read_bytes()
    assert read_seal(path) is Seal.MISSING
    path.write_bytes(content + after)
    assert read_seal(path) is Seal.BROKEN
    path.write_bytes(content + seal_of(content))
    assert read_seal(path) is Seal.INTACT


def test_a_file_cut_short_anywhere_is_never_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "r.h5", AXES)
    content = path.read_bytes()
    for length in [0, 7, *range(8, len(content), len(content) // 20), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ResultsError, match=r"r\.h5: "):
            _ = load(path).metrics


def test_a_file_opened_for_writing_elsewhere_is_read_with_a_warning(
    tmp_path: Path, caplog, capsys
) -> None:
    path = write(tmp_path / "r.h5", AXES)
    before = load(path).final()
    assert not caplog.records
    h5py.File(path, "a").close()
    assert load(path).final().equals(before)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING and record.name == "fleet_analysis"
    assert main(["table", str(path)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and str(path) in said[0] and "no checksum" in said[0]


def test_the_seal_inside_tells_for_the_one_that_was_cut_off(tmp_path: Path, caplog) -> None:
    path = write(tmp_path / "r.h5", AXES)
    with h5py.File(path, "a") as file:
        file.attrs["bytes_crc32"] = np.bytes_(INNER + b"0" * 8)
    content = inner_sealed(path.read_bytes())
    path.write_bytes(content + seal_of(content))
    before = load(path).final()
    h5py.File(path, "a").close()
    assert path.read_bytes() == content
    assert load(path).final().equals(before) and not caplog.records
    mark = content.index(INNER)  # without which there is no seal
    for place in range(0, len(content), len(content) // 60):
        if mark <= place < mark + len(INNER):
            continue
        path.write_bytes(content)
        with pytest.raises(ResultsError, match=r"damaged|not an HDF5 file"):
            load(flipped(path, place))
    path.write_bytes(content)
    with h5py.File(path, "a") as file:
        file["metrics"][0] = file["metrics"][1]
    with pytest.raises(ResultsError, match="damaged, or changed by another program"):
        load(path)


def test_many_files_without_a_seal_are_one_warning(tmp_path: Path, capsys) -> None:
    sweep = write_sweep(tmp_path / "sweep", AXES)
    for path in (sweep / "cells").glob("*.h5"):
        h5py.File(path, "a").close()
    page = str(tmp_path / "page.html")
    assert main(["report", str(sweep), "-o", page, "--follow", "0.01"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and "and 3 more" in said[0]


def test_a_warning_is_said_once_however_often_a_sweep_is_looked_at(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    states = ["done", "done", "pending", "pending"]
    sweep = write_sweep(tmp_path / "sweep", AXES, state=states.__getitem__)
    for path in (sweep / "cells").glob("*.h5"):
        h5py.File(path, "a").close()
    looked = []

    def sleep(_: float) -> None:
        looked.append(None)
        if len(looked) == 3:
            for number in (2, 3):
                settle(sweep, AXES, number, "done")

    monkeypatch.setattr("fleet_analysis.cli.looks", partial(looks, sleep=sleep))
    assert main(["watch", str(sweep)]) == 0
    assert len(looked) == 3 and len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_replaced_after_loading_gives_no_table_of_the_new_one(tmp_path: Path) -> None:
    path = write(tmp_path / "r.h5", AXES)
    results = load(path)
    write(path, grid(merge__method=["joint", "average"], seed=[0, 1]))
    with pytest.raises(ResultsError, match=r"r\.h5: has changed since it was loaded"):
        _ = results.metrics


def test_a_reader_notices_damage_to_a_file_that_it_has_read(tmp_path: Path) -> None:
    path = write(tmp_path / "r.h5", AXES)
    read = Reader()
    assert read(path) is read(path)
    flipped(path, 1000)
    with pytest.raises(ResultsError, match="damaged"):
        read(path)


@pytest.mark.parametrize("pattern", ["", "cells", "cells/*.h5", "elsewhere/*.h5"])
def test_a_cell_copied_over_another_is_no_second_seed(pattern: str, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", AXES)
    first, second, *_ = sorted((sweep / "cells").glob("*.h5"))
    second.write_bytes(first.read_bytes())
    (sweep / "elsewhere").mkdir()
    (sweep / "elsewhere" / second.name).write_bytes(first.read_bytes())
    with pytest.raises(ResultsError) as error:
        load(sweep / pattern)
    assert second.stem in str(error.value) and first.stem in str(error.value)


def test_a_failed_cell_copied_over_another_is_noticed(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", AXES, state=lambda _: "failed")
    first, second, *_ = sorted((sweep / "cells").glob("*.h5"))
    second.write_bytes(first.read_bytes())
    with pytest.raises(ResultsError, match="but holds"):
        load(sweep)


def test_two_rows_of_one_index_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "r.h5", AXES)
    with changed(path) as file:
        cells = file["cells"][:]
        cells["cell"] = 0
        file["cells"][:] = cells
    with pytest.raises(ResultsError, match="the same index"):
        load(path)


def test_a_table_in_another_file_is_an_error(tmp_path: Path) -> None:
    path, other = (write(tmp_path / f"{name}.h5", AXES) for name in "ab")
    with changed(path) as file:
        del file["metrics"]
        file["metrics"] = h5py.ExternalLink(str(other), "metrics")
    with pytest.raises(ResultsError, match="/metrics does not lie in this file"):
        _ = load(path).metrics


def test_more_rows_than_a_file_can_hold_are_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "r.h5", AXES)
    with changed(path) as file:
        kind = file["metrics"].dtype
        del file["metrics"]
        file.create_dataset("metrics", (10**11,), kind, chunks=(1000,))
    with pytest.raises(ResultsError, match="100000000000 rows"):
        _ = load(path).metrics
