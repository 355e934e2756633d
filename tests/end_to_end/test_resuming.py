"""Finished cells are kept: a sweep may be interrupted, killed, extended or run in parts."""

import contextlib
import gzip
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import h5py
import pytest

from conftest import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    Cells,
    Fleet,
    finish,
    kill_tree,
    outcome,
    ranks_of,
    table,
    wait_until,
)

SEEDS = '\n[sweep.grid]\nmerge.method = ["average", "local"]\nseed = [0, 1]\n'
LONG = """
[instruments]
norms = true
alignment = true
finetune_steps = 4
rounds = "every"

[sweep.grid]
merge.method = ["average", "fleet-merge"]
seed = [0, 1, 2]
"""
RUNNING = r"^  running .*: \S+, process \d+, (starting|round \d+ of 30), \S+$"
EPOCHS = ("--set", "train.epochs=30", "--set", "evaluate.local=every")


def test_a_finished_cell_is_never_run_again_unasked(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "out", ranks=2).expect(0)
    cells = fleet.cells("out")
    first = cells.stamps()
    results = cells.outcomes()
    again = fleet.run(config, "out").expect(0)
    assert "4 cells done (4 of them before)" in again.out
    assert cells.stamps() == first
    fleet.run(config, "out", "--rerun", "all").expect(0)
    assert all(cells.stamps()[name] != first[name] for name in first)
    assert cells.outcomes() == results


def test_a_changed_sweep_is_refused_with_the_difference(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "out").expect(0)
    cells = fleet.cells("out")
    before = {path: path.read_bytes() for path in cells.directory.rglob("*.*")}
    refused = fleet.run(config, "out", "--set", "train.batch_size=16", ranks=2).expect(2)
    assert refused.err.count("- train.batch_size = 32") == 1
    assert refused.err.count("+ train.batch_size = 16") == 1
    assert "--accept-changes" in refused.err
    assert "--output" in refused.err
    assert {path: path.read_bytes() for path in cells.directory.rglob("*.*")} == before


def test_accepting_changes_runs_only_the_new_cells(fleet: Fleet) -> None:
    fleet.run(fleet.config(SEEDS), "out").expect(0)
    cells = fleet.cells("out")
    first = cells.stamps()
    more = fleet.config(SEEDS.replace("[0, 1]", "[0, 1, 2]"))
    outcome = fleet.run(more, "out", "--accept-changes").expect(0)
    assert "6 cells done (4 of them before)" in outcome.out
    now = cells.stamps()
    assert len(now) == 6
    assert {name: now[name] for name in first} == first
    joined = fleet.directory / "out.h5"
    assert list(table(joined, "cells").seed) == [0, 1, 2, 0, 1, 2]
    with h5py.File(joined) as file:
        assert file.attrs["config"].decode() == (cells.directory / "sweep.toml").read_text()


def test_another_axis_runs_only_the_new_cells(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "out").expect(0)
    first = fleet.cells("out").stamps()
    more = fleet.config(SEEDS + "train.batch_size = [16, 32]\n")
    outcome = fleet.run(more, "out", "--accept-changes").expect(0)
    assert "8 cells done (4 of them before)" in outcome.out
    now = fleet.cells("out").stamps()
    assert {name: now[name] for name in first} == first
    whole = fleet.run(more, "whole").expect(0)
    assert whole.out.split("results:")[0] == outcome.out.split("results:")[0]
    joined = fleet.directory / "out.h5"
    assert list(table(joined, "cells")["train.batch_size"]) == [16, 32] * 4
    with h5py.File(joined) as parts, h5py.File(fleet.directory / "whole.h5") as at_once:
        assert parts["cells"].attrs["axes"] == at_once["cells"].attrs["axes"]


def test_how_a_sweep_is_run_is_no_change(fleet: Fleet, digits: Path) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "out").expect(0)
    first = fleet.cells("out").stamps()
    moved = fleet.directory / "moved"
    moved.symlink_to(digits)
    fleet.data = moved
    settings = ("--set", "run.threads=2", "--set", "run.ranks_per_cell=1")
    fleet.run(config, "out", *settings, ranks=2).expect(0)
    assert fleet.cells("out").stamps() == first


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS])
def test_other_data_under_the_same_name_are_other_cells(
    fleet: Fleet, tmp_path: Path, digits: Path, name: str
) -> None:
    config = fleet.config(SEEDS)
    fleet.data = tmp_path / "mine"
    shutil.copytree(digits, fleet.data)
    fleet.run(config, "out").expect(0)
    raw = bytearray((fleet.data / name).read_bytes())
    raw[-1] ^= 1
    (fleet.data / name).write_bytes(raw)
    first = fleet.cells("out").stamps()
    refused = fleet.run(config, "out").expect(2)
    assert re.search(r"- # of data [0-9a-f]{16}\n  \+ # of data [0-9a-f]{16}\n", refused.err)
    assert fleet.cells("out").stamps() == first
    accepted = fleet.run(config, "out", "--accept-changes").expect(0)
    assert "4 cells done (0 of them before)" in accepted.out
    assert "4 cells done (4 of them before)" in fleet.run(config, "out").expect(0).out


def test_the_same_data_compressed_are_the_same_cells(fleet: Fleet, digits: Path) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "out").expect(0)
    first = fleet.cells("out").stamps()
    fleet.data = fleet.directory / "packed"
    fleet.data.mkdir()
    for path in digits.iterdir():
        (fleet.data / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    fleet.run(config, "out").expect(0)
    assert fleet.cells("out").stamps() == first


def test_shards_add_up_to_the_whole(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "whole").expect(0)
    fleet.run(config, "parts", "--shard", "0/2", "--no-collect").expect(0)
    assert len(fleet.cells("parts").done()) == 2
    assert not (fleet.directory / "parts.h5").exists()
    fleet.run(config, "parts", "--shard", "1/2", "--no-collect", ranks=2).expect(0)
    fleet("collect", "parts").expect(0)
    assert fleet.cells("parts").outcomes() == fleet.cells("whole").outcomes()
    for name in ("metrics", "shards"):
        parts, whole = (table(fleet.directory / f"{d}.h5", name) for d in ("parts", "whole"))
        assert parts.equals(whole)
    assert outcome(fleet.directory / "parts.h5") == outcome(fleet.directory / "whole.h5")


def test_a_shard_without_cells_is_no_failure(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "out", "--shard", "4/5").expect(0)
    assert fleet.cells("out").done() == []


def start_and_wait(fleet: Fleet, config: Path, ranks: int) -> subprocess.Popen[str]:
    """A sweep under way: one cell done, another running."""
    cells = fleet.cells("out")
    process = fleet.start("run", config, "-o", "out", *EPOCHS, ranks=ranks)

    def under_way() -> bool:
        done = {path.stem for path in cells.done()}
        return bool(done) and any(path.stem not in done for path in cells.files("*.running"))

    wait_until(under_way, process)
    assert len(ranks_of(process)) == ranks
    return process


def expect_valid(cells: Cells) -> None:
    for path in cells.done():
        assert list(table(path, "cells").status) == ["done"]
        assert table(path, "rounds")["round"].max() == 30


@pytest.fixture(scope="module")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory, digits: Path
) -> dict[str, dict[str, bytes]]:
    fleet = Fleet(tmp_path_factory.mktemp("uninterrupted"), digits)
    fleet.run(fleet.config(LONG), "out", *EPOCHS, ranks=2).expect(0)
    return fleet.cells("out").outcomes()


@pytest.mark.parametrize(
    ("number", "first_only"),
    [(signal.SIGTERM, False), (signal.SIGUSR1, True)],
    ids=["SIGTERM to all ranks", "SIGUSR1 to one rank"],
)
def test_an_interrupted_sweep_goes_on_where_it_was(
    fleet: Fleet,
    uninterrupted: dict[str, dict[str, bytes]],
    number: signal.Signals,
    first_only: bool,
) -> None:
    config = fleet.config(LONG)
    process = start_and_wait(fleet, config, ranks=2)
    for rank in ranks_of(process)[: 1 if first_only else None]:
        os.kill(rank, number)
    began = time.monotonic()
    interrupted = finish(process).expect(75)
    assert time.monotonic() - began < 20
    assert interrupted.err.count("fleet: interrupted") == 1
    hint = re.search(r"^  (fleet run .*)$", interrupted.err, re.MULTILINE)
    assert hint and str(config) in hint[1] and "train.epochs=30" in hint[1]
    cells = fleet.cells("out")
    kept = cells.stamps()
    assert 1 <= len(kept) < 6
    assert cells.failed() == []
    assert cells.files("*.running") == []
    expect_valid(cells)
    rest = fleet.run(config, "out", *EPOCHS, ranks=2).expect(0)
    assert f"6 cells done ({len(kept)} of them before)" in rest.out
    assert {name: cells.stamps()[name] for name in kept} == kept
    assert cells.outcomes() == uninterrupted


def test_where_a_cell_is_can_be_read_at_any_moment(fleet: Fleet) -> None:
    process = start_and_wait(fleet, fleet.config(LONG), ranks=2)
    cells = fleet.cells("out")
    told = set()
    while process.poll() is None:
        for path in cells.files("*.running"):
            with contextlib.suppress(FileNotFoundError):
                told.add(f"  running x: {path.read_text()}")
    finish(process).expect(0)
    assert len(told) > 1
    assert [text for text in told if not re.fullmatch(RUNNING, text)] == []


def test_what_was_done_survives_a_kill(
    fleet: Fleet, uninterrupted: dict[str, dict[str, bytes]]
) -> None:
    config = fleet.config(LONG)
    process = start_and_wait(fleet, config, ranks=2)
    kill_tree(process.pid)
    assert finish(process).code != 0
    left = fleet("status", "out", "--all").expect(0).out
    assert re.search(RUNNING, left, re.MULTILINE), left
    assert len(left.splitlines()) == 7
    cells = fleet.cells("out")
    kept = cells.stamps()
    assert 1 <= len(kept) < 6
    expect_valid(cells)
    (cells.directory / "cells" / f"{'0' * 16}.h5.fleet-host.1.tmp").write_bytes(b"half a file")
    unfinished = set(cells.labels()) - {name.split(".")[0] for name in kept}
    half = sorted(unfinished)[0]
    (cells.directory / "cells" / f"{half}.h5.fleet-host.1.tmp").write_bytes(b"half a file")
    status = fleet("status", "out").expect(0).out
    assert f"6 cells: {len(kept)} done, 0 failed" in status
    fleet("collect", "out").expect(0)
    assert len(table(fleet.directory / "out.h5", "cells")) == len(kept)
    fleet.run(config, "out", *EPOCHS, ranks=2).expect(0)
    assert {name: cells.stamps()[name] for name in kept} == kept
    assert cells.outcomes() == uninterrupted
    assert cells.files("*.running") == []
    assert cells.files("*.tmp") == []
    assert list(cells.directory.glob("queue.*")) == []


def test_groups_stop_together(fleet: Fleet) -> None:
    config = fleet.config(LONG)
    cells = fleet.cells("out")
    groups = ("--set", "run.ranks_per_cell=1")
    process = fleet.start("run", config, "-o", "out", *EPOCHS, *groups, ranks=3)
    wait_until(lambda: bool(cells.files("*.running")), process)
    for rank in ranks_of(process):
        os.kill(rank, signal.SIGTERM)
    assert finish(process).expect(75).err.count("fleet: interrupted") == 1
    assert len(cells.done()) < 6
    assert cells.files("*.running") == []
