"""What the peers share: a job's data, model and local training, and how they report."""

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
from jobs import FIRST_ROUNDS, JOBS, Job
from torch.nn import functional as F

import torch
from torch import nn

RANK, PORT = "PEERS_RANK", "PEERS_PORT"


class Dealt:
    """The images and labels of all clients, as tensors of bytes."""

    def __init__(self, job: Job, file: Path) -> None:
        torch.set_num_threads(1)
        self.job = job
        with np.load(file) as arrays:
            self._images = torch.from_numpy(arrays["images"])
            self._labels = torch.from_numpy(arrays["labels"])
            self._test = (arrays["test_images"], arrays["test_labels"])

    def client(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = slice(index * self.job.samples, (index + 1) * self.job.samples)
        return self._images[rows].float() / 255, self._labels[rows].long()

    def test(self) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = map(torch.from_numpy, self._test)
        return images.float() / 255, labels.long()


@cache
def dealt(name: str, file: str) -> Dealt:
    """Read once in a process."""
    return Dealt(JOBS[name], Path(file))


def asked() -> tuple[Job, str]:
    """The job, and the file of its data, that stand on the command line."""
    return JOBS[sys.argv[1]], sys.argv[2]


def network(job: Job) -> nn.Sequential:
    """The same first weights in every process; leaves the random stream as it was."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for wide, narrow in pairwise(job.widths):
            layers += [nn.Linear(wide, narrow), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(module: nn.Module, images: torch.Tensor, labels: torch.Tensor, job: Job) -> None:
    """One local epoch."""
    optimizer = torch.optim.SGD(module.parameters(), lr=job.learning_rate)
    for rows in torch.randperm(len(labels)).split(job.batch):
        optimizer.zero_grad()
        F.cross_entropy(module(images[rows]), labels[rows]).backward()
        optimizer.step()


def accuracy(module: nn.Module, data: Dealt) -> float:
    images, labels = data.test()
    with torch.no_grad():
        return float((module(images).argmax(1) == labels).float().mean())


def report(reached: float, ends: list[float], package: str = "torch") -> None:
    """`ends`: when the first round began, and when each ended."""
    rounds = [end - begin for begin, end in pairwise(ends)]
    versions = {name: version(name) for name in dict.fromkeys((package, "torch", "numpy"))}
    print(
        json.dumps(
            {
                "accuracy": reached,
                "round_ms": 1e3 * statistics.median(rounds[FIRST_ROUNDS:]),
                "versions": versions | {"Python": platform.python_version()},
            }
        ),
        flush=True,
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def two_workers() -> Iterator[tuple[int, int]]:
    """Starts this script once more; yields the rank of this process, and a port for both."""
    if RANK in os.environ:
        yield int(os.environ[RANK]), int(os.environ[PORT])
        return
    port = free_port()
    other = subprocess.Popen(
        [sys.executable, *sys.argv], env=os.environ | {RANK: "1", PORT: str(port)}
    )
    try:
        yield 0, port
    except BaseException:
        other.kill()
        raise
    finally:
        other.wait()
