"""Results for other programs: all tables as CSV or Parquet, a run a cell for TensorBoard or MLflow.

Each form but CSV needs a package of its own, which is asked for where it is missing.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results
from fleet_analysis.names import file_names
from fleet_analysis.written import filling

TABLES = ("cells", "metrics", "rounds", "traffic", "shards", "instruments", "provenance")
MOST_AT_ONCE = 1000  # metrics that MLflow takes in one call


@dataclass(frozen=True)
class Form:
    """How one form is written: `write` fills a directory, and gives the names in it."""

    write: Callable[[Results, Path], Sequence[str]]
    package: str = ""  # that it needs, as pip calls it


@dataclass(frozen=True)
class Run:
    """A finished cell, as programs that compare runs see it."""

    name: str  # that no other has
    settings: dict[str, Any]
    points: list[tuple[str, int, float]]  # tag, local epochs done, value


def export(results: Results, directory: Path, form: str) -> list[Path]:
    """Writes results in one of FORMS into a directory that is new or empty; what was written, or
    nothing at all after an error. Raises ResultsError where the package is missing or the directory
    does not serve."""
    chosen = FORMS[form]
    with filling(directory) as unfinished:
        try:
            names = chosen.write(results, unfinished)
        except ImportError as error:
            raise ResultsError(
                f"{form} needs the package {chosen.package}: pip install {chosen.package} ({error})"
            ) from error
    return [directory / name for name in names]


def _csv(results: Results, directory: Path) -> list[str]:
    return _tables(results, directory, "csv", lambda frame, path: frame.to_csv(path, index=False))


def _parquet(results: Results, directory: Path) -> list[str]:
    def write(frame: pd.DataFrame, path: Path) -> None:
        frame.to_parquet(path, index=False, engine="pyarrow")

    return _tables(results, directory, "parquet", write)


def _tables(
    results: Results, directory: Path, extension: str, write: Callable[[pd.DataFrame, Path], None]
) -> list[str]:
    for name in TABLES:
        write(getattr(results, name), directory / f"{name}.{extension}")
    return [f"{name}.{extension}" for name in TABLES]


def _tensorboard(results: Results, directory: Path) -> list[str]:
    from tensorboardX import SummaryWriter

    names = []
    for run in _runs(results):
        with SummaryWriter(str(directory / run.name)) as events:
            lines = [f"    {key} = {value}" for key, value in run.settings.items()]
            events.add_text("settings", "\n".join(lines))
            for tag, epoch, value in run.points:
                events.add_scalar(tag, value, epoch)
        names.append(run.name)
    return names


def _mlflow(results: Results, directory: Path) -> list[str]:
    """A database with an experiment named after the sweep."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nobody asked for network traffic
    from mlflow.exceptions import MlflowException

    for chatty in ("alembic", "mlflow.store.db.utils"):  # a line for every table that is made
        logging.getLogger(chatty).setLevel(logging.WARNING)
    name = "mlflow.db"
    # Locks of SQLite fail on many network file systems, so the database is moved there whole.
    with TemporaryDirectory() as place:
        try:
            _fill_database(results, f"sqlite:///{place}/{name}", directory.parent / "artifacts")
        except MlflowException as error:
            raise ResultsError(f"MLflow does not take these results: {error}") from error
        shutil.move(f"{place}/{name}", directory / name)
    return [name]


def _fill_database(results: Results, address: str, artifacts: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(tracking_uri=address)
    known = client.get_experiment_by_name(results.name)  # as MLflow's own "Default"
    experiment = (
        known.experiment_id
        if known
        else client.create_experiment(results.name, artifacts.absolute().as_uri())
    )
    now = round(time.time() * 1000)
    for run in _runs(results):
        number = client.create_run(experiment, start_time=now, run_name=run.name).info.run_id
        settings = [Param(key, str(value)) for key, value in run.settings.items()]
        points = [Metric(tag, value, now, epoch) for tag, epoch, value in run.points]
        client.log_batch(number, params=settings)
        for begin in range(0, len(points), MOST_AT_ONCE):
            client.log_batch(number, metrics=points[begin : begin + MOST_AT_ONCE])
        client.set_terminated(number, end_time=now)


def _runs(results: Results) -> Iterator[Run]:
    cells = results.done.to_dict("records")
    labels = [
        ",".join(
            [
                *(f"{axis.rpartition('.')[2]}={cell[axis]}" for axis in _known(results.axes, cell)),
                cell["id"],
            ]
        )
        for cell in cells
    ]
    rows_of = results.metrics.groupby("cell").indices
    costs = [key for key in results.cells.select_dtypes("number") if key not in results.settings]
    costs.remove("cell")
    for cell, name in zip(cells, file_names(labels), strict=True):
        points = list(_curves(results.metrics.iloc[rows_of.get(cell["cell"], [])]))
        last = max((epoch for _, epoch, _ in points), default=0)
        points += [(f"cost/{key}", last, float(cell[key])) for key in _known(costs, cell)]
        yield Run(name, {key: cell[key] for key in _known(results.settings, cell)}, points)


def _known(keys: Sequence[str], cell: dict[str, Any]) -> list[str]:
    """Those that the cell has, as not every one has where files of several sweeps are joined."""
    return [key for key in keys if cell[key] != "" and not pd.isna(cell[key])]


def _curves(rows: pd.DataFrame) -> Iterator[tuple[str, int, float]]:
    """Robots' own policies have their number in the tag."""
    for row in rows.itertuples(index=False):
        robot = "" if row.robot < 0 else f"/robot_{row.robot}"
        yield f"{row.split}/{row.metric}{robot}", int(row.epoch), float(row.value)


FORMS = {
    "csv": Form(_csv),
    "parquet": Form(_parquet, "pyarrow"),
    "tensorboard": Form(_tensorboard, "tensorboardX"),
    "mlflow": Form(_mlflow, "mlflow"),
}
