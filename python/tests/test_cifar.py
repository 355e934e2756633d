"""CIFAR's pickles come out as the records of its binary version, and run no code."""

import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fleet import cifar
from fleet.__main__ import main
from fleet.errors import FleetError


def batch(count: int, seed: int, **labels: Any) -> dict[bytes, Any]:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, cifar.PIXELS), dtype=np.uint8)
    return {b"data": pixels, b"batch_label": b"any"} | {k.encode(): v for k, v in labels.items()}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    source = tmp_path / "cifar-10-batches-py"
    for i in range(1, 6):
        write(source / f"data_batch_{i}", batch(i, i, labels=list(range(i))))
    write(source / "test_batch", batch(3, 9, labels=[9, 8, 7]))
    return source


def test_records_are_a_label_and_its_pixels(ten: Path, tmp_path: Path) -> None:
    assert main(["cifar", str(ten), "--to", str(tmp_path / "out")]) == 0
    test = (tmp_path / "out" / "test_batch.bin").read_bytes()
    pixels = batch(3, 9)[b"data"]
    assert test == b"".join(bytes([9 - i]) + pixels[i].tobytes() for i in range(3))
    sizes = [(tmp_path / "out" / f"data_batch_{i}.bin").stat().st_size for i in range(1, 6)]
    assert sizes == [i * (1 + cifar.PIXELS) for i in range(1, 6)]


def test_of_a_hundred_classes_the_superclass_comes_first(tmp_path: Path) -> None:
    for name, count in [("train", 4), ("test", 2)]:
        fine, coarse = [99 - i for i in range(count)], [i % 20 for i in range(count)]
        write(tmp_path / "in" / name, batch(count, 1, fine_labels=fine, coarse_labels=coarse))
    assert cifar.convert(tmp_path / "in", tmp_path / "out").name == "CIFAR-100"
    train = np.frombuffer((tmp_path / "out" / "train.bin").read_bytes(), dtype=np.uint8)
    assert train.reshape(4, -1)[:, :2].tolist() == [[0, 99], [1, 98], [2, 97], [3, 96]]


class Harmful:
    def __reduce__(self) -> Any:
        return (subprocess.getoutput, ("touch harmed",))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({b"data": Harmful()}, r"names \w+\.getoutput"),
        ([1, 2], "it holds a list"),
        (batch(3, 1), "has no labels"),
        (batch(3, 1, labels=[1, 2]), "labels are not 3 whole numbers"),
        (batch(3, 1, labels=[1, 2, 300]), "labels are not 3 whole numbers"),
        ({b"data": np.zeros((3, 7), np.uint8), b"labels": [1, 2, 3]}, "a row of 3072"),
        ({b"data": np.zeros((3, cifar.PIXELS)), b"labels": [1, 2, 3]}, "are float64"),
    ],
)
def test_what_is_no_batch_is_refused_and_nothing_is_written(
    ten: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(ten / "test_batch", content)
    with pytest.raises(FleetError, match=complaint) as caught:
        cifar.convert(ten, tmp_path / "out")
    assert "test_batch" in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "harmed").exists()


def test_a_truncated_pickle_and_a_missing_file_are_named(ten: Path, tmp_path: Path) -> None:
    whole = (ten / "test_batch").read_bytes()
    (ten / "test_batch").write_bytes(whole[:-10])
    with pytest.raises(FleetError, match="test_batch: not a batch"):
        cifar.convert(ten, tmp_path / "out")
    (ten / "data_batch_3").unlink()
    with pytest.raises(FleetError, match=r"expected these files: data_batch_1, .*; or train, test"):
        cifar.convert(ten, tmp_path / "out")
