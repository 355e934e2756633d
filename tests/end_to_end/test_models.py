"""Models that a sweep leaves are merged and measured again without it, and to the same end."""

import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from conftest import TEST_LABELS, TRAIN_IMAGES, Fleet, table

OPTIONS = (
    *("--set", "merge.fleet-merge.epochs=2", "--set", "merge.fleet-merge.steps=3"),
    *("--set", "merge.fleet-merge.batch_size=32"),
)


def weights(path: Path) -> dict[str, bytes]:
    with h5py.File(path) as file:
        return {name: file["weights"][name][:].tobytes() for name in file["weights"]}


def sweep(fleet: Fleet, method: str, ranks: int = 0) -> Path:
    """Trains and merges once; the directory of the only cell's models."""
    config = fleet.config(f'\n[sweep.grid]\nmerge.method = ["{method}"]\n')
    settings = ("merge.every_epochs=0", "run.save_models=all")
    words = [word for setting in settings for word in ("--set", setting)]
    fleet.run(config, f"out-{ranks}", *words, ranks=ranks).expect(0)
    (models,) = (fleet.directory / f"out-{ranks}" / "models").iterdir()
    return models


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """The models of a cell that average merged."""
    return sweep(Fleet(tmp_path_factory.mktemp("trained"), digits), "average")


def robots(models: Path) -> list[str]:
    return [str(models / f"robot-{i}.h5") for i in range(5)]


@pytest.mark.parametrize("method", ["average", "git-rebasin", "fleet-merge", "regression"])
def test_merging_the_models_of_a_cell_gives_what_the_sweep_gave(fleet: Fleet, method: str) -> None:
    models = sweep(fleet, method)
    own = OPTIONS if method == "fleet-merge" else ()
    for ranks in (0, 2):
        merged = f"merged-{ranks}.h5"
        command = ("merge", *robots(models), "--method", method, "-o", merged, *own)
        fleet(*command, ranks=ranks).expect(0)
        assert weights(fleet.directory / merged) == weights(models / "merged.h5")


def test_robots_of_a_cell_are_merged_in_their_order_not_in_that_of_the_files(
    fleet: Fleet, trained: Path
) -> None:
    shuffled = [robots(trained)[i] for i in (3, 1, 4, 0, 2)]
    merge = ("--method", "git-rebasin", "-o")
    fleet("merge", *robots(trained), *merge, "ordered.h5").expect(0)
    fleet("merge", *shuffled, *merge, "shuffled.h5").expect(0)
    ordered = weights(fleet.directory / "ordered.h5")
    assert weights(fleet.directory / "shuffled.h5") == ordered
    fleet("merge", *shuffled, shuffled[0], *merge, "twice.h5").expect(0)
    assert weights(fleet.directory / "twice.h5") != ordered


PLAYERS = """\
workload = "shakespeare"

[data]
window = 8
min_lines = 2
held_out = 0.1

[fleet]
robots = 2

[model]
kind = "transformer"
width = 12
heads = 3

[train]
epochs = 1
batch_size = 8

[instruments]
interpolation = true
points = 3
finetune_steps = 2
"""


@pytest.mark.parametrize("method", ["git-rebasin", "fleet-merge"])
def test_so_do_the_models_of_transformers_that_learn_texts(fleet: Fleet, method: str) -> None:
    fleet.data = fleet.directory / "play.txt"
    says = {"Ann": "the cat sat on the mat. ", "Bob": "a dog dug up a log! "}
    speeches = [f"{role}:\n{said * 2}\n\n" for role, said in says.items()]
    fleet.data.write_text("".join(speeches * 12))
    config = fleet.config(f'\n[sweep.grid]\nmerge.method = ["{method}"]\n', base=PLAYERS)
    settings = (*("--set", "merge.every_epochs=0", "--set", "run.save_models=all"), *OPTIONS)
    fleet.run(config, "out", *settings, ranks=2).expect(0)
    (models,) = (fleet.directory / "out/models").iterdir()
    inputs = [str(models / f"robot-{i}.h5") for i in range(2)]
    own = OPTIONS if method == "fleet-merge" else ()
    fleet("merge", *inputs, "--method", method, "-o", "merged.h5", *own).expect(0)
    assert weights(fleet.directory / "merged.h5") == weights(models / "merged.h5")
    measured = table(fleet.directory / "out.h5", "instruments")
    assert set(measured.instrument) >= {"barrier", "finetune"}
    assert "accuracy_role_mean" in set(measured[measured.split == "test"].metric)


def test_models_are_the_same_on_any_number_of_ranks(fleet: Fleet) -> None:
    alone, together = sweep(fleet, "git-rebasin"), sweep(fleet, "git-rebasin", ranks=3)
    assert len(list(alone.iterdir())) == 6
    for path in alone.iterdir():
        assert weights(path) == weights(together / path.name)


def test_what_needs_no_data_does_without_and_what_does_says_so(fleet: Fleet, trained: Path) -> None:
    models = trained
    nowhere = ("--set", "run.data=/nowhere")
    for method in ("average", "git-rebasin"):
        fleet("merge", *robots(models), "--method", method, "-o", "c.h5", *nowhere).expect(0)
    for method in ("fleet-merge", "regression", "fisher"):
        outcome = fleet("merge", *robots(models), "--method", method, "-o", "d.h5", *nowhere)
        outcome.expect(1)
        for part in (f"merge.method = {method}", "robot-0.h5", "/nowhere"):
            assert part in outcome.err
    merged = str(models / "merged.h5")
    outcome = fleet("merge", robots(models)[0], merged, "--method", "fleet-merge", "-o", "d.h5")
    assert "merged policy" in outcome.expect(1).err
    assert not (fleet.directory / "d.h5").exists()


@pytest.mark.parametrize("name", [TRAIN_IMAGES, TEST_LABELS])
def test_data_that_have_changed_are_not_those_that_models_were_trained_on(
    fleet: Fleet, trained: Path, digits: Path, name: str
) -> None:
    copy = fleet.directory / "copy"
    shutil.copytree(digits, copy)
    there = ("--set", f"run.data={copy}")
    merge = ("merge", *robots(trained), "-o", "c.h5", *there, "--method")
    assert "on the test set" in fleet(*merge, "fisher").expect(0).out
    raw = bytearray((copy / name).read_bytes())
    raw[-1] ^= 1
    (copy / name).write_bytes(raw)
    refused = fleet(*merge, "fisher").expect(1).err
    for part in ("merge.method = fisher", "robot-0.h5", "other data than it was trained on"):
        assert part in refused
    untested = fleet(*merge, "average").expect(0).out
    assert "not tested: " in untested and "other data than it was trained on" in untested
    barrier = fleet("barrier", *robots(trained)[:2], *there, "-o", "barrier").expect(1).err
    assert "other data than it was trained on" in barrier


def test_different_networks_are_refused_naming_both_files(fleet: Fleet, trained: Path) -> None:
    narrow = trained
    fleet("merge", *robots(narrow), "--method", "average", "-o", "wide.h5").expect(0)
    with h5py.File(fleet.directory / "wide.h5", "a") as file:
        wider = np.zeros((10, 9), np.float32)
        del file["weights/layers.2.weight"]
        file["weights/layers.2.weight"] = wider
    outcome = fleet("merge", robots(narrow)[0], "wide.h5", "--method", "average", "-o", "c.h5")
    assert "wide.h5 " in outcome.expect(1).err and "damaged" in outcome.err, "its checksum tells"
    config = fleet.config(name="other")
    words = ("--set", "model.hidden=[6]", "--set", "run.save_models=merged")
    fleet.run(config, "other", *words).expect(0)
    (other,) = (fleet.directory / "other").rglob("merged.h5")
    outcome = fleet("merge", robots(narrow)[0], other, "--method", "average", "-o", "c.h5")
    for part in (
        "robot-0.h5",
        "merged.h5",
        "layers.0.weight (12 x 64)",
        "layers.0.weight (6 x 64)",
    ):
        assert part in outcome.expect(1).err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--method", "averag"], 'did you mean "average"'),
        (["--method", "local"], "expected one of"),
        ([], "--method"),
        (["--method", "average", "--set", "run.dta=x"], "did you mean run.data"),
    ],
)
def test_a_wrong_command_line_gives_two(fleet: Fleet, arguments: list[str], complaint: str) -> None:
    models = sweep(fleet, "average")
    outcome = fleet("merge", *robots(models)[:2], "-o", "c.h5", *arguments).expect(2)
    assert complaint in outcome.err


def test_no_model_and_one_model_are_refused(fleet: Fleet, trained: Path) -> None:
    joined = trained.parents[1].with_suffix(".h5")
    outcome = fleet("merge", joined, joined, "--method", "average", "-o", "c.h5").expect(1)
    assert "no saved model" in outcome.err and "run.save_models" in outcome.err
    assert "two models" in fleet("barrier", robots(trained)[0]).expect(2).err


def test_barriers_are_zero_to_oneself_and_the_same_on_any_number_of_ranks(
    fleet: Fleet, trained: Path
) -> None:
    first, second, *_ = robots(trained)
    for ranks in (0, 2):
        command = ("barrier", first, second, first, "--points", "5", "-o", f"b{ranks}")
        printed = fleet(*command, ranks=ranks).expect(0).out
    assert max(map(len, printed.splitlines())) < 2 * len(first) + 10, "paths, on lines of their own"
    assert f"\n{first} - {second}\n  test accuracy " in printed
    measured = table(fleet.directory / "b0/barrier.h5", "instruments")
    with (
        h5py.File(fleet.directory / "b0/barrier.h5") as one,
        h5py.File(fleet.directory / "b2/barrier.h5") as two,
    ):
        assert one["instruments"][:].tobytes() == two["instruments"][:].tobytes()
    barriers = measured[measured.instrument == "barrier"]
    itself = barriers[(barriers.robot == 0) & (barriers.other == 2)]
    assert np.allclose(itself.value, 0, atol=1e-5)
    others = barriers[(barriers.robot == 0) & (barriers.other == 1)]
    assert (barriers.value >= -1e-12).all() and others.value.max() > 0
    assert set(measured.subject) == {"none", "git-rebasin"}


WATCHED = """
[instruments]
interpolation = true
points = 3
norms = true
alignment = true
finetune_steps = 4
finetune_every = 2
rounds = "every"

[sweep.grid]
merge.method = ["git-rebasin", "fleet-merge", "local"]
"""


def test_instruments_measure_the_same_on_any_number_of_ranks_and_are_drawn(fleet: Fleet) -> None:
    config = fleet.config(WATCHED)
    for ranks in (0, 3):
        fleet.run(config, f"watched-{ranks}", ranks=ranks).expect(0)
    tables = [table(fleet.directory / f"watched-{ranks}.h5", "instruments") for ranks in (0, 3)]
    assert tables[0].equals(tables[1])
    by_cell = tables[0].groupby("cell").instrument.unique().map(set)
    both = {"interpolation", "barrier", "barrier above line", "norms"}
    assert by_cell[0] == by_cell[1] == both | {"alignment", "finetune"}
    assert by_cell[2] == both, "without a merge there is nothing to align to or to finetune"
    assert set(tables[0]["round"]) == {1, 2}

    command = [sys.executable, "-m", "fleet_analysis.cli", "figures", "watched-0.h5", "-o", "."]
    subprocess.run(command, cwd=fleet.directory, check=True, capture_output=True)
    kinds = ("interpolation-accuracy", "interpolation-loss", "norms", "alignment", "finetune")
    for kind in kinds:
        assert (fleet.directory / f"sweep-{kind}.png").stat().st_size > 2000
