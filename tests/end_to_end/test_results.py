"""What a sweep leaves behind is what the documentation of the results says."""

import h5py
import numpy as np
import pandas as pd
import pytest

from conftest import Fleet, table

CELLS = {
    "cell": "int32",
    "id": "str",
    "status": "str",
    "reason": "str",
    "workload": "str",
    "merge.method": "str",
    "fleet.partition": "str",
    "seed": "int64",
    "fleet.robots": "int64",
    "fleet.alpha": "float64",
    "merge.every_epochs": "int64",
    "merge.participation": "float64",
    "ranks": "int32",
    "rounds": "int32",
    "seconds_total": "float64",
    "seconds_train": "float64",
    "seconds_wait": "float64",
    "seconds_merge": "float64",
    "seconds_evaluate": "float64",
    "seconds_other": "float64",
    "processor_seconds": "float64",
    "bytes_moved": "int64",
    "peak_memory_mib": "float64",
}
METRICS = {
    "cell": "int32",
    "round": "int32",
    "epoch": "int32",
    "robot": "int32",
    "split": "str",
    "metric": "str",
    "value": "float64",
}
SHARDS = dict.fromkeys(("cell", "robot", "label", "samples"), "int32")
ROUNDS = {
    **dict.fromkeys(("cell", "round", "epoch", "participants", "dropped", "late"), "int32"),
    **{f"seconds_{phase}": "float64" for phase in ("train", "wait", "merge", "evaluate", "other")},
    "processor_seconds": "float64",
    "bytes_moved": "int64",
    "merge_iterations": "int32",
    "merge_steps": "int64",
    "merge_episodes": "int64",
}
PROVENANCE = (
    *("fleet_version", "git_revision", "mpi", "libtorch", "hdf5", "blas", "device"),
    *("hosts", "command_line", "started", "finished"),
)
AXES = """
[sweep.grid]
merge.method = ["local", "joint", "average", "fleet-merge"]
model.hidden = [[8], [12, 4]]
"""


def types(frame: pd.DataFrame) -> dict[str, str]:
    names = {"object": "str", "string": "str"}
    return {column: names.get(str(t), str(t)) for column, t in frame.dtypes.items()}


@pytest.fixture
def results(fleet: Fleet) -> Fleet:
    """A finished sweep of three epochs, merged every two."""
    config = fleet.config(AXES)
    chosen = ("train.epochs=3", "merge.every_epochs=2", "run.save_weights=true")
    settings = [word for setting in chosen for word in ("--set", setting)]
    fleet.run(config, "out", *settings, ranks=2).expect(0)
    return fleet


def test_a_cell_is_not_charged_for_what_earlier_ones_waited(fleet: Fleet) -> None:
    seeds = fleet.config(f'method = "average"\n[sweep.grid]\nseed = {list(range(16))}\n')
    fleet.run(seeds, "out", ranks=2).expect(0)
    cells = table(fleet.directory / "out.h5", "cells")
    assert (cells.ranks == 2).all(), "one group ran them all, in this order"
    assert not cells.seconds_wait.is_monotonic_increasing


def test_tables_have_the_documented_columns(results: Fleet) -> None:
    joined = results.directory / "out.h5"
    assert types(table(joined, "cells")) == CELLS | {"model.hidden": "str"}
    assert types(table(joined, "metrics")) == METRICS
    assert types(table(joined, "shards")) == SHARDS
    assert types(table(joined, "rounds")) == ROUNDS
    with h5py.File(joined) as file:
        assert file.attrs["schema_version"] == 1
        assert file.attrs["name"].decode() == "sweep"
        assert 'workload = "mnist"' in file.attrs["config"].decode()
        assert file["cells"].attrs["axes"].decode().split("\n") == ["merge.method", "model.hidden"]
        provenance = {key: file["provenance"].attrs[key].decode() for key in PROVENANCE}
        assert set(file["provenance"].attrs) == set(PROVENANCE)
        assert set(file["weights"]) == {"2", "3", "4", "5", "6", "7"}, "local merges nothing"
        assert file["permutations/6"], "fleet-merge aligns"
    assert all(provenance.values()), provenance
    assert "--set train.epochs=3" in provenance["command_line"]
    assert pd.Timestamp(provenance["started"]) <= pd.Timestamp(provenance["finished"])

    cells = table(joined, "cells")
    assert list(cells.cell) == list(range(8))
    assert (cells.status == "done").all()
    assert (cells.ranks == 2).all()
    assert cells.id.is_unique
    assert (cells.peak_memory_mib > 10).all()
    parts = cells[[column for column in cells if column.startswith("seconds_")]]
    assert np.allclose(parts.drop(columns="seconds_total").sum(axis=1), cells.seconds_total)


def test_each_method_emits_its_rows(results: Fleet) -> None:
    joined = results.directory / "out.h5"
    metrics = table(joined, "metrics")
    assert set(metrics.metric) == {"accuracy", "loss"}
    assert np.isfinite(metrics.value).all()
    assert metrics.value[metrics.metric == "accuracy"].between(0, 1).all()
    methods = table(joined, "cells")["merge.method"]
    for cell, rows in metrics[metrics.split == "test"].groupby("cell"):
        assert not rows.duplicated(["round", "robot", "metric"]).any()
        robots = {r: sorted(set(part.robot)) for r, part in rows.groupby("round")}
        everybody = list(range(5))
        expected = {
            "local": {1: everybody, 2: everybody},
            "joint": {1: [-1], 2: [-1]},
        }.get(methods[cell], {1: [-1], 2: [-1, *everybody]})
        assert robots == expected, methods[cell]
        assert dict(zip(rows["round"], rows.epoch, strict=True)) == {1: 2, 2: 3}
    rounds = table(joined, "rounds")
    merging = rounds.cell.map(~methods.isin(["local", "joint"]))
    assert (rounds.participants == 5 * merging).all()


def test_a_one_shot_sweep_merges_once(fleet: Fleet) -> None:
    config = fleet.config('\n[sweep.grid]\nmerge.method = ["average", "local", "joint"]\n')
    settings = ("--set", "merge.every_epochs=0", "--set", "train.epochs=6")
    fleet.run(config, "out", *settings).expect(0)
    joined = fleet.directory / "out.h5"
    rounds = table(joined, "rounds")
    assert list(rounds["round"]) == [1, 1, 1]
    assert list(rounds.epoch) == [6, 6, 6]
    assert set(table(joined, "metrics")["round"]) == {1}


def test_training_learns(fleet: Fleet) -> None:
    config = fleet.config('\n[sweep.grid]\nmerge.method = ["joint", "average"]\n')
    settings = ("--set", "train.learning_rate=0.01", "--set", "train.epochs=12")
    easy = ("--set", "fleet.partition=iid", "--set", "fleet.initialization=common")
    fleet.run(config, "out", *settings, *easy).expect(0)
    metrics = table(fleet.directory / "out.h5", "metrics")
    final = metrics[(metrics.metric == "accuracy") & (metrics.robot == -1)]
    assert (final.groupby("cell").value.last() > 0.8).all()


def test_an_axis_of_mixed_numbers_is_collected(fleet: Fleet) -> None:
    config = fleet.config(
        '\n[sweep.grid]\nmerge.method = ["average", "fleet-merge"]\n'
        "merge.fleet-merge.learning_rate = [1, 0.5]\n"
    )
    fleet.run(config, "out").expect(0)
    cells = table(fleet.directory / "out.h5", "cells")
    assert list(cells["merge.fleet-merge.learning_rate"]) == [1, 0.5] * 2


def test_the_joined_file_lies_beside_the_directory(fleet: Fleet) -> None:
    fleet.run(fleet.config(), "out/").expect(0)
    assert (fleet.directory / "out.h5").is_file()
    fleet("collect", "out/", "-o", "elsewhere.h5").expect(0)
    assert (fleet.directory / "elsewhere.h5").is_file()


def test_results_go_by_default_where_the_file_says(fleet: Fleet) -> None:
    config = fleet.config(name="trial")
    outcome = fleet("run", config).expect(0)
    assert (fleet.directory / "results/trial.h5").is_file()
    assert "results: results/trial.h5" in outcome.out
    assert "1 cells done" in outcome.out
