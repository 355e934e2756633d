"""LEAF's JSON comes out as the same samples with the same owners."""

import csv
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleet import leaf
from fleet.__main__ import main
from fleet.errors import FleetError


def write(folder: Path, name: str, users: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "users": list(users),
        "num_samples": [len(data["y"]) for data in users.values()],
        "user_data": users,
    }
    (folder / name).write_text(json.dumps(content))


def pixels(count: int, seed: int) -> list[list[float]]:
    return (np.random.default_rng(seed).integers(0, 256, (count, 9)) / 255).tolist()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write(tmp_path / "in" / "train", "a.json", {"ann": {"x": pixels(3, 1), "y": [0, 5, 61]}})
    write(tmp_path / "in" / "train", "b.json", {"bob": {"x": pixels(2, 2), "y": [1, 1]}})
    write(
        tmp_path / "in" / "test",
        "a.json",
        {"bob": {"x": pixels(1, 3), "y": [4]}, "ann": {"x": pixels(2, 4), "y": [2, 3]}},
    )
    return tmp_path / "in"


def idx(path: Path) -> np.ndarray:
    data = path.read_bytes()
    shape = struct.unpack(f">{data[3]}I", data[4 : 4 + 4 * data[3]])
    return np.frombuffer(data[4 + 4 * data[3] :], dtype=np.uint8).reshape(shape)


def test_samples_and_their_owners_come_out_as_they_went_in(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = leaf.convert(source, out)
    assert (done.users, done.train, done.test, done.classes, done.step) == (2, 5, 3, 62, 0.0)
    train = idx(out / "train-images-idx3-ubyte")
    assert train.shape == (5, 3, 3)
    expected = np.concatenate([pixels(3, 1), pixels(2, 2)]) * 255
    np.testing.assert_allclose(train.reshape(5, 9), expected, atol=1e-6)
    assert idx(out / "train-labels-idx1-ubyte").tolist() == [0, 5, 61, 1, 1]
    assert idx(out / "t10k-labels-idx1-ubyte").tolist() == [4, 2, 3]
    with (out / "split.csv").open() as file:
        rows = [(int(r["sample"]), int(r["robot"]), r["part"]) for r in csv.DictReader(file)]
    assert rows[:5] == [
        (0, 0, "train"),
        (1, 0, "train"),
        (2, 0, "train"),
        (3, 1, "train"),
        (4, 1, "train"),
    ]
    assert rows[5:] == [(0, 1, "test"), (1, 0, "test"), (2, 0, "test")]
    assert (out / "users.txt").read_text().split() == ["ann", "bob"]


def test_values_of_another_range_are_rounded_and_that_is_said(source: Path, tmp_path: Path) -> None:
    write(
        source / "train",
        "a.json",
        {"ann": {"x": [[-1.0] * 9, [0.123] * 9, [2.0] * 9], "y": [0.0, 1.0, 2.0]}},
    )
    done = leaf.convert(source, tmp_path / "out")
    assert done.step == pytest.approx(3 / 255)
    train = idx(tmp_path / "out" / "train-images-idx3-ubyte").reshape(-1, 9)[:3, 0]
    np.testing.assert_allclose(train * done.step - 1.0, [-1.0, 0.123, 2.0], atol=done.step / 2)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"x": ["to be or"], "y": [1]}, "the workload shakespeare"),
        ({"x": [[1.0] * 9], "y": [1, 2]}, "1 x but 2 y"),
        ({"x": [[1.0] * 4], "y": [1]}, "4 numbers a sample"),
        ({"x": [[1.0] * 9], "y": [0.5]}, "not classes"),
        ({"x": [[float("nan")] * 9], "y": [0]}, "not finite"),
        ({"x": [[1.0] * 9]}, "expected x and y"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_user(
    source: Path, tmp_path: Path, data: Any, told: str
) -> None:
    (source / "train" / "c.json").write_text(
        json.dumps({"users": ["eve"], "user_data": {"eve": data}})
    )
    with pytest.raises(FleetError, match=told) as error:
        leaf.convert(source, tmp_path / "out")
    assert "c.json" in str(error.value) and "eve" in str(error.value)


def test_the_command_says_how_to_go_on(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaf", str(source), "--to", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "2 users" in said and "run.split" in said and "fleet.robots = 2" in said
    assert main(["leaf", str(tmp_path), "--to", str(tmp_path / "out")]) == 2
    assert "no .json files" in capsys.readouterr().err


def test_users_without_samples_are_skipped(source: Path, tmp_path: Path) -> None:
    write(source / "train", "c.json", {"eve": {"x": [], "y": []}})
    assert leaf.convert(source, tmp_path / "out").users == 2
