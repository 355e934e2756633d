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
from modules import module_of
from torch.nn import functional as F

import torch
from torch import nn

RANK, PORT = "PEERS_RANK", "PEERS_PORT"
TESTED_AT_ONCE = 1000


class Dealt:
    """The samples and labels of all clients."""

    def __init__(self, job: Job, file: Path) -> None:
        torch.set_num_threads(1)
        self.job = job
        with np.load(file) as arrays:
            self._arrays = {name: torch.from_numpy(arrays[name]) for name in arrays}

    def client(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = slice(index * self.job.samples, (index + 1) * self.job.samples)
        return scaled(self._arrays["samples"][rows]), self._arrays["labels"][rows].long()

    def test(self) -> tuple[torch.Tensor, torch.Tensor]:
        return scaled(self._arrays["test_samples"]), self._arrays["test_labels"].long()


def scaled(samples: torch.Tensor) -> torch.Tensor:
    """Bytes are an image's; what else there is stays as it is."""
    return samples.float() / 255 if samples.dtype == torch.uint8 else samples


@cache
def dealt(name: str, file: str) -> Dealt:
    """Read once in a process."""
    return Dealt(JOBS[name], Path(file))


def asked() -> tuple[Job, str]:
    """The job, and the file of its data, that stand on the command line."""
    return JOBS[sys.argv[1]], sys.argv[2]


def network(job: Job) -> nn.Module:
    """The same first weights in every process; leaves the random stream as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = module_of(job.network)
    trained = sum(each.numel() for each in module.parameters() if each.requires_grad)
    if trained != job.parameters:
        raise ValueError(f"{job.name}: {trained} parameters in place of {job.parameters}")
    return module


def train(module: nn.Module, samples: torch.Tensor, labels: torch.Tensor, job: Job) -> None:
    """One local epoch."""
    optimizer = torch.optim.SGD(module.parameters(), lr=job.learning_rate)
    for rows in torch.randperm(len(labels)).split(job.batch):
        optimizer.zero_grad()
        F.cross_entropy(module(samples[rows]), labels[rows]).backward()
        optimizer.step()


def accuracy(module: nn.Module, samples: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        told = torch.cat([module(some).argmax(1) for some in samples.split(TESTED_AT_ONCE)])
    return float((told == labels).float().mean())


def say(figures: dict[str, float], package: str) -> None:
    versions = {name: version(name) for name in dict.fromkeys((package, "torch", "numpy"))}
    told = {"versions": versions | {"Python": platform.python_version()}}
    print(json.dumps(told | figures), flush=True)


def report(module: nn.Module, data: Dealt, ends: list[float], package: str = "torch") -> None:
    """`ends`: when the first round began, and when each ended."""
    rounds = [end - begin for begin, end in pairwise(ends)]
    median = statistics.median(rounds[FIRST_ROUNDS:])
    say({"accuracy": accuracy(module, *data.test()), "part_ms": 1e3 * median}, package)


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
