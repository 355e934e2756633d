"""Weights of PyTorch in safetensors files, and files of PyTorch's own (.pt) as such.

    python -m fleet convert policy.pt -o policy.safetensors

Files of PyTorch's own are pickles. They are read with `weights_only`, so that none can run code.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fleet.errors import FleetError
from fleet.torch_import import import_torch
from fleet.tracing.places import last_line

if TYPE_CHECKING:
    import torch

_TYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
}  # fmt: skip


def save(
    tensors: Mapping[str, torch.Tensor],
    path: str | Path,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Writes the file whole, or not at all. Tensors may share memory: each is written by itself."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", **(metadata or {})}}
    place = 0
    for name, tensor in tensors.items():
        kind = str(tensor.dtype).removeprefix("torch.")
        if kind not in _TYPES:
            raise FleetError(
                f"tensor {name} is of {kind}, which safetensors files do not hold here"
            )
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _TYPES[kind], "shape": list(tensor.shape),
                        "data_offsets": [place, place + size]}  # fmt: skip
        place += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = Path(path)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(len(text).to_bytes(8, "little") + text)
            for tensor in tensors.values():
                file.write(_bytes_of(tensor))
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o666 & ~_umask())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _bytes_of(tensor: torch.Tensor) -> bytes:
    torch = import_torch()
    plain = tensor.detach().cpu().contiguous()
    if plain.dtype == torch.bfloat16:  # which NumPy does not know
        plain = plain.view(torch.int16)
    return bytes(plain.numpy().tobytes())


def load(path: str | Path) -> dict[str, torch.Tensor]:
    """All tensors of a file."""
    torch = import_torch()
    content = Path(path).read_bytes()
    try:
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        data = memoryview(content)[8 + length :]
        names = {kind: name for name, kind in _TYPES.items()}
        tensors = {}
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            dtype = getattr(torch, names[entry["dtype"]])
            if begin == end:  # PyTorch 1.13 cannot view no bytes at all as numbers
                tensors[name] = torch.empty(entry["shape"], dtype=dtype)
                continue
            own = np.frombuffer(data[begin:end], np.uint8).copy()
            tensors[name] = torch.from_numpy(own).view(dtype).reshape(entry["shape"])
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise FleetError(f"{path}: no safetensors file: {error}") from error
    return tensors


#: Under these names training loops keep a module's weights beside other things.
_USUAL = ("state_dict", "model_state_dict", "model", "policy", "module", "net", "weights")


def tensors_of(checkpoint: Any, key: str | None, name: str) -> dict[str, torch.Tensor]:
    """A module's weights in what torch.load() gives; FleetError if they are not to be found."""
    torch = import_torch()

    def is_state(value: Any) -> bool:
        return (
            isinstance(value, Mapping)
            and len(value) > 0
            and all(isinstance(each, torch.Tensor) for each in value.values())
        )

    if key is not None:
        for part in key.split("."):
            if not isinstance(checkpoint, Mapping) or part not in checkpoint:
                raise FleetError(f"{name}: there is no {key}; {_contents(checkpoint)}")
            checkpoint = checkpoint[part]
    if not is_state(checkpoint) and key is None and isinstance(checkpoint, Mapping):
        found = [each for each in _USUAL if is_state(checkpoint.get(each))]
        if len(found) == 1:
            checkpoint = checkpoint[found[0]]
    if not is_state(checkpoint):
        raise FleetError(
            f"{name}: expected a module's state_dict(), or --key, the name under which it lies; "
            f"{_contents(checkpoint)}"
        )
    return dict(checkpoint)


def _contents(value: Any) -> str:
    if isinstance(value, Mapping):
        return "there are: " + ", ".join(map(str, list(value)[:10]))
    return f"it holds a {type(value).__name__}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a file of torch.save(): a state_dict(), or what holds one")
    parser.add_argument(
        "--key", help="the name under which the state_dict() lies in it, say ema.model"
    )
    parser.add_argument("--output", "-o", required=True, help="NAME.safetensors")


def run(arguments: argparse.Namespace) -> int:
    torch = import_torch()
    if not arguments.output.endswith(".safetensors"):
        raise FleetError(f"-o {arguments.output}: expected a name that ends in .safetensors")
    if not Path(arguments.file).is_file():
        raise FleetError(f"{arguments.file}: there is no such file")
    try:
        checkpoint = torch.load(arguments.file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise FleetError(
            f"{arguments.file}: it cannot be read as weights alone: {last_line(error)}"
        ) from error
    tensors = tensors_of(checkpoint, arguments.key, arguments.file)
    save(tensors, arguments.output)
    print(f"{len(tensors)} tensors: {arguments.output}")
    return 0
