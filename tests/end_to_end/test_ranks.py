"""The outcome of a cell does not depend on how many ranks run it, nor on how they are grouped."""

import json
import os
import subprocess
from typing import Any

import numpy as np
import pytest

from conftest import (
    BINARY,
    ENVIRONMENT,
    MPIEXEC,
    SECONDS,
    Fleet,
    Outcome,
    finish,
    require_different_commands,
    table,
    write_digits,
)

VARIANTS = {
    "fleet.partition": ["mixture", "per-class", "iid", "per-class", "mixture", "iid"],
    "merge.participation": [1.0, 1.0, 0.6, 0.5, 0.4, 1.0],
    "merge.moments": ["reset", "keep", "average", "average", "keep", "average"],
    "merge.hand_back": ["all", "participants", "participants", "all", "participants", "all"],
    "train.optimizer": ["adam", "adam", "adam", "adam", "sgd", "sgd"],
    "train.momentum": [0.0, 0.0, 0.0, 0.0, 0.9, 0.9],
    "fleet.initialization": [
        "different",
        "common",
        "different",
        "different",
        "common",
        "different",
    ],
    "evaluate.local": ["every", "last", "never", "every", "every", "last"],
}


def every_method(methods: list[str]) -> str:
    return f"\n[sweep.grid]\nmerge.method = {json.dumps(methods)}\n"


def in_variants(chosen: slice) -> str:
    axes = "\n".join(f"{key} = {json.dumps(values[chosen])}" for key, values in VARIANTS.items())
    return f"[[sweep.zip]]\n{axes}\n"


def test_outcomes_are_the_same_bits_on_1_2_4_and_5_ranks(fleet: Fleet, methods: list[str]) -> None:
    """Every method in all variants on 1 and 2 ranks, and in half of them on 4 or 5."""
    every = slice(None)
    config = fleet.config(every_method(methods) + in_variants(every))
    save = ("--set", "run.save_weights=true")
    fleet.run(config, "on1", *save, ranks=1).expect(0)
    alone = fleet.cells("on1").outcomes()
    assert len(alone) == 6 * len(methods)
    for cell, label in fleet.cells("on1").labels().items():
        keeps_weights = any(name.startswith("/weights") for name in alone[cell])
        assert keeps_weights == ('merge.method="local"' not in label)
        if 'merge.method="fleet-merge"' in label:
            assert any(name.startswith("/permutations") for name in alone[cell])
    halves = ((4, methods[::2], slice(0, 6, 2)), (5, methods[1::2], slice(1, 6, 2)))
    for ranks, some, variants in ((2, methods, every), *halves):
        config = fleet.config(every_method(some) + in_variants(variants))
        fleet.run(config, f"on{ranks}", *save, ranks=ranks).expect(0)
        together = fleet.cells(f"on{ranks}").outcomes()
        assert len(together) == len(some) * (6 if ranks == 2 else 3)
        differing = {
            f"{fleet.cells('on1').labels()[cell]}: {name}"
            for cell in together
            for name in alone[cell].keys() | together[cell].keys()
            if alone[cell].get(name) != together[cell].get(name)
        }
        assert not differing, f"on {ranks} ranks"


def test_what_is_trained_once_for_all_methods_gives_the_same_bits(
    fleet: Fleet, methods: list[str]
) -> None:
    axes = "[sweep.grid]\nmerge.rounds_after = [0, 1]\nmerge.method = " + repr(methods) + "\n"
    config = fleet.config(axes.replace("'", '"'))
    once = ("--set", "merge.every_epochs=0")
    fleet.run(config, "apart", *once, "--set", "run.share_training=false", ranks=2).expect(0)
    apart = fleet.cells("apart").outcomes()
    for ranks, how in ((0, 1), (4, 2)):
        output = f"shared-{ranks}"
        fleet.run(config, output, *once, "--set", f"run.ranks_per_cell={how}", ranks=ranks).expect(
            0
        )
        assert fleet.cells(output).outcomes() == apart
        assert fleet.cells(output).files("*.training") == []
    # All but the two of joint training, and who is the first.
    planned = fleet("plan", config, *once).expect(0).out
    assert f"\ntraining  {2 * len(methods) - 3} of the cells" in planned


def test_outcomes_are_the_same_bits_over_tcp(fleet: Fleet) -> None:
    """Within one host, for methods that sum, broadcast and relay; tests/hosts has several hosts."""
    config = fleet.config(every_method(["average", "fleet-merge", "git-rebasin"]))
    fleet.run(config, "memory", ranks=2).expect(0)
    tcp = {"OMPI_MCA_btl": "tcp,self", "OMPI_MCA_btl_tcp_if_include": "lo"}
    fleet("run", config, "-o", "tcp", ranks=2, environment=tcp).expect(0)
    assert fleet.cells("tcp").outcomes() == fleet.cells("memory").outcomes()


def test_one_robot_is_a_fleet(fleet: Fleet, methods: list[str]) -> None:
    config = fleet.config(every_method(methods))
    for ranks in (1, 2):
        fleet.run(config, f"on{ranks}", "--set", "fleet.robots=1", ranks=ranks).expect(0)
    assert len(fleet.cells("on1").done()) == len(methods)
    assert fleet.cells("on1").outcomes() == fleet.cells("on2").outcomes()
    for path in fleet.cells("on1").done():
        assert set(table(path, "shards").robot) == {0}


def test_ranks_beyond_the_robots_form_groups(fleet: Fleet, methods: list[str]) -> None:
    config = fleet.config(every_method(methods) + "seed = [0, 1]\n")
    for ranks in (1, 5):
        fleet.run(config, f"on{ranks}", "--set", "fleet.robots=2", ranks=ranks).expect(0)
    assert fleet.cells("on1").outcomes() == fleet.cells("on5").outcomes()
    sizes = set(table(fleet.directory / "on5.h5", "cells").ranks)
    assert sizes == {2, 3}, "five ranks and two robots make a group of two and one of three"


def test_there_are_no_more_groups_than_cells(fleet: Fleet) -> None:
    config = fleet.config('\n[sweep.grid]\nmerge.method = ["average", "local"]\n')
    for ranks in (1, 5):
        one_each = ("--set", "run.ranks_per_cell=1")
        fleet.run(config, f"on{ranks}", *one_each, ranks=ranks).expect(0)
    assert set(table(fleet.directory / "on5.h5", "cells").ranks) == {2, 3}
    assert fleet.cells("on1").outcomes() == fleet.cells("on5").outcomes()


def test_robots_without_data_only_watch(fleet: Fleet, methods: list[str]) -> None:
    config = fleet.config(every_method(methods) + 'merge.moments = ["reset", "average"]\n')
    skewed = [
        *("--set", "fleet.robots=8", "--set", "fleet.partition=per-class"),
        *("--set", "fleet.alpha=0.001", "--set", "evaluate.local=every"),
    ]
    for ranks in (1, 3):
        fleet.run(config, f"on{ranks}", *skewed, ranks=ranks).expect(0)
    assert fleet.cells("on1").outcomes() == fleet.cells("on3").outcomes()
    for path in fleet.cells("on1").done():
        held = table(path, "shards").groupby("robot").samples.sum()
        assert len(held) == 8
        assert held.sum() == 540
        assert (held == 0).any(), "this alpha should leave robots without data"
        rounds = table(path, "rounds")
        merged = table(path, "cells")["merge.method"][0] not in ("local", "joint")
        assert (rounds.participants == (held > 0).sum() * merged).all()
        assert np.isfinite(table(path, "metrics").value).all()


def test_one_robot_takes_part_when_participation_is_tiny(fleet: Fleet) -> None:
    config = fleet.config(
        '\n[sweep.grid]\nmerge.method = ["average", "fleet-merge"]\n'
        'merge.hand_back = ["all", "participants"]\n'
    )
    for ranks in (1, 5):
        fleet.run(
            config,
            f"on{ranks}",
            *("--set", "merge.participation=0.001", "--set", "train.epochs=3"),
            *("--set", "merge.moments=average"),
            ranks=ranks,
        ).expect(0)
    assert fleet.cells("on1").outcomes() == fleet.cells("on5").outcomes()
    rounds = table(fleet.directory / "on1.h5", "rounds")
    assert list(rounds.participants) == [1] * 12


def beside(*commands: list[str]) -> list[str]:
    """One rank of each command, in one run."""
    line = [MPIEXEC]
    for command in commands:
        line += [":"] * (len(line) > 1) + ["-n", "1", *command]
    return line


def launch(fleet: Fleet, command: list[str], **options: Any) -> Outcome:
    if ":" in command:
        require_different_commands()
    done = subprocess.run(
        command,
        cwd=fleet.directory,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        **options,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_ranks_with_other_command_lines_are_refused(fleet: Fleet) -> None:
    one = fleet.config("\n[sweep.grid]\nseed = [0, 1]\n", "one")
    two = fleet.config("\n[sweep.grid]\nseed = [0, 1, 2]\n", "two")
    run = [fleet.command(["run", config, "-o", "out"], 0, True) for config in (one, two)]
    refused = launch(fleet, beside(*run)).expect(2)
    assert "ranks disagree about what they run" in refused.err
    assert str(one) in refused.err and str(two) in refused.err
    assert not (fleet.directory / "out").exists()


def test_one_rank_reads_the_configuration(fleet: Fleet) -> None:
    """A pipe can be read once, and standard input reaches one rank alone."""
    config = fleet.config('\n[sweep.grid]\nmerge.method = ["average", "local"]\n')
    fleet.run(config, "expected").expect(0)
    command = fleet.command(["run", "/dev/stdin", "-o", "out"], 2, True)
    launch(fleet, command, input=config.read_text()).expect(0)
    assert fleet.cells("out").outcomes() == fleet.cells("expected").outcomes()

    pipe = fleet.directory / "pipe.toml"
    os.mkfifo(pipe)
    process = fleet.start("run", pipe, "-o", "piped", ranks=2)
    pipe.write_text(config.read_text())
    finish(process).expect(0)
    assert fleet.cells("piped").outcomes() == fleet.cells("expected").outcomes()


def test_ranks_that_find_other_data_are_refused(fleet: Fleet) -> None:
    config = fleet.config()
    each = fleet.directory / "each"
    each.write_text(
        f'#!/bin/sh\nFLEET_DATA={fleet.directory}/$FLEET_TEST_HOST exec {BINARY} "$@"\n'
    )
    each.chmod(0o755)
    write_digits(fleet.directory / "a" / "mnist", seed=1)
    write_digits(fleet.directory / "b" / "mnist", seed=2)

    def run(first: str, second: str) -> Outcome:
        start = [str(each), "run", str(config), "-o", "out"]
        line = beside(
            ["env", f"FLEET_TEST_HOST={first}", *start],
            ["env", f"FLEET_TEST_HOST={second}", *start],
        )
        return launch(fleet, line)

    refused = run("a", "b").expect(2)
    assert "ranks disagree about what is to be run" in refused.err
    missing = run("a", "c").expect(2)
    assert "This is so on rank 1" in missing.err
    assert not (fleet.directory / "out").exists()
    run("a", "a").expect(0)


def test_a_directory_that_not_all_ranks_share_is_refused(fleet: Fleet) -> None:
    config = fleet.config("\n[sweep.grid]\nseed = [0, 1]\n")
    shared = fleet.directory / "shared"
    shared.mkdir()
    own = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs tmpfs {shared} && exec "$@"', "sh"]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs to mount a file system for one rank alone")
    run = fleet.command(
        ["run", config, "-o", shared / "out", "--set", "run.ranks_per_cell=1"], 0, True
    )
    refused = launch(fleet, beside(run, [*own, *run])).expect(1)
    assert "must share the file system" in refused.err
    assert "This is so on rank 1" in refused.err
    launch(fleet, beside(run, run)).expect(0)


def test_ranks_of_one_cell_in_different_directories_are_refused(fleet: Fleet) -> None:
    config = fleet.config()
    for name in ("here", "there"):
        (fleet.directory / name).mkdir()
    run = fleet.command(["run", config, "-o", "out"], 0, True)
    folders = (fleet.directory / name for name in ("here", "there"))
    line = beside(*(["-wdir", str(folder), *run] for folder in folders))
    refused = launch(fleet, line).expect(1)
    assert "must share the file system" in refused.err
