from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from synthetic import METHOD, SMALL, changed, grid, write, write_parts

from fleet_analysis import Results, ResultsError, load
from fleet_analysis.files import Reader
from fleet_analysis.table import final_table

TABLES = ("cells", "metrics", "shards", "rounds")


def test_a_file_equals_its_parts_concatenated(tmp_path: Path) -> None:
    axes = grid(merge__method=["average", "local"], fleet__alpha=[0.1, 1.0], seed=[0, 1])
    whole = load(write(tmp_path / "sweep.h5", axes))
    parts = write_parts(tmp_path / "sweep", axes)
    for loaded in (load(parts), load(tmp_path / "sweep"), load(str(tmp_path / "sweep" / "*.h5"))):
        assert loaded.name == whole.name == "sweep"
        assert loaded.axes == whole.axes == list(axes)
        assert loaded.config == whole.config
        assert len(loaded.provenance) == len(parts)
        for table in TABLES:
            left, right = getattr(loaded, table), getattr(whole, table)
            assert_frame_equal(left, right)


def test_every_cell_has_an_index_of_its_own(tmp_path: Path) -> None:
    first = write(tmp_path / "a.h5", grid(seed=[0, 1]))
    second = write(tmp_path / "b.h5", grid(seed=[2, 3, 4]))
    results = load([first, second])
    assert results.name == "a+b"
    assert results.cells.cell.is_unique and len(results.cells) == 5
    assert set(results.metrics.cell) == set(results.cells.cell)


def test_a_cell_found_twice_is_kept_once(tmp_path: Path) -> None:
    collected = write(tmp_path / "all.h5", grid(seed=[0, 1]))
    again = write(tmp_path / "again.h5", grid(seed=[1, 2]))
    results, alone = load([collected, again]), load(collected)
    assert results.repeated == 1 and len(results.cells) == 3
    assert results.cells.seed.tolist() == [0, 1, 2]
    kept = results.metrics[results.metrics.cell.isin(alone.cells.cell)]
    assert_frame_equal(kept, alone.metrics)


def test_of_a_cell_found_twice_the_finished_one_is_kept(tmp_path: Path) -> None:
    failed = write(tmp_path / "old.h5", grid(seed=[0]), failed=lambda _: True)
    finished = write(tmp_path / "new.h5", grid(seed=[0]))
    results = load([failed, finished])
    assert results.cells.status.tolist() == ["done"]
    assert len(results.final()) == 1


def test_a_reader_reads_again_only_what_has_changed(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"{i}.h5", grid(seed=[i])) for i in range(2))
    read = Reader()
    before = [read(first), read(second)]
    assert load([first, second], read).metrics.equals(load([first, second]).metrics)
    write(second, grid(seed=[1, 2]))
    assert read(first) is before[0] and read(second) is not before[1]
    assert load([first, second], read).metrics.equals(load([first, second]).metrics)


def test_files_with_different_axes_can_be_joined(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.h5", grid(seed=[0]))
    axes = grid(merge__fisher__ridge=[0.5], merge__kind=["é"], seed=[1])
    results = load([plain, write(tmp_path / "more.h5", axes)])
    assert results.axes == ["seed", "merge.fisher.ridge", "merge.kind"]
    assert np.isnan(results.cells["merge.fisher.ridge"][0])
    assert results.cells["merge.kind"].tolist() == ["", "é"]


def test_cells_older_than_an_axis_have_the_value_that_was_not_swept_then(tmp_path: Path) -> None:
    further = grid(seed=[0, 1], train__rate=[0.5], train__kind=['é "x"'], model__hidden=["[64]"])
    write_parts(tmp_path / "sweep" / "old", grid(seed=[0, 1]))
    write_parts(tmp_path / "sweep" / "new", further)
    for path in (tmp_path / "sweep" / "old").iterdir():
        with changed(path) as file:
            said = ("train.rate = 0.25", 'train.kind = "\\u00e9 = "', "model.hidden = [64, 32]")
            file["cells"].attrs["settings"] = "\n".join(said)
    cells = load(tmp_path / "sweep").cells
    assert cells["train.rate"].tolist() == [0.5, 0.5, 0.25, 0.25]
    assert cells["train.kind"].tolist() == ['é "x"'] * 2 + ["é = "] * 2
    assert cells["model.hidden"].tolist() == ["[64]"] * 2 + ["[64, 32]"] * 2


def test_strings_are_decoded_and_numbers_kept(small: Results) -> None:
    cells = small.cells
    for column in ("status", METHOD, "workload", "fleet.partition"):
        assert isinstance(cells[column].dtype, pd.CategoricalDtype)
        assert all(isinstance(value, str) for value in cells[column].cat.categories)
    assert isinstance(cells.id[0], str) and cells.id.is_unique
    assert set(cells.reason) == {"", "robot 3, round 2: loss is not finite"}
    assert cells["fleet.alpha"].dtype == np.float64
    assert cells["merge.every_epochs"].dtype == np.int64
    assert list(cells[METHOD].cat.categories) == SMALL[METHOD]


def test_booleans_are_kept(tmp_path: Path) -> None:
    results = load(write(tmp_path / "b.h5", grid(merge__warm=[False, True])))
    assert results.cells["merge.warm"].dtype == np.bool_


def test_final_equals_a_computation_by_hand(tmp_path: Path) -> None:
    path = write(tmp_path / "f.h5", grid(merge__method=["average", "local", "joint"], seed=[0, 1]))
    final = load(path).final().set_index("cell")
    with h5py.File(path) as file:
        cells, metrics = file["cells"][:], file["metrics"][:]
    for cell in cells:
        local = cell[METHOD] == b"local"
        rows = [
            row
            for row in metrics
            if row["cell"] == cell["cell"]
            and (row["split"], row["metric"]) == (b"test", b"accuracy")
            and (row["robot"] >= 0) == local
        ]
        last = max(row["round"] for row in rows)
        values = [row["value"] for row in rows if row["round"] == last]
        assert len(values) == (5 if local else 1)
        assert final.value[cell["cell"]] == pytest.approx(np.mean(values), abs=1e-15)


def test_final_holds_each_finished_cell_once_with_its_settings(small: Results) -> None:
    final = small.final("loss", "train")
    assert final.cell.tolist() == small.done.cell.tolist()
    assert set(small.cells.columns) | {"value"} == set(final.columns)


def test_failed_cells_are_excluded_and_counted(small: Results) -> None:
    assert len(small.failed) == 3
    assert len(small.final()) == len(small.cells) - 3
    assert not set(small.final().cell) & set(small.failed.cell)


def test_what_differs_is_found_whether_declared_an_axis_or_not(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{world}.h5", grid(workload=[world], seed=[0, 1]))
        for world in ("mnist", "lqg")
    ]
    assert load(paths).swept == ["workload"]
    assert load(paths[0]).swept == []


def test_an_unknown_metric_names_those_there_are(small: Results) -> None:
    with pytest.raises(ResultsError, match=r"no test reward.*test accuracy, test loss"):
        small.final("reward")


def test_a_pattern_without_files_and_an_empty_list_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no file matches"):
        load(str(tmp_path / "*.h5"))
    with pytest.raises(ResultsError, match="no results files"):
        load([])


def test_a_table_damaged_after_loading_is_an_error_of_ours(tmp_path: Path) -> None:
    path = write(tmp_path / "late.h5", grid())
    results = load(path)
    path.unlink()
    with pytest.raises(ResultsError, match="no such file"):
        _ = results.metrics


@pytest.mark.parametrize("lost", [[0], [1, 4]])
def test_a_mean_over_robots_of_which_some_have_no_value_is_none(
    lost: list[int], tmp_path: Path
) -> None:
    path = write(tmp_path / "d.h5", grid(merge__method=["average", "local"], seed=[0, 1]), epochs=3)
    with changed(path) as file:
        rows = file["metrics"][:]
        last = (rows["cell"] == 2) & (rows["round"] == 3)
        rows["value"][last & np.isin(rows["robot"], lost)] = np.nan
        file["metrics"][:] = rows
    results = load(path)
    final = results.final().set_index("cell")
    assert final[METHOD][2] == "local" and np.isnan(final.value[2])
    assert final.value.drop(2).notna().all()
    assert "1 cell without a value left out" in final_table(results).caption
