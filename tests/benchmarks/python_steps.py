"""Training LEAF's LSTM: fleet's step beside the same step through PyTorch's Python API, on the same LibTorch.

Debian's python3-torch runs on the very libtorch that fleet is built against, so that what differs is what lies around
it. The two take turns; characters a second of processor time on one thread, of each the median.

usage: /usr/bin/python3 python_lstm.py SEQUENCE_BENCHMARK [ROUNDS]
"""

import json
import os
import statistics
import sys
import tempfile
import time

from runs import run_quietly

SYMBOLS, WINDOW, EMBEDDING, HIDDEN, LAYERS = 80, 80, 8, 256, 2
BATCHES = (4, 10, 50)
SECONDS = 1.0
CLIP_NORM = 5.0


def prepare_blas() -> None:
    """One thread, and the kernels that fleet chooses where OpenBLAS does not know the processor; read when the library
    is loaded."""
    with open("/proc/cpuinfo") as file:
        flags = file.read()
    core = "SkylakeX" if "avx512f" in flags and "avx512dq" in flags else "Haswell"
    os.environ.setdefault("OPENBLAS_CORETYPE", core)
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"


def make_step(batch: int):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(SYMBOLS, EMBEDDING)
    lstm = torch.nn.LSTM(EMBEDDING, HIDDEN, num_layers=LAYERS, batch_first=True)
    decoder = torch.nn.Linear(HIDDEN, SYMBOLS)
    parameters = [*embedding.parameters(), *lstm.parameters(), *decoder.parameters()]
    adam = torch.optim.Adam(parameters)
    text = torch.randint(SYMBOLS, (batch, WINDOW + 1))
    state = None

    def step() -> None:
        nonlocal state
        adam.zero_grad()
        outputs, after = lstm(embedding(text[:, :-1]), state)
        loss = torch.nn.functional.cross_entropy(
            decoder(outputs).flatten(0, 1), text[:, 1:].flatten()
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        adam.step()
        state = tuple(part.detach() for part in after)
        loss.item()

    return step


def python_rate(step, batch: int) -> float:
    steps = 0
    begin = time.process_time()
    while time.process_time() - begin < SECONDS:
        step()
        steps += 1
    return steps * batch * WINDOW / (time.process_time() - begin)


def fleet_rate(benchmark: str, batch: int) -> float:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        options = [
            f"filter=training_step/.*_{batch}$",
            f"min_time={SECONDS}",
            f"out={file.name}",
            "out_format=json",
        ]
        command = [benchmark, *(f"--benchmark_{option}" for option in options)]
        run_quietly(command)
        return json.load(file)["benchmarks"][0]["items_per_second"]


def main() -> None:
    benchmark = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    prepare_blas()
    for batch in BATCHES:
        step = make_step(batch)
        python_rate(step, batch)  # warms up
        pairs = [(fleet_rate(benchmark, batch), python_rate(step, batch)) for _ in range(rounds)]
        fleet, python = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(
            f"batch {batch}: {fleet:.0f} characters a second, by Python {python:.0f}; {ratio:.2f} times its rate"
        )


if __name__ == "__main__":
    main()
