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
            shutil.copy(model, self._folder)
            self._export(model, self._folder / f"{model.stem}.safetensors")

    def contenders(self, peers: list[str]) -> list[Contender]:
        symmetry = ["--symmetry", str(self._folder / "robot-0.symmetry.json")]
        return [
            Contender("fleet: git-rebasin", self._without_data("git-rebasin", symmetry)),
            Contender("fleet: average", self._without_data("average", [])),
            *(
                Contender(f"fleet: {method}, with data", self._with_data(method))
                for method in WITH_DATA
            ),
            *(Contender(name, self._by_peer(name)) for name in peers),
        ]

    def doubts(self, medians: list[Figures]) -> str:
        """None: methods differ."""
        return ""

    def _without_data(self, method: str, words: list[str]) -> Callable[[], Found]:
        def run() -> Found:
            with tempfile.TemporaryDirectory() as scratch:
                merged = Path(scratch) / "merged.safetensors"
                cost = checked_cost(
                    self._merge(self._models("safetensors"), method, merged) + words
                )
                return figures_of(cost, self._accuracy(merged)), self._version()

        return run

    def _with_data(self, method: str) -> Callable[[], Found]:
        def run() -> Found:
            with tempfile.TemporaryDirectory() as scratch:
                merged = Path(scratch) / "merged.h5"
                cost = checked_cost(self._merge(self._models("h5"), method, merged))
                exported = merged.with_suffix(".safetensors")
                self._export(merged, exported)
                return figures_of(cost, self._accuracy(exported)), self._version()

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

    def _merge(self, models: list[str], method: str, merged: Path) -> list[str]:
        return [self._place.fleet, "merge", *models, "--method", method, "-o", str(merged)]

    def _export(self, model: Path, to: Path) -> None:
        run_quietly([self._place.fleet, "export", str(model), "-o", str(to)])

    def _accuracy(self, merged: Path) -> float:
        python = python_of("torch", self._place.folder)
        return float(said_by([str(python), str(HERE / "judge.py"), str(merged), str(self._mnist)]))

    def _version(self) -> dict[str, str]:
        return {"fleet": said_by([self._place.fleet, "--version"]).removeprefix("fleet ").strip()}
