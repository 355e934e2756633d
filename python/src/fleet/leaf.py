"""Federated data sets in the JSON of LEAF and FedML, as files that the workload `mnist` reads.

LEAF (Caldas et al., 2018) keeps `users`, `num_samples` and `user_data` {user: {x, y}} in files
below `train/` and `test/`; FedML does the same. What comes out are four IDX files with every
sample, and `split.csv`, which says which user has which: every user is a robot, and is tested on
its own samples.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleet.errors import FleetError

WHITE = 255


@dataclass
class Part:
    """The samples of the training or of the test set, in the order of the files."""

    values: list[NDArray[np.float32]] = field(default_factory=list)  # of each user
    labels: list[NDArray[np.uint8]] = field(default_factory=list)
    users: list[str] = field(default_factory=list)


def _user_data(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise FleetError(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("user_data"), dict):
        raise FleetError(f"{path}: expected an object with users, num_samples and user_data")
    data = content["user_data"]
    for user in content.get("users", list(data)):
        if user not in data:
            raise FleetError(f"{path}: user {user} has no entry in user_data")
        yield str(user), data[user]


def _numbers(path: Path, user: str, data: Any) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    where = f"{path}: user {user}"
    if not isinstance(data, dict) or "x" not in data or "y" not in data:
        raise FleetError(f"{where}: expected x and y")
    if any(isinstance(x, str) for x in data["x"]):
        raise FleetError(
            f"{where}: x are texts, expected numbers; the workload shakespeare reads plays"
        )
    try:
        values = np.asarray(data["x"], dtype=np.float32)
        labels = np.asarray(data["y"], dtype=np.float64)
    except ValueError as error:
        raise FleetError(f"{where}: x or y are no numbers of one shape: {error}") from error
    if len(values) != len(labels):
        raise FleetError(f"{where}: {len(values)} x but {len(labels)} y")
    if not np.isfinite(values).all():
        raise FleetError(f"{where}: x has a value that is not finite")
    if (
        labels.ndim != 1
        or (labels != np.round(labels)).any()
        or ((labels < 0) | (labels > WHITE)).any()
    ):
        raise FleetError(f"{where}: y are not classes, whole numbers from 0 to {WHITE}")
    return values.reshape(len(values), math.prod(values.shape[1:])), labels.astype(np.uint8)


def read_part(folder: Path) -> Part:
    """Every user of the files in a folder, each once."""
    files = sorted(folder.glob("*.json"))
    if not files:
        raise FleetError(f"{folder}: no .json files")
    part = Part()
    known: set[str] = set()
    for path in files:
        for user, data in _user_data(path):
            if user in known:
                raise FleetError(f"{path}: user {user} is in another file, too")
            known.add(user)
            values, labels = _numbers(path, user, data)
            if len(values) > 0 and part.values and values.shape[1] != part.values[0].shape[1]:
                raise FleetError(
                    f"{path}: user {user}: {values.shape[1]} numbers a sample, others have "
                    f"{part.values[0].shape[1]}"
                )
            if len(values) > 0:
                part.values.append(values)
                part.labels.append(labels)
                part.users.append(user)
    if not part.users:
        raise FleetError(f"{folder}: no user has any samples")
    return part


def _write_idx(path: Path, array: NDArray[np.uint8]) -> None:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(head + array.tobytes())


@dataclass(frozen=True)
class Converted:
    users: int
    train: int
    test: int
    classes: int
    step: float  # between two values that can be told apart; 0: nothing was rounded


def convert(source: Path, output: Path) -> Converted:
    """Writes the IDX files, split.csv and users.txt (robot i is line i) to `output`."""
    train = read_part(source / "train")
    test = read_part(source / "test")
    if train.values[0].shape[1] != test.values[0].shape[1]:
        raise FleetError(
            f"{source}: training samples have {train.values[0].shape[1]} numbers, "
            f"test samples {test.values[0].shape[1]}"
        )
    low = min(0.0, *(float(v.min()) for v in train.values + test.values))
    high = max(1.0, *(float(v.max()) for v in train.values + test.values))
    if low == 0.0 and 1.0 < high <= WHITE:
        high = float(WHITE)  # pixels as bytes
    width = math.isqrt(train.values[0].shape[1])
    square = width * width == train.values[0].shape[1]
    shape = (-1, width, width) if square else (-1, 1, train.values[0].shape[1])
    rounded = False

    output.mkdir(parents=True, exist_ok=True)
    for part, name in ((train, "train"), (test, "t10k")):
        scaled = (np.concatenate(part.values).astype(np.float64) - low) / (high - low) * WHITE
        pixels = np.round(scaled)
        rounded = rounded or bool(np.abs(pixels - scaled).max() > 1e-2)
        _write_idx(output / f"{name}-images-idx3-ubyte", pixels.astype(np.uint8).reshape(shape))
        _write_idx(output / f"{name}-labels-idx1-ubyte", np.concatenate(part.labels))

    robots = {user: robot for robot, user in enumerate(train.users)}
    with (output / "split.csv").open("w") as file:
        file.write("sample,robot,part\n")
        for part, name in ((train, "train"), (test, "test")):
            sample = 0
            for user, labels in zip(part.users, part.labels, strict=True):
                for _ in labels:
                    if user in robots:  # who trains on nothing is tested by nobody
                        file.write(f"{sample},{robots[user]},{name}\n")
                    sample += 1
    (output / "users.txt").write_text("".join(f"{user}\n" for user in train.users))
    labels = np.concatenate(train.labels + test.labels)
    return Converted(
        users=len(train.users),
        train=sum(len(y) for y in train.labels),
        test=sum(len(y) for y in test.labels),
        classes=int(labels.max()) + 1,
        step=(high - low) / WHITE if rounded else 0.0,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="a folder with train/*.json and test/*.json")
    parser.add_argument(
        "--to", type=Path, required=True, help="the folder for the IDX files and split.csv"
    )


def run(arguments: argparse.Namespace) -> int:
    done = convert(arguments.source, arguments.to)
    print(f"{done.users} users, {done.classes} classes: {done.train} samples to train on,", end=" ")
    print(f"{done.test} to test on")
    if done.step > 0.0:
        print(f"values were rounded to steps of {done.step:.3g}")
    print(f'data.dataset = "idx"\nrun.data = "{arguments.to}"')
    print(f'run.split = "{arguments.to}/split.csv"\nfleet.robots = {done.users}')
    return 0
