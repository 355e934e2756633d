"""Federated jobs, by fleet and by its peers."""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from contenders import (
    Contender,
    Figures,
    Found,
    Place,
    checked_cost,
    figures_of,
    peer_cost,
)
from deals import DEALS
from environments import Skipped
from jobs import FIRST_ROUNDS, WORKERS, Job
from runs import said_by, sweep_command

NEAR = 0.015  # accuracies of the same work


class Federated:
    peers = ("torch", "pfl", "flower", "appfl", "blazefl")
    part = "a round"

    def __init__(self, job: Job, place: Place) -> None:
        self._job, self._place = job, place
        self._deal = DEALS[job.workload](job, place.sources / job.workload, place.data)

    @property
    def title(self) -> str:
        job = self._job
        return (
            f"{job.title}: {job.clients} clients of {job.samples} {self._deal.unit}, "
            f"{job.cohort} a round, batch {job.batch}, one local epoch, rate {job.learning_rate}, "
            f"{job.rounds} rounds"
        )

    def prepare(self) -> None:
        np.savez(self._arrays, **self._deal.write())

    def contenders(self, peers: list[str]) -> list[Contender]:
        return [
            Contender("fleet", self._by_fleet),
            *(Contender(name, self._by_peer(name)) for name in peers),
        ]

    def doubts(self, medians: list[Figures]) -> str:
        reached = [figures.accuracy for figures in medians]
        points = 100 * (max(reached) - min(reached))
        if points <= 100 * NEAR:
            return ""
        return f"**The accuracies differ by {points:.1f} points: this was not the same work.**"

    @property
    def _arrays(self) -> Path:
        return self._place.data / f"{self._job.name}.npz"

    def _by_peer(self, name: str) -> Callable[[], Found]:
        def run() -> Found:
            cost, told = peer_cost(name, self._place.folder, [self._job.name, str(self._arrays)])
            return figures_of(cost, told["accuracy"], told["part_ms"]), told["versions"]

        return run

    def _by_fleet(self) -> Found:
        with tempfile.TemporaryDirectory() as scratch:
            output = Path(scratch) / self._job.name
            command = sweep_command(
                self._job.workload,
                self._place.fleet,
                self._place.mpirun,
                WORKERS,
                self._settings(),
                output,
            )
            self._check_parameters(command)
            cost = checked_cost(command)
            with h5py.File(output.with_suffix(".h5")) as results:
                self._check_samples(results)
                return figures_of(cost, reached(results), round_ms(results)), versions(results)

    def _settings(self) -> dict[str, object]:
        """The job as fleet says it."""
        job = self._job
        return {
            "run.checkpoint.every_minutes": 0.0,
            "data.held_out": 0.0,
            "fleet.robots": job.clients,
            "fleet.initialization": "common",
            "train.epochs": job.rounds,
            "train.robots": "participants",
            "train.batch_size": job.batch,
            "train.optimizer": "sgd",
            "train.learning_rate": job.learning_rate,
            "evaluate.every_rounds": 0,
            "evaluate.local": "never",
            "merge.method": "average",
            "merge.every_epochs": 1,
            "merge.participants": job.cohort,
            **self._deal.settings(),
            **job.network.settings(),
        }

    def _check_parameters(self, command: list[str]) -> None:
        said = said_by(["plan" if word == "run" else word for word in command])
        found = re.search(r"\((\d+) weights per robot\)", said)
        if found is None or int(found[1]) != self._job.parameters:
            raise Skipped(f"its network has not {self._job.parameters} parameters: {said}")

    def _check_samples(self, results: h5py.File) -> None:
        shards = results["shards"][:]
        held = np.bincount(shards["robot"], shards["samples"]).astype(int).tolist()
        if [*map(self._deal.samples_in, held)] != [self._job.samples] * self._job.clients:
            raise Skipped(f"its clients have not {self._job.samples} samples each: {held}")


def reached(results: h5py.File) -> float:
    """The accuracy at the end."""
    metrics = results["metrics"][:]
    merged = (metrics["metric"] == b"accuracy") & (metrics["robot"] == -1)
    return float(metrics[merged]["value"][-1])


def round_ms(results: h5py.File) -> float:
    rounds = results["rounds"][:]
    parts = [name for name in rounds.dtype.names if name.startswith("seconds_")]
    seconds = np.sum([rounds[name] for name in parts], axis=0)
    return 1e3 * float(np.median(seconds[FIRST_ROUNDS:]))


def versions(results: h5py.File) -> dict[str, str]:
    told = {key: text_of(value) for key, value in results["provenance"].attrs.items()}
    return {
        "fleet": f"{told['fleet_version']} ({told['git_revision']})",
        "MPI": told["mpi"],
        "LibTorch": told["libtorch"],
        "BLAS": " ".join(told["blas"].split()[:2]),
    }


def text_of(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
