"""Nothing is removed or written over that this program has not made itself."""

import random
import socket
from pathlib import Path

import pytest

from conftest import Cells, Fleet, finish, kill_tree, wait_until

SEEDS = "\n[sweep.grid]\nseed = [0, 1]\n"
LONG = ("--set", "train.epochs=40", "--set", "run.checkpoint.every_rounds=1")
NAMES = (
    "a.tmp",
    "notes.txt",
    "queue.x",
    "queue.AbCdEf",
    "queue.fleet-AbCdEfG",
    "sweep.toml.bak",
    "sweep.toml.tmp",
    "sweep.toml.host.7.tmp",
    "sweep.toml.fleet-host.tmp",
    ".fleet-host.7.tmp",
    ".fleet-scratch-AbCdE",
    ".fetch-AbCdEf",
    "x.running",
    "x.checkpoint",
    "cells.h5",
    "merged.h5.fleet-host.7.tmp",
)
FOLDERS = (".", "cells-old", "cells-old/cells", "models.bak", "sub/sub", "queue.fleet-abcdef")


def scatter(directory: Path, seed: int) -> None:
    """Files of somebody, by names that are near ours, in and below a directory."""
    chance = random.Random(seed)
    for folder in FOLDERS:
        (directory / folder).mkdir(parents=True, exist_ok=True)
        for name in chance.sample(NAMES, 9):
            (directory / folder / name).write_bytes(chance.randbytes(50))


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}


def kept(before: dict[Path, bytes]) -> bool:
    return all(path.is_file() and path.read_bytes() == bytes_ for path, bytes_ in before.items())


def test_a_folder_of_files_is_no_place_for_a_sweep(fleet: Fleet) -> None:
    scatter(fleet.directory, 1)
    config = fleet.config(SEEDS, name="mine")
    before = contents(fleet.directory)
    for ranks in (0, 2):
        refused = fleet.run(config, ".", ranks=ranks).expect(2)
        assert refused.err.count("not empty and holds no sweep") == 1
        assert "--into-existing" in refused.err
        assert contents(fleet.directory) == before
    planned = fleet("plan", config, "-o", ".").expect(0)
    assert "not empty and holds no sweep" in planned.out
    above = fleet.directory / "sub"
    assert fleet.run(config, "sub").expect(2).err.count(str(above.name)) > 0
    assert contents(fleet.directory) == before


def test_files_beside_a_sweep_survive_all_that_happens_to_it(fleet: Fleet) -> None:
    home = fleet.directory / "home"
    scatter(home, 2)
    before = contents(home)
    config = fleet.config(SEEDS)
    into = ("--into-existing",)
    process = fleet.start("run", config, "-o", "home", *LONG, *into, ranks=2)
    cells = Cells(home)
    wait_until(lambda: bool(cells.files("*.checkpoint")), process)
    kill_tree(process.pid)
    assert finish(process).code != 0
    assert kept(before)
    fleet.run(config, "home", *LONG, ranks=2).expect(0)  # it holds a sweep by now
    fleet.run(config, "home", *LONG, "--rerun", "all").expect(0)
    fleet("collect", "home").expect(0)
    assert kept(before)
    ours = {path.relative_to(home) for path in contents(home)} - {
        path.relative_to(home) for path in before
    }
    results = {path.relative_to(home) for path in cells.done()}
    texts = {"cells.lock", "cells.tsv", "runs.tsv", "sweep.toml"}
    assert ours == results | {Path(text) for text in texts}
    assert len(results) == 2


@pytest.mark.parametrize("name", ["sweep.toml", "cells.tsv", "runs.tsv", "models/mine.h5"])
def test_a_file_by_one_of_our_names_is_never_written_over(fleet: Fleet, name: str) -> None:
    home = fleet.directory / "home"
    (home / name).parent.mkdir(parents=True)
    config = fleet.config(SEEDS, name="home/sweep" if name == "sweep.toml" else "sweep")
    if not (home / name).exists():
        (home / name).write_text("precious")
    before = contents(home)
    for flags in ([], ["--into-existing"], ["--accept-changes"]):
        refused = fleet.run(config, "home", *flags).expect(2)
        assert name.split("/")[0] in refused.err
        assert contents(home) == before


def test_a_file_in_the_place_of_results_is_found_before_anything_is_trained(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    results = fleet.directory / "out.h5"
    results.write_text("precious")
    refused = fleet.run(config, "out", ranks=2).expect(2)
    assert refused.err.count("out.h5 is there already") == 1
    assert not (fleet.directory / "out").exists()
    assert "out.h5 is there already" in fleet("plan", config, "-o", "out").expect(0).out
    fleet.run(config, "out", "--no-collect").expect(0)
    for arguments in (["out"], ["out", "-o", "out.h5"]):
        assert "out.h5 is there already" in fleet("collect", *arguments).expect(2).err
    cell = fleet.cells("out").done()[0]
    whole = cell.read_bytes()
    assert "is there already" in fleet("collect", "out", "-o", cell).expect(2).err
    assert results.read_text() == "precious"
    assert cell.read_bytes() == whole
    fleet("collect", "out", "-o", "mine.h5").expect(0)
    fleet("collect", "out", "-o", "mine.h5").expect(0)


def test_a_job_script_is_written_over_until_it_is_changed(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "out", "--shard", "0/2").expect(0)
    script = fleet.directory / "job.sbatch"

    def write(code: int) -> str:
        arguments = ("slurm", config, "-o", "out", "--script", script)
        return fleet(*arguments, data=True).expect(code).err

    write(0)
    first = script.read_text()
    assert first.startswith("#!/usr/bin/env bash\n# Written by fleet slurm")
    write(0)
    for mine in ("#!/bin/sh\necho mine\n", first.replace("--requeue", "--no-requeue"), ""):
        script.write_text(mine)
        assert "is there already" in write(2)
        assert script.read_text() == mine


def test_a_model_is_written_over_a_model_and_nothing_else(fleet: Fleet) -> None:
    config = fleet.config()
    fleet.run(config, "out", "--set", 'run.save_models="all"').expect(0)
    models = sorted((fleet.directory / "out" / "models").rglob("robot-*.h5"))[:2]
    mine = fleet.directory / "mine.h5"
    inputs = contents(fleet.directory / "out")

    def merge(output: str | Path, code: int) -> str:
        return fleet("merge", *models, "-m", "average", "-o", output, ranks=2).expect(code).err

    merge("merged.h5", 0)
    merge("merged.h5", 0)
    mine.write_text("precious")
    assert "mine.h5 is there already" in merge(mine, 2)
    assert "one of the models to be merged" in merge(models[1], 2)
    assert "is there already" in merge("out.h5", 2)
    assert mine.read_text() == "precious"
    assert contents(fleet.directory / "out") == inputs

    folder = fleet.directory / "curves"
    folder.mkdir()
    (folder / "barrier.h5").write_text("precious")
    arguments = ("barrier", *models, "-o", "curves", "--points", "2", "--align", "none")
    assert "barrier.h5 is there already" in fleet(*arguments, data=True, ranks=2).expect(2).err
    assert (folder / "barrier.h5").read_text() == "precious"
    (folder / "barrier.h5").unlink()
    for _ in range(2):
        fleet(*arguments, data=True).expect(0)


def test_what_a_kill_has_left_goes_with_the_next_run(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    fleet.run(config, "out").expect(0)
    cells = fleet.cells("out")
    undisturbed = fleet.everything()
    done, again = cells.done()
    host = socket.gethostname()
    for left in (
        done.with_suffix(".running"),
        done.with_suffix(".checkpoint"),
        done.with_suffix(".checkpoint.old"),
        done.with_suffix(f".checkpoint.fleet-{host}.1.tmp"),
        cells.directory / "queue.fleet-AbCdEf",
        cells.directory / f"sweep.toml.fleet-{host}.1.tmp",
        fleet.directory / f"out.h5.fleet-{host}.1.tmp",
        fleet.directory / f"out.h5.{host}.1.tmp",
    ):
        left.write_text("half")
    again.unlink()
    fleet.run(config, "out", "--no-collect").expect(0)
    assert fleet.everything() == undisturbed


def test_links_in_a_sweep_lead_nowhere(fleet: Fleet) -> None:
    config = fleet.config(SEEDS)
    elsewhere = fleet.directory / "elsewhere"
    elsewhere.mkdir()
    precious = fleet.directory / "precious"
    precious.write_text("precious")
    out = fleet.directory / "out"
    for name, target in [("runs.tsv", precious), ("cells.lock", precious), ("cells", elsewhere)]:
        fleet.run(config, "out", "--shard", "0/2").expect(0)
        moved = out / f"{name}.moved"
        (out / name).rename(moved)
        (out / name).symlink_to(target)
        refused = fleet.run(config, "out").expect(2)
        assert f"{name} is a symbolic link" in refused.err
        assert ("as a whole be a link" in refused.err) == (name == "cells")
        (out / name).unlink()
        moved.rename(out / name)
    assert precious.read_text() == "precious"
    assert list(elsewhere.iterdir()) == []
    out.rename(fleet.directory / "large disk")
    out.symlink_to("large disk")
    fleet.run(config, "out").expect(0)
    assert len(fleet.cells("out").done()) == 2


def test_no_path_leads_out_of_a_folder_that_is_not_there(fleet: Fleet) -> None:
    """Once that were made, the path would be somebody's file or folder."""
    (fleet.directory / "mine" / "cells").mkdir(parents=True)
    (fleet.directory / "mine" / "cells.tsv").write_text("precious")
    (fleet.directory / "mine" / "cells" / "0123456789abcdef.running").write_text("precious")
    config = fleet.config(SEEDS)
    models = ("--set", "run.save_models=all", "--set", "seed=0")
    fleet.run(config, "out", *models).expect(0)
    robots = sorted((fleet.directory / "out" / "models").rglob("robot-*.h5"))[:2]
    before = contents(fleet.directory)
    for command in (
        ["run", config, "-o", "new/../mine"],
        ["merge", *robots, "--method", "average", "-o", f"new/../{robots[0].name}"],
        ["collect", "out", "-o", "new/../mine/cells.tsv"],
    ):
        assert "leads out of new, which is not there" in fleet(*command).expect(2).err
        assert contents(fleet.directory) == before
        assert not (fleet.directory / "new").exists()
