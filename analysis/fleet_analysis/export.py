"""Results for other programs: Parquet, CSV, TensorBoard's event files, a store of MLflow.

Each form but CSV needs a package of its own, which is asked for when it is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results

TABLES = ("cells", "metrics", "rounds", "shards", "instruments")


def export(results: Results, directory: Path, form: str) -> list[Path]:
    """Writes all tables into a directory of their own; what was written.

    Raises ResultsError where the form's package is missing, or there is something in the directory.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ResultsError(
            f"{directory}: there is something already; remove it, or give another name with -o"
        )
    return FORMS[form](results, directory)


def _csv(results: Results, directory: Path) -> list[Path]:
    return _tables(results, directory, "csv", lambda frame, path: frame.to_csv(path, index=False))


def _parquet(results: Results, directory: Path) -> list[Path]:
    _package("pyarrow", "parquet")
    return _tables(results, directory, "parquet", _write_parquet)


def _tables(
    results: Results, directory: Path, extension: str, write: Callable[[pd.DataFrame, Path], None]
) -> list[Path]:
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name in TABLES:
        frame: pd.DataFrame = getattr(results, name)
        path = directory / f"{name}.{extension}"
        write(frame, path)
        written.append(path)
    return written


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Columns that hold values of several types, as settings may, are written as text."""
    mixed = {
        name: frame[name].astype(str)
        for name in frame.columns
        if frame[name].dtype == object and frame[name].map(type).nunique() > 1
    }
    frame.assign(**mixed).to_parquet(path, index=False, engine="pyarrow")


def _tensorboard(results: Results, directory: Path) -> list[Path]:
    """A run for each cell: a curve a metric, by local epochs."""
    writer = _package("tensorboardX", "tensorboard").SummaryWriter
    written = []
    for cell, name, settings in _runs(results):
        path = directory / name
        with writer(str(path)) as events:
            text = "\n".join(f"    {key} = {value}" for key, value in settings.items())
            events.add_text("settings", text)
            for tag, epoch, value in _curves(results, cell):
                events.add_scalar(tag, value, epoch)
        written.append(path)
    return written


def _mlflow(results: Results, directory: Path) -> list[Path]:
    """An experiment named after the sweep, a run for each cell."""
    mlflow = _package("mlflow", "mlflow")
    from mlflow.entities import Metric, Param, RunTag

    directory.mkdir(parents=True, exist_ok=True)
    client = mlflow.MlflowClient(tracking_uri=directory.absolute().as_uri())
    experiment = client.create_experiment(results.name)
    for cell, name, settings in _runs(results):
        run = client.create_run(experiment, start_time=0, run_name=name).info.run_id
        params = [Param(_plain(key), str(value)) for key, value in settings.items()]
        curves = [
            Metric(_plain(tag), value, 0, epoch) for tag, epoch, value in _curves(results, cell)
        ]
        at_once = 500
        for begin in range(0, max(len(curves), 1), at_once):
            part = curves[begin : begin + at_once]
            client.log_batch(run, part, params if begin == 0 else [], [RunTag("fleet.cell", name)])
        client.set_terminated(run)
    return [directory]


def _runs(results: Results) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Of every finished cell its number, a name that no other has, and its settings."""
    hidden = {"cell", "id", "status", "reason"}
    for row in results.done.to_dict("records"):
        settings = {
            key: value for key, value in row.items() if key not in hidden and not _absent(value)
        }
        axes = [f"{axis.split('.')[-1]}={row[axis]}" for axis in results.axes if axis in settings]
        yield row["cell"], re.sub(r"[^\w=.,-]+", "_", ",".join([*axes, str(row["id"])])), settings


def _absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _curves(results: Results, cell: int) -> Iterator[tuple[str, int, float]]:
    """Tag, local epochs and value; robots' own policies have their number in the tag."""
    rows = results.metrics[results.metrics.cell == cell]
    for row in rows.itertuples(index=False):
        robot = "" if row.robot < 0 else f"/robot_{row.robot}"
        yield f"{row.split}/{row.metric}{robot}", int(row.epoch), float(row.value)


def _plain(name: str) -> str:
    """In characters that every store takes for a name."""
    return re.sub(r"[^\w./ -]", "_", name)


def _package(module: str, extra: str) -> ModuleType:
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ResultsError(
            f"this form needs the package {module}: pip install 'fleet-analysis[{extra}]'"
        ) from error


FORMS: dict[str, Callable[[Results, Path], list[Path]]] = {
    "parquet": _parquet,
    "csv": _csv,
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
}
