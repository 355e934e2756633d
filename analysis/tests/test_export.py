"""Results leave for other programs whole: what they read is what the results hold."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic import METHOD, add_traffic, grid, write

from fleet_analysis.cli import main
from fleet_analysis.export import FORMS, TABLES, export
from fleet_analysis.files import ResultsError
from fleet_analysis.load import Results, load


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Of five cells one that failed."""
    axes = grid(merge__method=["average", "local"], seed=[0, 1, 2])

    def failed(cell: dict) -> bool:
        return cell[METHOD] == "local" and cell["seed"] == 2

    path = write(tmp_path / "sweep.h5", axes, failed=failed, instruments=True)
    add_traffic(path, 1_500_000, 1_000_000)
    return load(path)


@pytest.mark.parametrize(("form", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_tables_are_read_back_as_they_were(results: Results, tmp_path: Path, form, read) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    written = export(results, tmp_path / "out", form)
    assert [path.stem for path in written] == list(TABLES)
    assert sorted(written) == sorted((tmp_path / "out").iterdir())
    for path in written:
        frame, wanted = read(path), getattr(results, path.stem)
        assert list(frame.columns) == list(wanted.columns)
        assert len(frame) == len(wanted) > 0
        for name in wanted:
            if pd.api.types.is_numeric_dtype(wanted[name]):
                np.testing.assert_allclose(frame[name], wanted[name], rtol=1e-15)
            else:
                assert list(frame[name].fillna("").astype(str)) == list(wanted[name].astype(str))


def test_tables_without_rows_are_written_too(tmp_path: Path) -> None:
    results = load(write(tmp_path / "sweep.h5", grid(), failed=lambda _: True))
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        if form == "parquet":
            pytest.importorskip("pyarrow")
        for path in export(results, tmp_path / form, form):
            assert list(read(path).columns) == list(getattr(results, path.stem).columns)


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
    assert sorted(runs) == sorted((tmp_path / "out").iterdir())
    assert len(runs) == len(results.done) == 5
    for run, cell in zip(runs, results.done.itertuples(), strict=True):
        assert run.name == f"method={results.done[METHOD][cell.Index]},seed={cell.seed},{cell.id}"
        (file,) = run.glob("events.out.tfevents.*")
        points = {
            (value.tag, event.step): value.simple_value
            for event in events(file)
            for value in event.summary.value
            if value.HasField("simple_value")
        }
        rows = results.metrics[results.metrics.cell == cell.cell]
        for row in rows.itertuples():
            robot = f"/robot_{row.robot}" if row.robot >= 0 else ""
            found = points.pop((f"{row.split}/{row.metric}{robot}", row.epoch))
            assert found == pytest.approx(row.value, rel=1e-6)
        assert points.pop(("cost/seconds_total", 10)) == cell.seconds_total
        assert {tag.partition("/")[0] for tag, _ in points} == {"cost"}


def test_mlflow_gets_a_run_a_cell_with_settings_and_curves(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    (store,) = export(results, Path("out"), "mlflow")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "sweep.h5"]
    assert list(Path("out").iterdir()) == [store]
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name(results.name)
    assert experiment.artifact_location == (tmp_path / "out" / "artifacts").as_uri()
    runs = {
        run.info.run_name.rpartition(",")[2]: run
        for run in client.search_runs([experiment.experiment_id])
    }
    assert set(runs) == set(results.done.id)
    for cell in results.done.to_dict("records"):
        run = runs[cell["id"]]
        assert run.info.status == "FINISHED"
        assert run.data.params == {key: str(cell[key]) for key in results.settings}
        tag = "test/accuracy" + ("/robot_4" if cell[METHOD] == "local" else "")
        history = client.get_metric_history(run.info.run_id, tag)
        rows = results.metrics[
            (results.metrics.cell == cell["cell"])
            & (results.metrics.split == "test")
            & (results.metrics.metric == "accuracy")
            & (results.metrics.robot == (4 if cell[METHOD] == "local" else -1))
        ]
        assert [(point.step, point.value) for point in history] == list(
            zip(rows.epoch, rows.value, strict=True)
        )
        assert run.data.metrics["cost/bytes_moved"] == cell["bytes_moved"]


def test_cells_of_joined_files_have_the_settings_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    first = write(tmp_path / "a.h5", grid(seed=[0]))
    second = write(tmp_path / "b.h5", grid(merge__top=[0.5], seed=[1]))
    runs = export(load([first, second]), tmp_path / "out", "tensorboard")
    assert [run.name.rpartition(",")[0] for run in runs] == ["seed=0", "seed=1,top=0.5"]


def test_an_empty_directory_will_do(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    assert export(results, Path(), "csv")[0] == Path("cells.csv")
    assert len(list((tmp_path / "out").iterdir())) == len(TABLES)


def test_nothing_is_written_over(results: Results, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    with pytest.raises(ResultsError, match="is not empty"):
        export(results, tmp_path / "out", "csv")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


@pytest.mark.parametrize("there", [True, False])
def test_after_an_error_all_is_as_it_was(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        (tmp_path / "out").mkdir()

    def full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(OSError, match="No space left"):
        export(results, tmp_path / "out", "csv")
    assert (tmp_path / "out").exists() == there
    assert not there or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("form", [form for form in FORMS if form != "csv"])
def test_a_missing_package_is_named(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    package = FORMS[form].package
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ResultsError, match=f"{form} needs the package {package}: pip install"):
        export(results, tmp_path / "out", form)
    assert not (tmp_path / "out").exists()


def test_the_command_prints_what_it_wrote(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "sweep.h5", "--to", "csv"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [f"exported-csv/{name}.csv" for name in TABLES]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("none.h5", "out", "none.h5: no such file"),
        ("text.h5", "out", "text.h5: not an HDF5 file"),
        ("sweep.h5", "full", "full: is not empty; remove it, or give another name with -o"),
        ("sweep.h5", "text.h5", "text.h5: is no directory; give another name with -o"),
        ("sweep.h5", "none/out", "none/out: there is no directory none; make it first"),
    ],
)
def test_a_mistake_gives_two_and_a_line(
    results: Results, tmp_path: Path, monkeypatch, capsys, source: str, target: str, message: str
) -> None:
    (tmp_path / "text.h5").write_text("no results")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").touch()
    monkeypatch.chdir(tmp_path)
    assert main(["export", source, "--to", "csv", "-o", target]) == 2
    assert capsys.readouterr().err == f"fleet-analysis: {message}\n"
    assert not (tmp_path / "out").exists()


def test_an_unknown_form_gives_two(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "sweep.h5", "--to", "excel"])
    said = capsys.readouterr().err.splitlines()
    assert "invalid choice: 'excel'" in said[-1]
    assert all(form in said[-1] for form in FORMS)
