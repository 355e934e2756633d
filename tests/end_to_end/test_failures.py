"""What goes wrong is said clearly, with the right exit code, and costs no more than it must."""

import gzip
import re
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from conftest import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    Fleet,
    Outcome,
    table,
)

DIVERGING = """
[sweep.grid]
merge.method = ["average", "local"]
train.learning_rate = [0.05, 1e12]
"""
SGD = ("--set", "train.optimizer=sgd")
NOISE = ("terminate called", "Exception raised from", "frame #", "HDF5-DIAG", "Backtrace", "*** ")


def quiet(outcome: Outcome) -> Outcome:
    assert not [noise for noise in NOISE if noise in outcome.text], outcome.text
    return outcome


def test_a_diverging_cell_is_recorded_and_the_others_finish(fleet: Fleet) -> None:
    config = fleet.config(DIVERGING)
    reasons = []
    for ranks in (1, 4):
        output = f"on{ranks}"
        outcome = quiet(fleet.run(config, output, *SGD, ranks=ranks).expect(1))
        assert "2 cells done" in outcome.out
        assert "2 failed" in outcome.out
        cells = fleet.cells(output)
        assert len(cells.done()) == 2
        assert len(cells.failed()) == 2
        for path in cells.failed():
            assert list(table(path, "cells").status) == ["failed"]
            assert table(path, "shards").samples.sum() == 540
            with h5py.File(path) as file:
                assert "weights" not in file
        results = table(fleet.directory / f"{output}.h5", "cells")
        assert list(results.status) == ["done", "failed"] * 2
        assert (results.reason[results.status == "done"] == "").all()
        for reason in results.reason[results.status == "failed"]:
            assert re.search(r"round \d+: robot \d+", reason), reason
        reasons.append(list(results.reason))
    assert reasons[0] == reasons[1]


def test_a_failed_cell_is_named_and_rerun_only_on_demand(fleet: Fleet) -> None:
    config = fleet.config(DIVERGING)
    fleet.run(config, "out", *SGD).expect(1)
    status = fleet("status", "out").expect(0).out
    assert "4 cells: 2 done, 2 failed, 0 running, 0 pending" in status
    lines = [line for line in status.splitlines() if line.startswith("  failed")]
    assert len(lines) == 2
    assert all("train.learning_rate=1e+12" in line and "robot" in line for line in lines)
    cells = fleet.cells("out")
    first = cells.stamps()
    fleet.run(config, "out", *SGD).expect(1)
    assert cells.stamps() == first
    fleet.run(config, "out", *SGD, "--rerun", "failed").expect(1)
    again = cells.stamps()
    changed = {name for name in first if again[name] != first[name]}
    assert changed == {path.name for path in cells.failed()}
    assert len(changed) == 2


def test_a_cell_that_fails_when_rerun_is_no_longer_done(fleet: Fleet) -> None:
    config = fleet.config()
    fleet.run(config, "out").expect(0)
    (fleet.directory / "out" / "models").write_text("in the way of the cell's models")
    again = ("--rerun", "all", "--set", "run.save_models=merged")
    fleet.run(config, "out", *again).expect(1)
    assert "0 done, 1 failed" in fleet("status", "out").expect(0).out
    assert list(table(fleet.directory / "out.h5", "cells").status) == ["failed"]


def truncate(directory: Path, name: str) -> None:
    path = directory / name
    path.write_bytes(path.read_bytes()[:-100])


def mislabel(directory: Path, name: str) -> None:
    path = directory / name
    raw = bytearray(path.read_bytes())
    raw[8 + 17] = 200
    path.write_bytes(bytes(raw))


def spoil_magic(directory: Path, name: str) -> None:
    path = directory / name
    path.write_bytes(b"\x89PNG" + path.read_bytes()[4:])


def drop_labels(directory: Path, name: str) -> None:
    path = directory / name
    raw = path.read_bytes()
    count = int.from_bytes(raw[4:8], "big") - 10
    path.write_bytes(raw[:4] + count.to_bytes(4, "big") + raw[8 : 8 + count])


Damage = Callable[[Path, str], None]


@pytest.fixture
def damaged(fleet: Fleet) -> Fleet:
    """A fleet with data of its own, which may be damaged."""
    own = fleet.directory / "data"
    shutil.copytree(fleet.data, own)
    fleet.data = own
    return fleet


def claim_everything(directory: Path, name: str) -> None:
    """A header of 4 GiB, be it of labels or of one image, before the bytes that there are."""
    path = directory / name
    raw = path.read_bytes()
    if raw[3] == 1:
        path.write_bytes(raw[:4] + b"\xff" * 4 + raw[8:])
    else:
        path.write_bytes(raw[:4] + bytes([0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0]) + raw[16:])


def pack_badly(directory: Path, name: str) -> None:
    path = directory / name
    packed = bytearray(gzip.compress(path.read_bytes()))
    packed[-8] ^= 1  # of the checksum
    path.with_name(f"{name}.gz").write_bytes(packed)
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "name", "told"),
    [
        (spoil_magic, TRAIN_IMAGES, ["not an IDX file", TRAIN_IMAGES]),
        (drop_labels, TRAIN_LABELS, ["not as many labels as images"]),
        (drop_labels, TEST_LABELS, ["not as many labels as images"]),
        (truncate, TRAIN_IMAGES, ["truncated", TRAIN_IMAGES]),
        (truncate, TEST_LABELS, ["truncated", TEST_LABELS]),
        (mislabel, TRAIN_LABELS, ["training labels hold a label 200", "10 classes"]),
        (mislabel, TEST_LABELS, ["test labels hold a label 200", "10 classes"]),
        (claim_everything, TRAIN_LABELS, ["truncated", TRAIN_LABELS, "expected 4294967295 "]),
        (claim_everything, TEST_IMAGES, ["truncated", TEST_IMAGES, "1 x 65536 x 65536"]),
        (pack_badly, TRAIN_IMAGES, ["incorrect data check", f"{TRAIN_IMAGES}.gz"]),
    ],
)
def test_damaged_data_stop_before_anything_runs(
    damaged: Fleet, damage: Damage, name: str, told: list[str]
) -> None:
    damage(damaged.data, name)
    config = damaged.config(f"\n[run]\ndata = '{damaged.data}'\n")
    ranks = 2 if damage is truncate else 0
    run = damaged("run", config, "-o", "out", ranks=ranks, data=False)
    for outcome in (run, damaged("plan", config, data=False)):
        quiet(outcome.expect(2))
        for words in [*told, "sweep.toml:23:8: run.data = ", "fleet data fetch mnist"]:
            assert outcome.err.count(words) == 1, outcome.err
    assert not (damaged.directory / "out").exists()


@pytest.mark.parametrize("method", ["average", "joint"])
@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("data.samples=4", "5 robots (fleet.robots) share out 4 images"),
        ("fleet.robots=541", "600 training images in {data}, of which 60 are held out"),
        ("fleet.robots=1000", "600 training images in {data}"),
    ],
)
def test_fewer_samples_than_robots_stop_before_anything_runs(
    fleet: Fleet, method: str, setting: str, told: str
) -> None:
    config = fleet.config(f'\n[sweep.grid]\nmerge.method = ["{method}"]\n')
    for command in (("run", config, "-o", "out"), ("plan", config)):
        outcome = quiet(fleet(*command, "--set", setting).expect(2))
        assert f"--set: {setting.replace('=', ' = ')}: " in outcome.err
        assert told.format(data=fleet.data) in outcome.err
    assert not (fleet.directory / "out").exists()


def test_missing_data_is_met_with_how_to_fetch_it(fleet: Fleet) -> None:
    fleet.data = fleet.directory / "nowhere"
    config = fleet.config()
    for outcome in (fleet.run(config, "out"), fleet("plan", config)):
        quiet(outcome.expect(2))
        assert outcome.err.count("fleet data fetch mnist") == 1
        assert "nowhere" in outcome.err
        assert "run.data" in outcome.err
    assert not (fleet.directory / "out").exists()


@pytest.mark.parametrize(("output", "ranks"), [("file", 0), ("file/below", 4)])
def test_a_directory_that_cannot_be_made_is_said(fleet: Fleet, output: str, ranks: int) -> None:
    (fleet.directory / "file").write_text("in the way")
    config = fleet.config()
    outcome = quiet(fleet.run(config, output, ranks=ranks).expect(2))
    said = [line for line in outcome.err.splitlines() if line.startswith("fleet:")]
    assert said == ["fleet: file is a file; a sweep needs a directory of its own"]
    assert said[0].removeprefix("fleet: ") in fleet("plan", config, "-o", output).expect(0).out
    assert (fleet.directory / "file").read_text() == "in the way"


def limit_files_to(size: int) -> Callable[[], None]:
    """The disk is full, as far as a file of more than `size` bytes is concerned."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


# MPI without files of its own in shared memory, which the limit would also hit.
ALONE = {"OMPI_MCA_btl": "self", "PMIX_MCA_gds": "hash", "UCX_TLS": "self,tcp"}


def test_a_full_disk_leaves_no_half_file(fleet: Fleet) -> None:
    config = fleet.config()
    large = ("--set", "run.save_weights=true", "--set", "model.hidden=[700,700]")
    outcome = quiet(
        fleet(
            "run",
            config,
            *("-o", "out", *large, "--set", "train.epochs=1"),
            before=limit_files_to(1 << 20),
            environment=ALONE,
        ).expect(1)
    )
    assert "File too large" in outcome.err
    assert fleet.cells("out").files("*.h5") == []
    assert not (fleet.directory / "out.h5").exists()
    assert fleet.cells("out").files("*.tmp") == []


def test_a_full_disk_while_collecting_keeps_the_old_file(fleet: Fleet) -> None:
    config = fleet.config("\n[sweep.grid]\nseed = [0, 1, 2]\n")
    fleet.run(config, "out", "--set", "run.save_weights=true").expect(0)
    joined = fleet.directory / "out.h5"
    before = joined.read_bytes()
    outcome = quiet(fleet("collect", "out", before=limit_files_to(8192)).expect(1))
    assert "File too large" in outcome.err
    assert joined.read_bytes() == before
    assert list(fleet.directory.glob("*.tmp")) == []


def test_a_damaged_cell_file_is_named(fleet: Fleet) -> None:
    config = fleet.config("\n[sweep.grid]\nseed = [0, 1]\n")
    fleet.run(config, "out").expect(0)
    path = fleet.cells("out").done()[0]
    path.write_bytes(path.read_bytes()[:2000])
    outcome = quiet(fleet("collect", "out").expect(1))
    assert path.name in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_directory_that_is_no_sweep_is_said(fleet: Fleet) -> None:
    for command in ("status", "collect"):
        outcome = quiet(fleet(command, ".").expect(1))
        assert "is not a sweep's directory" in outcome.err
