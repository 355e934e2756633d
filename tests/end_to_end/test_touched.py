"""Files that another program has opened, changed or made: read right, or refused by name."""

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import Fleet, outcome, table

SEAL = b"fleet CRC-32 "
SAVED = ("--set", "run.save_models=all", "--set", "run.save_weights=true")
GRID = '\n[sweep.grid]\nmerge.method = ["average", "git-rebasin"]\n'


def touch(path: Path) -> None:
    """As HDFView or h5py do that open a file for writing and leave it as it is."""
    h5py.File(path, "a").close()
    assert SEAL not in path.read_bytes()


def seal(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content + SEAL + b"%08x\n" % zlib.crc32(content))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Fleet:
    fleet = Fleet(tmp_path_factory.mktemp("finished"), digits)
    fleet.run(fleet.config(GRID), "out", *SAVED).expect(0)
    return fleet


@pytest.fixture
def swept(fleet: Fleet, finished: Fleet) -> Fleet:
    """A finished sweep of two cells in out/, with out.h5 and models, for a test to spoil."""
    shutil.copytree(finished.directory, fleet.directory, dirs_exist_ok=True)
    return fleet


def models(fleet: Fleet) -> list[str]:
    cell = sorted((fleet.directory / "out/models").iterdir())[0]
    return [str(cell / f"robot-{i}.h5") for i in range(5)]


def test_what_was_only_opened_for_writing_is_read_by_every_command(swept: Fleet) -> None:
    merge = ("merge", *models(swept), "--method", "average", "-o")
    swept(*merge, "before.h5").expect(0)
    before = [outcome(path) for path in swept.cells("out").done()]
    joined = table(swept.directory / "out.h5", "metrics")
    stamps = {}
    for path in [*swept.cells("out").done(), *map(Path, models(swept))]:
        touch(path)
        stamps[path] = path.stat().st_mtime_ns
    assert "2 cells: 2 done" in swept("status", "out").expect(0).out
    swept("collect", "out", "-o", "again.h5").expect(0)
    assert table(swept.directory / "again.h5", "metrics").equals(joined)
    touch(swept.directory / "again.h5")
    swept(*merge, "after.h5").expect(0)
    with (
        h5py.File(swept.directory / "before.h5") as a,
        h5py.File(swept.directory / "after.h5") as b,
    ):
        assert all(np.array_equal(a["weights"][name], b["weights"][name]) for name in a["weights"])
    swept("barrier", *models(swept)[:2], "--points", "3", "-o", "b").expect(0)
    resumed = swept.run(swept.config(GRID), "out", *SAVED).expect(0)
    assert "2 cells done (2 of them before)" in resumed.out
    assert [outcome(path) for path in swept.cells("out").done()] == before
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items()), "not run again"


def changed_value(file: h5py.File) -> None:
    rows = file["metrics"][:]
    rows["value"][0] += 1e-9
    file["metrics"][...] = rows


def renamed_column(file: h5py.File) -> None:
    rows = file["metrics"][:]
    del file["metrics"]
    types = [("worth" if n == "value" else n, rows.dtype[n]) for n in rows.dtype.names]
    file["metrics"] = rows.astype(types)


@pytest.mark.parametrize(
    "change",
    [
        changed_value,
        renamed_column,
        lambda file: file["cells"].attrs.__setitem__("axes", "seed"),
        lambda file: file.attrs.__delitem__("name"),
        lambda file: file.__delitem__("shards"),
    ],
)
def test_what_was_changed_is_refused_as_changed(
    swept: Fleet, change: Callable[[h5py.File], None]
) -> None:
    path = swept.cells("out").done()[0]
    with h5py.File(path, "a") as file:
        change(file)
    refused = swept("collect", "out").expect(1)
    assert f"{path.name} has been changed by another program" in refused.err
    assert "when it is removed, its cell is run again" in refused.err


def replace(file: h5py.File, name: str, data: object, **options: object) -> None:
    kept = dict(file[name].attrs)
    del file[name]
    file.create_dataset(name, data=data, **options).attrs.update(kept)


def group_instead(file: h5py.File, name: str) -> None:
    del file[name]
    file.create_group(name)


def linked(file: h5py.File, name: str) -> None:
    del file[name]
    file[name] = h5py.ExternalLink("/elsewhere.h5", name)


def retyped(kind: str) -> Callable[[h5py.File, str], None]:
    def change(file: h5py.File, name: str) -> None:
        rows = file[name][:]
        types = [
            (n, kind if rows.dtype[n].kind == "i" else rows.dtype[n]) for n in rows.dtype.names
        ]
        replace(file, name, np.array([tuple(row) for row in rows.tolist()], types))

    return change


def claimed(file: h5py.File, name: str) -> None:
    kind = file[name].dtype
    del file[name]
    file.create_dataset(name, shape=(10**12,), dtype=kind, chunks=(1024,))


STRANGE: dict[str, Callable[[h5py.File, str], None]] = {
    "missing": lambda file, name: file.__delitem__(name),
    "a group": group_instead,
    "a link": linked,
    "of a size that no file holds": claimed,
    "one value": lambda file, name: replace(file, name, file[name][:1][0]),
    "of two dimensions": lambda file, name: replace(file, name, file[name][:].reshape(1, -1)),
    "numbers": lambda file, name: replace(file, name, np.arange(3.0)),
    "of 64 bits": retyped("<i8"),
    "of reals": retyped("<f8"),
    "compressed by a stranger": lambda file, name: replace(
        file, name, np.repeat(file[name][:], 9), compression="lzf"
    ),
}
TABLES = ("cells", "metrics", "shards", "rounds")


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("name", TABLES)
def test_sealed_files_with_strange_tables_are_refused_by_name(
    swept: Fleet, kind: str, name: str
) -> None:
    path = swept.cells("out").done()[1]
    with h5py.File(path, "a") as file:
        STRANGE[kind](file, name)
    seal(path)
    refused = swept("collect", "out", "-o", "again.h5").expect(1)
    assert path.name in refused.err and name in refused.err
    assert not (swept.directory / "again.h5").exists()
    assert "std::" not in refused.err and "No such file" not in refused.err


@pytest.mark.parametrize("rows", [0, 2])
def test_a_cell_has_one_row(swept: Fleet, rows: int) -> None:
    path = swept.cells("out").done()[1]
    with h5py.File(path, "a") as file:
        replace(file, "cells", np.repeat(file["cells"][:], rows))
    seal(path)
    refused = swept("collect", "out").expect(1)
    assert path.name in refused.err and "cells has " in refused.err


def test_narrower_numbers_are_the_same_numbers(swept: Fleet) -> None:
    before = table(swept.directory / "out.h5", "metrics")
    path = swept.cells("out").done()[0]
    with h5py.File(path, "a") as file:
        retyped(">i2")(file, "metrics")
    seal(path)
    swept("collect", "out").expect(0)
    assert table(swept.directory / "out.h5", "metrics").equals(before)


WEIGHTS = "weights/layers.0.weight"


def wider(file: h5py.File, name: str) -> None:
    replace(file, name, file[name][:].astype(">f8"))


@pytest.mark.parametrize(
    "change",
    [
        group_instead,
        linked,
        lambda file, name: file.__delitem__(name),
        lambda file, name: replace(file, name, np.array([b"abc"])),
        lambda file, name: replace(file, name, np.full(file[name].shape, 1e300)),
        lambda file, name: replace(file, name, np.full(file[name].shape, np.nan)),
        lambda file, name: replace(file, name, file[name][:].ravel()),
        lambda file, name: replace(file, name, np.float32(1)),
        claimed,
        lambda file, _: replace(file, "actions", file["actions"][:0]),
        lambda file, _: replace(file, "groups", file["groups"][:0]),
        lambda file, _: replace(file, "tensors", file["tensors"][:0]),
        lambda file, _: file.attrs.__setitem__("robot", 2**40),
        lambda file, _: file.attrs.__setitem__("samples", -1),
        lambda file, _: file.attrs.__setitem__("round", 1.5),
        lambda file, _: file.attrs.__setitem__("settings", np.array([1, 2])),
        lambda file, _: file.attrs.__delitem__("model_version"),
    ],
)
def test_sealed_models_that_are_strange_are_refused_by_name(
    swept: Fleet, change: Callable[[h5py.File, str], None]
) -> None:
    first, second, *_ = models(swept)
    with h5py.File(first, "a") as file:
        change(file, WEIGHTS)
    seal(Path(first))
    refused = swept("merge", first, second, "--method", "average", "-o", "merged.h5")
    assert refused.code in (1, 2), refused.text
    assert Path(first).name in refused.err
    assert "std::" not in refused.err
    assert not (swept.directory / "merged.h5").exists()


@pytest.mark.parametrize("settings", ["workload = 5\n", "seed = 1\n", "workload = [", ""])
def test_a_model_whose_settings_name_no_workload_has_no_data(swept: Fleet, settings: str) -> None:
    first, second, *_ = models(swept)
    with h5py.File(first, "a") as file:
        file.attrs["settings"] = settings
    seal(Path(first))
    refused = swept("merge", first, second, "--method", "fleet-merge", "-o", "merged.h5")
    assert refused.code in (1, 2), refused.text
    assert Path(first).name in refused.err and "std::" not in refused.err


def test_wider_weights_are_the_same_weights(swept: Fleet) -> None:
    merge = ("merge", *models(swept), "--method", "average", "-o")
    swept(*merge, "before.h5").expect(0)
    with h5py.File(models(swept)[0], "a") as file:
        wider(file, WEIGHTS)
    seal(Path(models(swept)[0]))
    swept(*merge, "after.h5").expect(0)
    with (
        h5py.File(swept.directory / "before.h5") as a,
        h5py.File(swept.directory / "after.h5") as b,
    ):
        assert np.array_equal(a[WEIGHTS], b[WEIGHTS])


def test_a_failed_cell_without_its_reason_is_named_by_status(swept: Fleet) -> None:
    path = swept.cells("out").done()[0]
    failed = path.rename(path.with_suffix(".failed.h5"))
    with h5py.File(failed, "a") as file:
        replace(file, "cells", file["cells"][:0])
    seal(failed)
    refused = swept("status", "out").expect(1)
    assert failed.name in refused.err and "no rows" in refused.err
