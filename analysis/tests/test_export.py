"""Results leave for other programs whole: what they read is what the results hold."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import grid, write

from fleet_analysis.cli import main
from fleet_analysis.export import TABLES, export
from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results, load


@pytest.fixture
def results(tmp_path: Path) -> Results:
    axes = grid(merge__method=["average", "local"], seed=[0, 1])
    return load(write(tmp_path / "sweep.h5", axes))


@pytest.mark.parametrize(("form", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_tables_are_read_back_as_they_were(results: Results, tmp_path: Path, form, read) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    written = export(results, tmp_path / "out", form)
    assert [path.stem for path in written] == list(TABLES)
    for path in written:
        frame, wanted = read(path), getattr(results, path.stem)
        assert list(frame.columns) == list(wanted.columns)
        assert len(frame) == len(wanted)
        for name in wanted.select_dtypes("number"):
            np.testing.assert_array_equal(frame[name].to_numpy(), wanted[name].to_numpy())
    metrics = read(written[1])
    assert set(metrics.metric) == set(results.metrics.metric)


def events(file: Path) -> list:
    """Of an event file: records of a length, its checksum, the event, its checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    content, place, found = file.read_bytes(), 0, []
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        found.append(event_pb2.Event.FromString(content[place + 12 : place + 12 + length]))
        place += 16 + length
    return found


def test_tensorboard_gets_a_run_a_cell_with_every_curve(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    runs = export(results, tmp_path / "out", "tensorboard")
    assert len(set(runs)) == 4
    assert "method=average" in runs[0].name
    (file,) = runs[0].glob("events.out.tfevents.*")
    points = {
        (value.tag, event.step): value.simple_value
        for event in events(file)
        for value in event.summary.value
        if value.HasField("simple_value")
    }
    first = results.metrics[(results.metrics.cell == 0) & (results.metrics.robot == -1)]
    assert len(first) > 0
    for row in first.itertuples():
        assert points[f"{row.split}/{row.metric}", row.epoch] == pytest.approx(row.value, rel=1e-6)


def test_mlflow_gets_a_run_a_cell_with_settings_and_curves(
    results: Results, tmp_path: Path
) -> None:
    mlflow = pytest.importorskip("mlflow")
    (store,) = export(results, tmp_path / "out", "mlflow")
    client = mlflow.MlflowClient(tracking_uri=store.as_uri())
    (experiment,) = [e for e in client.search_experiments() if e.name == results.name]
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 4
    assert {run.data.params["merge.method"] for run in runs} == {"average", "local"}
    local = next(run for run in runs if run.data.params["merge.method"] == "average")
    history = client.get_metric_history(local.info.run_id, "test/accuracy")
    assert len(history) == len({point.step for point in history}) > 1


def test_nothing_is_written_over(results: Results, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    with pytest.raises(ResultsError, match="there is something already"):
        export(results, tmp_path / "out", "csv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


def test_a_missing_package_is_named(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(ResultsError, match=r"pip install 'fleet-analysis\[tensorboard\]'"):
        export(results, tmp_path / "out", "tensorboard")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_what_it_wrote(results: Results, tmp_path: Path, capsys) -> None:
    source = str(tmp_path / "sweep.h5")
    assert main(["export", source, "--to", "csv", "-o", str(tmp_path / "out")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(TABLES)
    assert main(["export", source, "--to", "csv", "-o", str(tmp_path / "out")]) == 2
    assert "there is something already" in capsys.readouterr().err
