"""Results files with plausible numbers, for tests and for looking at figures.

`write` makes the file of a whole sweep, as `fleet collect` does; `write_parts` a file per cell, as
a running sweep does. The numbers follow a simple law: skewed shards (a small alpha) and rare merges
make averaging lose much, aligned merging less; pooled training bounds them above and local from
below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from fleet_analysis.seal import seal_of

METHOD = "merge.method"
DEFAULTS: dict[str, Any] = {
    "workload": "mnist",
    METHOD: "average",
    "seed": 0,
    "fleet.robots": 5,
    "fleet.alpha": 0.1,
    "fleet.partition": "dirichlet",
    "merge.every_epochs": 1,
    "merge.participation": 1.0,
}
#: How much of the loss by skew and rare merges a method keeps.
FRAGILITY = {"average": 1.0, "git-rebasin": 0.6, "fleet-merge": 0.35, "regression": 0.45}

COST = ("total", "train", "wait", "merge", "evaluate", "other")
METRIC = np.dtype(
    [
        ("cell", "i4"),
        ("round", "i4"),
        ("epoch", "i4"),
        ("robot", "i4"),
        ("split", "S8"),
        ("metric", "S16"),
        ("value", "f8"),
    ]
)
SHARD = np.dtype([("cell", "i4"), ("robot", "i4"), ("label", "i4"), ("samples", "i4")])
ROUND = np.dtype(
    [("cell", "i4"), ("round", "i4"), ("epoch", "i4"), ("participants", "i4")]
    + [(f"seconds_{name}", "f8") for name in COST[1:]]
    + [("bytes_moved", "i8"), ("merge_iterations", "i4")]
)

INSTRUMENT = np.dtype(
    [
        *(("cell", "i4"), ("round", "i4"), ("instrument", "S18"), ("subject", "S16")),
        *(("split", "S4"), ("metric", "S17"), ("robot", "i4"), ("other", "i4")),
        *(("at", "f8"), ("value", "f8")),
    ]
)

TRAFFIC = np.dtype(
    [("cell", "i4"), ("round", "i4"), ("cargo", "S9"), ("sent", "i8"), ("received", "i8")]
)

Settings = dict[str, Any]


def grid(**axes: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Swept axes by dotted key; in a keyword a double underscore stands for the dot."""
    return {key.replace("__", "."): values for key, values in axes.items()}


def cells_of(axes: Mapping[str, Sequence[Any]]) -> list[Settings]:
    """The settings of every cell of a grid."""
    return [
        {**DEFAULTS, **dict(zip(axes, values, strict=True))} for values in product(*axes.values())
    ]


def write(
    path: Path,
    axes: Mapping[str, Sequence[Any]],
    *,
    failed: Callable[[Settings], bool] = lambda _: False,
    left_out: Callable[[Settings], bool] = lambda _: False,
    epochs: int = 10,
    name: str | None = None,
    version: int = 1,
    instruments: bool = False,
) -> Path:
    """One file with every cell of the grid, but for those left out."""
    cells = list(enumerate(cell for cell in cells_of(axes) if not left_out(cell)))
    _write_file(path, cells, list(axes), failed, epochs, name, version)
    if instruments:
        ran = [(number, cell) for number, cell in cells if not failed(cell)]
        with changed(path) as file:
            rows = [row for number, cell in ran for row in _measured(number, cell)]
            file["instruments"] = np.array(rows, INSTRUMENT)
    return path


def add_traffic(path: Path, sent: int, received: int) -> None:
    """Every round of a cell, number n, costs n + 1 times so much, half of it weights."""
    with changed(path) as file:
        rows = [
            (
                row["cell"],
                row["round"],
                cargo,
                (row["cell"] + 1) * sent,
                (row["cell"] + 1) * received,
            )
            for row in file["rounds"][:]
            for cargo in (b"weights", b"moments")
        ]
        file["traffic"] = np.array(rows, TRAFFIC)


@contextmanager
def changed(path: Path) -> Iterator[h5py.File]:
    """A file to be changed, which is sealed anew: as if `fleet` had written it so."""
    with h5py.File(path, "a") as file:
        yield file
    content = path.read_bytes()
    path.write_bytes(content + seal_of(content))


def write_parts(
    directory: Path,
    axes: Mapping[str, Sequence[Any]],
    *,
    failed: Callable[[Settings], bool] = lambda _: False,
    epochs: int = 10,
    name: str | None = None,
) -> list[Path]:
    """A file per cell, each with its cell numbered 0."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, cell in enumerate(cells_of(axes)):
        paths.append(directory / f"{number:05d}.h5")
        _write_file(paths[-1], [(0, cell)], list(axes), failed, epochs, name or directory.name, 1)
    return paths


def final_value(cell: Settings) -> float:
    """What a cell's learning curve tends to."""
    alpha = float(cell["fleet.alpha"])
    skew = 1 / (1 + 4 * alpha)
    if cell[METHOD] == "joint":
        return 0.972
    if cell[METHOD] == "local":
        return 0.95 - 0.62 * skew
    every = cell["merge.every_epochs"] or 20
    drift = skew * (0.12 + 0.48 * np.log1p(every) / np.log(21))
    absent = (1 - cell["merge.participation"]) * 0.25 * skew
    robots = 0.015 * np.log2(cell["fleet.robots"] / 5)
    return float(0.965 - FRAGILITY.get(cell[METHOD], 0.8) * (drift + absent) - robots)


def _write_file(
    path: Path,
    cells: Sequence[tuple[int, Settings]],
    axes: Sequence[str],
    failed: Callable[[Settings], bool],
    epochs: int,
    name: str | None,
    version: int,
) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["schema_version"] = np.int32(version)
        file.attrs["name"] = name or path.stem
        file.attrs["config"] = f'name = "{name or path.stem}"\n'
        provenance = file.create_group("provenance")
        for key in ("fleet_version", "git_revision", "mpi", "libtorch", "hdf5", "blas", "hosts"):
            provenance.attrs[key] = f"{key} of the test"
        table = file.create_dataset("cells", data=_cells(cells, axes, failed, epochs))
        table.attrs["axes"] = "\n".join(axes)
        ran = [(number, cell) for number, cell in cells if not failed(cell)]
        file.create_dataset("metrics", data=_joined(METRIC, [_metrics(*c, epochs) for c in ran]))
        file.create_dataset("shards", data=_joined(SHARD, [_shards(*c) for c in ran]))
        file.create_dataset("rounds", data=_joined(ROUND, [_rounds(*c, epochs) for c in ran]))
    with changed(path):
        pass  # but for the seal


def _cells(
    cells: Sequence[tuple[int, Settings]],
    axes: Sequence[str],
    failed: Callable[[Settings], bool],
    epochs: int,
) -> np.ndarray:
    keys = list(dict.fromkeys([*axes, *DEFAULTS]))
    columns: dict[str, Any] = {
        "cell": np.array([number for number, _ in cells], "i4"),
        "id": np.array([_id(cell) for _, cell in cells], "S16"),
        "status": np.array(["failed" if failed(cell) else "done" for _, cell in cells], "S8"),
        "reason": np.array(
            ["robot 3, round 2: loss is not finite" if failed(cell) else "" for _, cell in cells],
            "S64",
        ),
    }
    for key in keys:
        values = np.array([cell[key] for _, cell in cells])
        columns[key] = np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
    columns["ranks"] = np.full(len(cells), 2, "i4")
    columns["rounds"] = np.array([len(_schedule(cell, epochs)) for _, cell in cells], "i4")
    for i, cost in enumerate(COST):
        columns[f"seconds_{cost}"] = np.full(len(cells), 60.0 / (i + 1))
    columns["processor_seconds"] = np.array([int(_id(cell)[:4], 16) / 100 for _, cell in cells])
    columns["bytes_moved"] = np.full(len(cells), 4_000_000, "i8")
    columns["peak_memory_mib"] = np.full(len(cells), 210.5)
    table = np.zeros(len(cells), [(key, values.dtype) for key, values in columns.items()])
    for key, values in columns.items():
        table[key] = values
    return table


def _id(cell: Settings) -> str:
    return _hash("|".join(map(str, cell.values())))


@cache  # since every test has much the same cells, and asks several times for each
def _hash(text: str) -> str:
    words = np.random.SeedSequence(list(text.encode()))
    return "".join(f"{word:08x}" for word in words.generate_state(2))


def _schedule(cell: Settings, epochs: int) -> np.ndarray:
    every = cell["merge.every_epochs"] or epochs
    return np.unique(np.append(np.arange(every, epochs + 1, every), epochs))


def _metrics(number: int, cell: Settings, epochs: int) -> np.ndarray:
    at = _schedule(cell, epochs)
    robots = {"local": range(cell["fleet.robots"]), "joint": [-1]}.get(cell[METHOD], [-1, 0, 1])
    noise = np.random.default_rng(int(_id(cell)[:12], 16))
    shift = noise.normal(0, 0.012)
    parts = []
    for robot, split in [*((robot, "test") for robot in robots), (-1, "train")]:
        if cell[METHOD] == "local" and robot == -1:
            continue
        drop = 0.2 if robot >= 0 and cell[METHOD] != "local" else 0.0
        target = final_value(cell) + shift - drop + noise.normal(0, 0.01)
        value = target - 0.5 * np.exp(-at / (1.2 + at[-1] / 8)) + noise.normal(0, 0.006, len(at))
        value = np.clip(value + (0.01 if split == "train" else 0), 0.05, 0.995)
        for metric, values in (("accuracy", value), ("loss", -np.log(value))):
            if metric == "loss" and robot >= 0:
                continue
            part = np.zeros(len(at), METRIC)
            part["cell"], part["round"], part["epoch"] = number, np.arange(1, len(at) + 1), at
            part["robot"], part["split"], part["metric"] = robot, split, metric
            part["value"] = values
            parts.append(part)
    return _joined(METRIC, parts)


def _shards(number: int, cell: Settings) -> np.ndarray:
    robots = cell["fleet.robots"]
    part = np.zeros(robots * 10, SHARD)
    part["cell"] = number
    part["robot"], part["label"] = np.divmod(np.arange(robots * 10), 10)
    part["samples"] = 6000 // robots
    return part


def _rounds(number: int, cell: Settings, epochs: int) -> np.ndarray:
    at = _schedule(cell, epochs)
    part = np.zeros(len(at), ROUND)
    part["cell"], part["round"], part["epoch"] = number, np.arange(1, len(at) + 1), at
    part["participants"] = max(1, round(cell["fleet.robots"] * cell["merge.participation"]))
    part["seconds_train"] = 1.5
    part["bytes_moved"] = 400_000
    return part


def _measured(number: int, cell: Settings) -> list[tuple[Any, ...]]:
    """What all instruments say of a cell with three robots: barriers of height 1, 0.2 and 0.1."""
    rows: list[tuple[Any, ...]] = []
    nan = float("nan")
    for first, second in ((0, 1), (0, 2), (1, 2)):
        for subject, height in (("none", 1.0), ("git-rebasin", 0.2), ("method", 0.1)):
            for metric, sign in (("accuracy", -0.5), ("loss", 1.0)):
                for at in (0.0, 0.25, 0.5, 0.75, 1.0):
                    value = 0.9 + sign * height * 4 * at * (1 - at)
                    row = ("interpolation", subject, "test", metric, first, second, at, value)
                    rows.append((number, 1, *row))
                row = ("barrier", subject, "test", metric, first, second, nan, abs(sign) * height)
                rows.append((number, 1, *row))
    for robot in range(3):
        for tensor in ("layers.0.weight", "layers.0.bias"):
            row = ("norms", tensor, "", "variation", robot, -1, nan, 0.01 * robot)
            rows.append((number, 1, *row))
    for epoch in range(4):
        for metric in ("distance", "changes", "doubly stochastic"):
            row = ("alignment", "epochs", "", metric, -1, -1, float(epoch), 0.5**epoch)
            rows.append((number, 1, *row))
    for step in (0, 10, 20):
        for subject, start in (("merged", final_value(cell) - 0.1), ("from scratch", 0.1)):
            row = ("finetune", subject, "test", "accuracy", -1, -1, float(step), start + step / 200)
            rows.append((number, 1, *row))
    for step in (0, 50, 100):
        for subject, robot in (("fleet", -1), ("robot", 0), ("robot", 1), ("robot", 2)):
            value = final_value(cell) - 0.2 + step / 1000
            row = ("personal", subject, "test", "accuracy", robot, -1, float(step), value)
            rows.append((number, 1, *row))
    return rows


def _joined(dtype: np.dtype, parts: Sequence[np.ndarray]) -> np.ndarray:
    """As np.concatenate, which is slow where the type is a structure."""
    whole = np.empty(sum(map(len, parts)), dtype)
    begin = 0
    for part in parts:
        whole[begin : begin + len(part)] = part
        begin += len(part)
    return whole


SMALL = grid(
    merge__method=["average", "git-rebasin", "fleet-merge", "local", "joint"],
    fleet__alpha=[0.1, 1.0, 10.0],
    merge__every_epochs=[1, 2, 0],
    seed=[0, 1, 2],
)


def write_sweep(
    directory: Path,
    axes: Mapping[str, Sequence[Any]],
    *,
    state: Callable[[int], str] = lambda _: "done",
    epochs: int = 10,
) -> Path:
    """A directory that `fleet run` works in; `state` of each cell by its number in the plan: done,
    failed, running or pending."""
    cells = directory / "cells"
    cells.mkdir(parents=True, exist_ok=True)
    plan = []
    for number, cell in enumerate(cells_of(axes)):
        label = " ".join(f"{key}={cell[key]}" for key in axes)
        plan.append(f"{_id(cell)}\t{label}\n")
        settle(directory, axes, number, state(number), epochs)
    (directory / "cells.tsv").write_text("".join(plan))
    return directory


def settle(
    directory: Path, axes: Mapping[str, Sequence[Any]], number: int, state: str, epochs: int = 10
) -> None:
    """Lets a cell of such a directory run, end or fail."""
    cell = cells_of(axes)[number]
    path = directory / "cells" / _id(cell)
    path.with_suffix(".running").unlink(missing_ok=True)
    if state == "running":
        path.with_suffix(".running").write_text("vm, process 7, round 3 of 9, now")
    elif state in ("done", "failed"):
        target = path.with_suffix(".h5" if state == "done" else ".failed.h5")
        ran = [(0, cell)]
        _write_file(target, ran, list(axes), lambda _: state == "failed", epochs, directory.name, 1)
