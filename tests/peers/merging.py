"""Five perceptrons that fleet has trained apart, merged into one, by fleet and by its peers.

Every merge is one process of one thread, which reads files and writes one. fleet's methods with data
also read MNIST, and test the models before and after.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from contenders import (
    HERE,
    Contender,
    Figures,
    Found,
    Place,
    checked_cost,
    figures_of,
    peer_cost,
)
from environments import python_of
from jobs import MERGED, WORKERS
from runs import run_quietly, said_by, sweep_command

ROBOTS = 5
EPOCHS = 5
WITH_DATA = ("fleet-merge", "regression", "regmean")


class Merging:
    peers = ("rebasin", "sinkhorn")
    part = "the merge alone"
    title = f"Five perceptrons 784-200-200-10 into one, trained apart on MNIST for {EPOCHS} epochs"

    def __init__(self, place: Place) -> None:
        self._place = place
        self._mnist = place.sources / "mnist"
        self._folder = place.data / "merge"

    def prepare(self) -> None:
        """The models, each as PyTorch has it and as fleet has it, with where its data are."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        output = self._folder / "sweep"
        settings = {
            "run.data": self._mnist,
            "run.save_models": "all",
            "data.standardize": "false",
            "fleet.robots": ROBOTS,
            "train.epochs": EPOCHS,
            "merge.method": "average",
            "merge.every_epochs": 0,
            **MERGED.settings(),
        }
        fleet = self._place.fleet
        run_quietly(sweep_command("mnist", fleet, self._place.mpirun, WORKERS, settings, output))
        for model in output.glob("models/*/robot-*.h5"):
            kept = model.rename(self._folder / model.name)
            self._export(kept, kept.with_suffix(".safetensors"))

    def contenders(self, peers: list[str]) -> list[Contender]:
        symmetry = str(self._folder / "robot-0.symmetry.json")
        git_rebasin = self._by_fleet("git-rebasin", "safetensors", "--symmetry", symmetry)
        return [
            Contender("fleet: git-rebasin", git_rebasin),
            Contender("fleet: average", self._by_fleet("average", "safetensors")),
            *(
                Contender(f"fleet: {method}, with data", self._by_fleet(method, "h5"))
                for method in WITH_DATA
            ),
            *(Contender(name, self._by_peer(name)) for name in peers),
        ]

    def doubts(self, medians: list[Figures]) -> str:
        """None: methods differ."""
        return ""

    def _by_fleet(self, method: str, kind: str, *words: str) -> Callable[[], Found]:
        """By `fleet merge`, which takes safetensors without data, and models of its own with them."""

        def run() -> Found:
            with tempfile.TemporaryDirectory() as scratch:
                merged = Path(scratch) / f"merged.{kind}"
                command = [self._place.fleet, "merge", *self._models(kind), "--method", method]
                cost = checked_cost([*command, "-o", str(merged), *words])
                return figures_of(cost, self._accuracy(merged)), self._version()

        return run

    def _by_peer(self, name: str) -> Callable[[], Found]:
        def run() -> Found:
            with tempfile.TemporaryDirectory() as scratch:
                merged = Path(scratch) / "merged.safetensors"
                words = [str(merged), *self._models("safetensors")]
                cost, told = peer_cost(name, self._place.folder, words)
                return figures_of(cost, self._accuracy(merged), told["part_ms"]), told["versions"]

        return run

    def _models(self, kind: str) -> list[str]:
        return [str(self._folder / f"robot-{robot}.{kind}") for robot in range(ROBOTS)]

    def _export(self, model: Path, to: Path) -> None:
        run_quietly([self._place.fleet, "export", str(model), "-o", str(to)])

    def _accuracy(self, merged: Path) -> float:
        if merged.suffix == ".h5":
            self._export(merged, merged.with_suffix(".safetensors"))
            merged = merged.with_suffix(".safetensors")
        python = python_of("torch", self._place.folder)
        return float(said_by([str(python), str(HERE / "judge.py"), str(merged), str(self._mnist)]))

    def _version(self) -> dict[str, str]:
        return {"fleet": said_by([self._place.fleet, "--version"]).removeprefix("fleet ").strip()}
