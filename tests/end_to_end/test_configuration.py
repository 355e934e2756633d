"""Mistakes in a configuration are found before anything runs; planning shows what would."""

import re
import subprocess
from pathlib import Path

import pytest

from conftest import BASE, BINARY, Fleet, Outcome

GRID = """
[sweep.grid]
merge.method = ["average", "fleet-merge", "local"]
fleet.alpha = [0.1, 1.0]
"""


def change(line: str, into: str) -> str:
    assert line in BASE
    return BASE.replace(line, into)


MISTAKES = {
    "misspelt key": (
        change("batch_size = 32\n\n", "batchsize = 32\n\n"),
        "sweep.toml:15:1",
        ["train.batchsize", "did you mean train.batch_size?"],
    ),
    "not for this network": (
        change("hidden = [12, 8]", "hidden = [12, 8]\nsign_flips = true"),
        "sweep.toml:12:14",
        ["model.sign_flips", "odd", '"tanh"'],
    ),
    "wrong table": (
        change("held_out = 0.1", "learning_rate = 0.1"),
        "sweep.toml:4:",
        ["data.learning_rate", "did you mean train.learning_rate?"],
    ),
    "wrong type": (
        change("robots = 5", 'robots = "five"'),
        "sweep.toml:7:10",
        ["fleet.robots", '"five"', "expected an integer", "a string"],
    ),
    "out of range": (
        change("held_out = 0.1", "held_out = 1.5"),
        "sweep.toml:4:12",
        ["data.held_out", "1.5", "from 0 to 0.9"],
    ),
    "not a choice": (
        BASE + '\n[sweep.grid]\nmerge.method = ["average", "fleet-murge"]\n',
        "sweep.toml:23:16",
        ["merge.method", "fleet-murge", "expected one of", 'did you mean "fleet-merge"?'],
    ),
    "not an axis": (
        BASE + "\n[sweep.grid]\nseed = 3\n",
        "sweep.toml:23:8",
        ["seed", "list"],
    ),
    "a value twice": (
        BASE + "\n[sweep.grid]\nseed = [3, 4, 3]\n",
        "sweep.toml:23:8",
        ["seed", "3 stands twice"],
    ),
    "uneven zip": (
        BASE + "\n[[sweep.zip]]\nseed = [1, 2]\nfleet.alpha = [0.1, 1.0, 10.0]\n",
        "sweep.toml:2",
        ["zipped keys advance together"],
    ),
    "a point twice": (
        BASE + "\n[[sweep.zip]]\nseed = [1, 1]\nfleet.alpha = [0.1, 0.1]\n",
        "sweep.toml:2",
        ["seed", "twice"],
    ),
    "misspelt axis": (
        BASE + "\n[sweep.grid]\nfleet.alhpa = [0.1, 1.0]\n",
        "sweep.toml:23:15",
        ["fleet.alhpa", "did you mean fleet.alpha?"],
    ),
    "two axes of one key": (
        BASE
        + "\n[sweep.grid]\nseed = [1, 2]\n[[sweep.zip]]\nseed = [3, 4]\nfleet.alpha = [1, 2]\n",
        "sweep.toml:2",
        ["seed", "two axes"],
    ),
    "more samples than there are": (
        change("held_out = 0.1", "samples = 601"),
        "sweep.toml:4:11",
        ["data.samples", "600 training images"],
    ),
    "broken syntax": (
        change("robots = 5", "robots = = 5"),
        "sweep.toml:7:",
        [],
    ),
}


def expect_mistake(fleet: Fleet, outcome: Outcome, place: str, words: list[str]) -> None:
    outcome.expect(2)
    said = [line for line in outcome.err.splitlines() if line.startswith("fleet:")]
    assert len(said) == 1, outcome.err
    assert place in said[0]
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_located_and_explained(fleet: Fleet, mistake: str) -> None:
    text, place, words = MISTAKES[mistake]
    config = fleet.config(base=text)
    before = fleet.everything()
    outcome = fleet("plan", config)
    expect_mistake(fleet, outcome, place, words)
    assert re.search(r"sweep\.toml:\d+:\d+: ", outcome.err)
    assert fleet.everything() == before


def test_a_run_on_many_ranks_says_it_once_and_leaves_nothing(fleet: Fleet) -> None:
    text, place, words = MISTAKES["misspelt key"]
    config = fleet.config(base=text)
    before = fleet.everything()
    expect_mistake(fleet, fleet.run(config, "out", ranks=4), place, words)
    assert fleet.everything() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "trian.epochs=1"], ["--set", "trian.epochs", "train.epochs"]),
        (["--set", "model.channels=[8]"], ["model.channels = [8]: nothing here reads it", '"cnn"']),
        (["--set", "train.gradient=ppo"], ["it is of workload control or locomotion"]),
        (["--set", "train.epochs=0"], ["--set", "train.epochs = 0", "expected an integer", "1"]),
        (["--set", "train.epochs"], ["train.epochs", "key=value"]),
        (["--set", "seed=[1, 2]"], ["--set: seed = [1, 2]", "--set sweep.grid.seed=[...]"]),
        (["--set", "name=1e5"], ["--set: name = ", "in quotes", "--set 'name="]),
        (["--set", 'name="a b"'], ["--set: name = ", "letters, digits"]),
        (["--set", "run.output="], ["--set: run.output = ", "directory of its own"]),
        (["--set", "run.output=a", "-o", "b"], ["--set: run.output = ", "--output says b"]),
        (["--set", "merge.method=fedavg"], ["--set: merge.method", 'called "average" here']),
        (["--shard", "2/2"], ["--shard 2/2", "0 <= I < N"]),
        (["--shard", "4294967296/4294967298"], ["--shard 4294967296/4294967298", "0 <= I < N"]),
        (["--shard", "+0/ 2"], ["--shard +0/ 2", "0 <= I < N"]),
        (["--rerun", "some"], ["--rerun some", "none, failed or all"]),
        (["--no-such-option"], ["--no-such-option", "usage:"]),
    ],
)
def test_a_mistake_on_the_command_line_is_explained(
    fleet: Fleet, arguments: list[str], words: list[str]
) -> None:
    config = fleet.config()
    before = fleet.everything()
    outcome = fleet("run", config, *arguments)
    expect_mistake(fleet, outcome, "fleet:", words)
    assert fleet.everything() == before


def test_a_missing_configuration_and_an_unknown_command_are_said(fleet: Fleet) -> None:
    outcome = fleet("run", "none.toml").expect(2)
    assert outcome.err.count("cannot read the configuration none.toml") == 1
    assert "did you mean plan?" in fleet("pln").expect(2).err
    assert fleet("run", "--help", ranks=2, data=False).expect(0).out.count("usage:") == 1


def test_a_value_set_by_hand_takes_its_axis_away(fleet: Fleet) -> None:
    config = fleet.config(GRID)
    assert len(listing(fleet("plan", config, "--cells", "--set", "fleet.alpha=5").out)) == 3
    zipped = fleet.config("\n[[sweep.zip]]\nseed = [1, 2]\nfleet.alpha = [0.1, 1.0]\n", "zipped")
    outcome = fleet("plan", zipped, "--resolved", "--set", "seed=9")
    ignored = outcome.code == 0 and "seed = 9" not in outcome.out
    assert not ignored, f"--set seed=9 had no effect and nothing was said:\n{outcome.out}"


def test_a_directory_may_be_called_as_a_date_and_given_twice_alike(fleet: Fleet) -> None:
    date = ["--set", "run.output=2030-01-02"]
    assert "-> 2030-01-02\n" in fleet("plan", fleet.config(), *date).expect(0).out
    assert (
        "-> 2030-01-02\n" in fleet("plan", fleet.config(), *date, "-o", "2030-01-02/").expect(0).out
    )


def test_a_file_of_any_name_makes_a_sweep_with_one(fleet: Fleet) -> None:
    config = fleet.config(name="my sweep (1)")
    assert "sweep     my_sweep_1 -> results/my_sweep_1\n" in fleet("plan", config).expect(0).out


def listing(text: str) -> list[str]:
    """The cells that `plan --cells` lists."""
    return [line for line in text.splitlines() if re.match(r"[0-9a-f]{16}  ", line)]


def test_plan_says_what_run_will_refuse(fleet: Fleet) -> None:
    config = fleet.config(GRID)
    fleet.run(config, "out").expect(0)
    plan = ("plan", config, "-o", "out")
    assert "--accept-changes" not in fleet(*plan).expect(0).out
    planned = fleet(*plan, "--set", "train.batch_size=7").expect(0).out
    assert "--accept-changes" in planned and "+ train.batch_size = 7" in planned
    more = fleet.config(GRID + "seed = [0, 1]\n", "more")
    slurm = ("slurm", more, "-o", "out", "--script", "job")
    refused = fleet(*slurm, data=True).expect(2).err
    assert "holds a sweep of another configuration" in refused and "--accept-changes" in refused
    fleet(*slurm, "--accept-changes", data=True).expect(0)
    assert "--accept-changes" in (fleet.directory / "job").read_text()


def test_a_job_script_asks_for_the_cores_that_threads_take(fleet: Fleet) -> None:
    config = fleet.config(GRID + "[run]\nthreads = 2\n")
    fleet.run(config, "out").expect(0)
    more = fleet.config(GRID + "seed = [0, 1, 2, 3]\n[run]\nthreads = 2\n", "more")
    slurm = ("slurm", more, "-o", "out", "--script", "job", "--accept-changes", "--hours", "1e-9")
    fleet(*slurm, "--cores", "4", data=True).expect(0)
    script = (fleet.directory / "job").read_text()
    tasks, nodes, each = (
        int(re.search(rf"--{option}=(\d+)", script)[1])  # type: ignore[index]
        for option in ("ntasks", "nodes", "cpus-per-task")
    )
    assert each == 2 and nodes == -(-tasks // 2), script
    refused = fleet(*slurm, "--cores", "1", data=True).expect(1).err
    assert "takes 2 cores (run.threads), a node has 1" in refused


def test_plan_counts_cells_and_touches_nothing(fleet: Fleet) -> None:
    config = fleet.config(GRID + "seed = [0, 1, 2, 3]\n")
    before = fleet.everything()
    outcome = fleet("plan", config, "--cells", "-n", "10").expect(0)
    assert "cells     24 (0 done)" in outcome.out
    assert "2 groups of 5" in outcome.out
    cells = listing(outcome.out)
    assert len({line.split()[0] for line in cells}) == 24
    assert fleet.everything() == before


def test_plan_says_which_methods_need_all_models_at_once(fleet: Fleet) -> None:
    config = fleet.config('[sweep.grid]\nmerge.method = ["average", "git-rebasin", "local"]\n')
    said = fleet("plan", config).expect(0).out
    assert re.search(r"^merging   sums over robots, .*: average$", said, re.MULTILINE), said
    assert re.search(r"^          sums, and models one after another, .*: git-rebasin$", said, re.M)
    said = fleet("plan", config, "--set", "merge.method=sinkhorn-data").expect(0).out
    assert re.search(
        r"^merging   all models at once on every rank, .*B: sinkhorn-data$", said, re.M
    )


def test_a_gpu_that_is_not_there_is_refused_before_anything_runs(fleet: Fleet) -> None:
    config = fleet.config()
    before = fleet.everything()
    device = ["--set", "run.device=cuda"]
    planned = fleet("plan", config, *device)
    if planned.code == 0:  # a LibTorch for CUDA plans for GPUs also where there are none
        if Path("/dev/nvidiactl").exists():
            pytest.skip("there is a GPU")
        planned = fleet.run(config, "out", *device).expect(1)
    for word in ("run.device", "LibTorch", "0 devices", '"cpu"'):
        assert word in planned.err
    assert fleet.run(config, "out", *device, ranks=2).code == planned.code
    assert fleet.everything() == before


def test_plan_and_run_agree_on_the_cells(fleet: Fleet) -> None:
    config = fleet.config(GRID)
    planned = listing(fleet("plan", config, "--cells", "-o", "out").expect(0).out)
    fleet.run(config, "out").expect(0)
    assert planned == [f"{cell}  {label}" for cell, label in fleet.cells("out").labels().items()]
    assert "cells     6 (6 done)" in fleet("plan", config, "-o", "out").expect(0).out


SWEEPS = {
    "no axes": "",
    "a grid and a zip": GRID + "\n[[sweep.zip]]\nseed = [1, 2]\ntrain.epochs = [1, 3]\n",
    "a zip before a grid": "\n[[sweep.zip]]\nseed = [1, 2]\ntrain.epochs = [1, 3]\n" + GRID,
    "cells left out": '\n[[sweep.exclude]]\nmerge.method = "local"\nfleet.alpha = 1\n' + GRID,
    "lists and texts": GRID
    + 'model.hidden = [[8], [12, 4]]\ntrain.optimizer = ["adam", "sgd"]\n'
    + "train.learning_rate = [1e-3, 1]\nmerge.fleet-merge.keep_best = [true, false]\n",
}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_resolved_configuration_expands_to_the_same_cells(fleet: Fleet, sweep: str) -> None:
    config = fleet.config(SWEEPS[sweep])
    cells = listing(fleet("plan", config, "--cells").expect(0).out)
    resolved = fleet("plan", config, "--resolved").expect(0).out
    assert "run.save_models" in resolved and f'run.data = "{fleet.data}"' in resolved
    again: Path = fleet.config(name="again", base=resolved)
    assert listing(fleet("plan", again, "--cells").expect(0).out) == cells


def test_an_output_that_is_full_is_a_failure(fleet: Fleet) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BINARY, "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "standard output cannot be written to" in done.stderr
