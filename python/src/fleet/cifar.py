"""CIFAR-10 and CIFAR-100 in their Python layout, as files that the workloads of `fleet` read.

That layout is a folder of pickles. A pickle can run any code when it is read; here only arrays and
plain values are let out of it. What comes out are the files of the binary version, byte for byte.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fleet.errors import FleetError

PIXELS = 3 * 32 * 32
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class _Arrays(pickle.Unpickler):
    """Lets out what numpy's arrays are made of, and nothing else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module_name}.{global_name}")
        return super().find_class(module_name, global_name)


@dataclass(frozen=True)
class Layout:
    """The files of one data set: from Python's to the binary version's, and the labels of each."""

    name: str
    files: Mapping[str, str]
    labels: Sequence[bytes]  # in the order in which a record has them


LAYOUTS = (
    Layout(
        "CIFAR-10",
        {f"data_batch_{i}": f"data_batch_{i}.bin" for i in range(1, 6)}
        | {"test_batch": "test_batch.bin"},
        [b"labels"],
    ),
    Layout(
        "CIFAR-100",
        {"train": "train.bin", "test": "test.bin"},
        [b"coarse_labels", b"fine_labels"],
    ),
)


def _load(file: BinaryIO, path: Path) -> dict[Any, Any]:
    try:
        batch = _Arrays(file, encoding="bytes").load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ImportError,
        ValueError,
        TypeError,
        AttributeError,
    ) as error:
        raise FleetError(f"{path}: not a batch of images: {error}") from error
    if not isinstance(batch, dict):
        raise FleetError(f"{path}: not a batch of images: it holds a {type(batch).__name__}")
    return {key.encode() if isinstance(key, str) else key: value for key, value in batch.items()}


def records(path: Path, labels: Sequence[bytes]) -> NDArray[np.uint8]:
    """The records of a batch: labels, then pixels."""
    with path.open("rb") as file:
        batch = _load(file, path)
    missing = [key.decode() for key in (b"data", *labels) if key not in batch]
    if missing:
        raise FleetError(f"{path}: has no {missing[0]}")
    pixels = np.asarray(batch[b"data"])
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise FleetError(
            f"{path}: data are {pixels.dtype} of shape {pixels.shape}, expected bytes, a row of "
            f"{PIXELS} each image"
        )
    columns = [np.asarray(batch[key]) for key in labels]
    for key, column in zip(labels, columns, strict=True):
        if column.shape != (len(pixels),) or not np.isin(column, np.arange(256)).all():
            raise FleetError(
                f"{path}: {key.decode()} are not {len(pixels)} whole numbers from 0 to 255"
            )
    return np.column_stack([*columns, pixels]).astype(np.uint8)


def convert(source: Path, to: Path) -> Layout:
    """Writes every file of the binary version, or none: what is wrong is found before."""
    for layout in LAYOUTS:
        if all((source / name).is_file() for name in layout.files):
            break
    else:
        wanted = "; or ".join(", ".join(layout.files) for layout in LAYOUTS)
        raise FleetError(f"{source}: expected these files: {wanted}")
    batches = {
        to_name: records(source / name, layout.labels) for name, to_name in layout.files.items()
    }
    to.mkdir(parents=True, exist_ok=True)
    for name, batch in batches.items():
        (to / name).write_bytes(batch.tobytes())
    return layout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", type=Path, help="cifar-10-batches-py or cifar-100-python")
    parser.add_argument("--to", type=Path, required=True, help="folder for the .bin files")


def run(arguments: argparse.Namespace) -> int:
    layout = convert(arguments.source, arguments.to)
    workload = layout.name.lower().replace("-", "")
    print(f"{layout.name}: {len(layout.files)} files in {arguments.to}")
    print(f'workload = "{workload}"\n\n[run]\ndata = "{arguments.to}"')
    return 0
