"""Training: fleet's step beside the same step through PyTorch's Python API.

Debian's python3-torch runs on the very libtorch that fleet is built against, so that what differs is what lies around
it; another Python may have another PyTorch. The two take turns; images, characters, or steps of windows, a second of
processor time on one thread, of each the median.

usage: PYTHON python_steps.py FOLDER_OF_BENCHMARKS [ROUNDS]
"""

import json
import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from runs import run_quietly, tell_ratio

SYMBOLS, WINDOW, EMBEDDING, HIDDEN, LAYERS = 80, 80, 8, 256, 2
BATCHES = (4, 10, 50)
PIXELS, CLASSES, IMAGES = 784, 10, 4096
PERCEPTRONS = {"mlp_2x200_batch_10": ((200, 200), 10), "mlp_2x128_batch_128": ((128, 128), 128)}
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


def lstm_step(batch: int):
    """LEAF's LSTM, its state carried from window to window."""
    import torch

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


def perceptron_step(hidden: tuple[int, ...], batch: int):
    """Images as tensors of float, which are shuffled in every epoch."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for wide, narrow in pairwise((PIXELS, *hidden, CLASSES)):
        layers += [nn.Linear(wide, narrow), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    adam = torch.optim.Adam(model.parameters())
    images, labels = torch.rand(IMAGES, PIXELS), torch.randint(CLASSES, (IMAGES,))
    order: list[torch.Tensor] = []

    def step() -> None:
        if not order:
            order.extend(torch.randperm(IMAGES).split(batch))
        rows = order.pop()
        adam.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images[rows]), labels[rows])
        loss.backward()
        adam.step()
        loss.item()

    return step


def decision_step(batch: int, steps: int):
    """A Decision Transformer of a hopper, as GPT-2 is usually written: 2 blocks, width 64, 1 head."""
    from torch.nn import functional as F

    import torch
    from torch import nn

    torch.manual_seed(0)
    states, actions, width, longest, rows = 11, 3, 64, 1000, 4000
    mask = torch.full((3 * steps, 3 * steps), float("-inf")).triu(1)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.grow, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            q, k, v = self.qkv(self.norm1(x)).split(width, dim=2)
            shares = torch.softmax(q @ k.transpose(1, 2) / width**0.5 + mask, 2)
            x = x + self.out(shares @ v)
            return x + self.shrink(F.gelu(self.grow(self.norm2(x))))

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.action = nn.Linear(actions, width)
            self.to_go = nn.Linear(1, width)
            self.state = nn.Linear(states, width)
            self.norm, self.last = nn.LayerNorm(width), nn.LayerNorm(width)
            self.times = nn.Embedding(longest, width)
            self.blocks = nn.Sequential(Block(), Block())
            self.head = nn.Linear(width, actions)

        def forward(
            self, action: torch.Tensor, to_go: torch.Tensor, state: torch.Tensor, time: torch.Tensor
        ) -> torch.Tensor:
            tokens = torch.stack((self.action(action), self.to_go(to_go), self.state(state)), 2)
            times = self.times(torch.stack(((time - 1).clamp_min(0), time, time), 2))
            x = self.blocks((self.norm(tokens) + times).flatten(1, 2))
            return self.head(self.last(x)[:, 2::3])

    model = Transformer()
    adam = torch.optim.Adam(model.parameters())
    data = [torch.randn(rows, size) for size in (actions, 1, states)]
    done = torch.randn(rows, actions)
    times = torch.arange(rows) % longest
    window = torch.arange(steps)

    def step() -> None:
        picked = torch.randint(rows - steps, (batch, 1)) + window
        adam.zero_grad()
        said = model(*(part[picked] for part in data), times[picked])
        loss = F.mse_loss(said, done[picked])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        adam.step()
        loss.item()

    return step


def python_rate(step, items: int) -> float:
    steps = 0
    begin = time.process_time()
    while time.process_time() - begin < SECONDS:
        step()
        steps += 1
    return steps * items / (time.process_time() - begin)


def fleet_rate(benchmark: Path, name: str) -> float:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        options = [
            f"filter={name}$",
            f"min_time={SECONDS}",
            f"out={file.name}",
            "out_format=json",
        ]
        command = [str(benchmark), *(f"--benchmark_{option}" for option in options)]
        run_quietly(command)
        return json.load(file)["benchmarks"][0]["items_per_second"]


def main() -> None:
    import torch

    folder = Path(sys.argv[1])
    sequences, training = folder / "sequence_benchmark", folder / "training_benchmark"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    torch.set_num_threads(1)
    cases = [
        (name, training, f"training_step/{name}", perceptron_step(*shape), shape[1])
        for name, shape in PERCEPTRONS.items()
    ]
    cases += [
        (
            f"LSTM, batch {batch}",
            sequences,
            f"training_step/.*_{batch}",
            lstm_step(batch),
            batch * WINDOW,
        )
        for batch in BATCHES
    ]
    decisions = decision_step(32, 20)
    cases.append(
        ("Decision Transformer, batch 32", sequences, "decision_step/.*", decisions, 32 * 20)
    )
    print(f"PyTorch {torch.__version__}")
    for name, benchmark, pattern, step, items in cases:
        python_rate(step, items)  # warms up
        pairs = [(fleet_rate(benchmark, pattern), python_rate(step, items)) for _ in range(rounds)]
        fleet, python = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(f"{name}: {fleet:.0f} a second, by Python {python:.0f}")
        ratio = statistics.median(a / b for a, b in pairs)
        tell_ratio(f"{name}, training beside PyTorch's Python API", ratio)


if __name__ == "__main__":
    prepare_blas()
    main()
