"""How fast and in how much memory `fleet merge` goes through models that are large, beside dd.

    python large_merge.py build/release/fleet mpirun [GIGABYTES [DIRECTORY]]

Makes three models of that many gigabytes of bfloat16 (8 by default), in files of two; reads and
writes as much by dd; merges them by every method. Files that are read are dropped from the page
cache first.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from runs import peak_memory_of

COLUMNS = 4096
GIGABYTE = 10**9


def make_model(folder: Path, gigabytes: float, seed: int) -> None:
    """Tensors of 256 MB, eight to a file, with an index, as Hugging Face lays them out."""
    folder.mkdir(parents=True)
    rows = 256 * 10**6 // (2 * COLUMNS)
    tensors = max(1, round(gigabytes * GIGABYTE / (rows * COLUMNS * 2)))
    stream = np.random.default_rng(seed)
    block = (stream.normal(size=rows * COLUMNS // 32).astype("<f4").view("<u4") >> 16).astype("<u2")
    index = {}
    for begin in range(0, tensors, 8):
        name = f"model-{begin // 8 + 1:05}.safetensors"
        header, place = {}, 0
        for t in range(begin, min(begin + 8, tensors)):
            header[f"layers.{t}.weight"] = {
                "dtype": "BF16",
                "shape": [rows, COLUMNS],
                "data_offsets": [place, place + rows * COLUMNS * 2],
            }
            index[f"layers.{t}.weight"] = name
            place += rows * COLUMNS * 2
        text = json.dumps(header).encode()
        with (folder / name).open("wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            written = 0
            while written < place:
                part = np.roll(block, written % 977).tobytes()[: place - written]
                file.write(part)
                written += len(part)
            file.flush()
            os.fsync(file.fileno())
    total = tensors * rows * COLUMNS * 2
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": total}, "weight_map": index})
    )
    (folder / "config.json").write_text("{}")


def forget(folder: Path) -> None:
    """Drops its files from the page cache."""
    for path in folder.glob("*.safetensors"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def dd_seconds(models: list[Path], target: Path) -> float:
    """Reading all models and writing one, by dd, one after the other."""
    begin = time.perf_counter()
    for model in models:
        forget(model)
        for path in sorted(model.glob("*.safetensors")):
            subprocess.run(["dd", f"if={path}", "of=/dev/null", "bs=8M", "status=none"], check=True)
    size = size_of(models[0])
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={target}", "bs=8M", f"count={size // (8 << 20)}",
         "conv=fsync", "status=none"],
        check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    target.unlink()
    return seconds


def main() -> None:
    fleet, launcher = sys.argv[1:3]
    gigabytes = float(sys.argv[3]) if len(sys.argv) > 3 else 8.0
    where = Path(sys.argv[4] if len(sys.argv) > 4 else ".") / "large-merge"
    models = [where / name for name in ("a", "b", "base")]
    for seed, model in enumerate(models):
        if not model.exists():
            make_model(model, gigabytes, seed)
    os.environ |= {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }
    three = [str(model) for model in models]
    two = three[:2]
    runs = {
        "average": (three, ()),
        "interpolate": (two, ("--weight", "0.3")),
        "task-arithmetic": (two, ("--base", three[2])),
        "ties": (two, ("--base", three[2])),
        "dare": (two, ("--base", three[2])),
    }
    try:
        for method, (inputs, options) in runs.items():
            for ranks in (1, 2):
                read = inputs + [word for word in options if word in three]
                disk = dd_seconds([Path(name) for name in read], where / "dd")
                for name in read:
                    forget(Path(name))
                target = where / "merged"
                command = [*launcher.split(), "-n", str(ranks), fleet, "merge", *inputs]
                begin = time.perf_counter()
                memory = peak_memory_of([*command, "--method", method, *options, "-o", str(target)])
                seconds = time.perf_counter() - begin
                shutil.rmtree(target)
                print(
                    f"{method:16} {ranks} ranks: {seconds:6.1f} s, dd {disk:6.1f} s: "
                    f"{100 * disk / seconds:4.0f} % of the disk's rate; a rank's memory at most "
                    f"{memory / 1e9:.2f} GB",
                    flush=True,
                )
    finally:
        shutil.rmtree(where)


if __name__ == "__main__":
    main()
