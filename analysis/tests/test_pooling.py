"""Files read together: what tells their cells apart, and what is said where nothing does."""

from pathlib import Path

import numpy as np
import pytest
from synthetic import changed, grid, write

from fleet_analysis import Results, load
from fleet_analysis.cli import main
from fleet_analysis.figures import every_figure
from fleet_analysis.ranking import difference_table, rank_table
from fleet_analysis.report import write_report
from fleet_analysis.table import final_table

METHODS = ["average", "fleet-merge", "joint"]
SWEPT = grid(train__x=[5], merge__method=METHODS, seed=[0, 1, 2])
PLAIN = grid(merge__method=METHODS, seed=[0, 1, 2])


@pytest.fixture
def both(tmp_path: Path) -> Results:
    """Of one file that has an axis of a single value, and one that lacks it."""
    paths = [write(tmp_path / "A.h5", SWEPT, epochs=2), write(tmp_path / "B.h5", PLAIN, epochs=2)]
    return load(paths)


def test_cells_without_an_axis_are_no_further_seeds_of_those_with_it(both: Results) -> None:
    assert both.swept == ["train.x"]
    table = final_table(both)
    assert "n = 3" in table.caption and "9 cells without x not shown" in table.caption
    alone = final_table(load(both.provenance.file[0]))
    assert [row[1:] for row in table.rows] == [list(row) for row in alone.rows]
    assert "averaged over x" in final_table(both, by=[]).caption


def test_every_command_takes_such_files(both: Results, tmp_path: Path) -> None:
    files = [str(tmp_path / "A.h5"), str(tmp_path / "B.h5")]
    assert every_figure(both, "accuracy", "test")
    assert main(["report", *files, "-o", str(tmp_path / "page.html")]) == 0
    for further in ([], ["--ranks"], ["--against"], ["--by", "fleet.alpha"]):
        assert main(["table", *files, *further]) == 0


def test_ranks_count_the_cells_of_every_file(both: Results) -> None:
    assert "6 settings × seeds" in rank_table(both).caption
    (row,) = difference_table(both, "average").rows
    assert row[1] == "6"


def test_an_option_that_a_file_lacks_makes_a_variant_of_its_own(tmp_path: Path) -> None:
    axes = {"merge.fleet-merge.k": [1], **PLAIN}
    results = load([write(tmp_path / "A.h5", axes), write(tmp_path / "B.h5", PLAIN)])
    names = {row[0] for row in rank_table(results).rows}
    assert names == {"average", "fleet-merge", "fleet-merge k = 1"}


@pytest.mark.parametrize(
    ("key", "method"), [("merge.fleet-merge.k", "average"), ("merge.warm", "joint")]
)
def test_a_setting_that_a_method_does_not_read_keeps_nothing_apart(
    key: str, method: str, tmp_path: Path
) -> None:
    first = write(tmp_path / "A.h5", grid(merge__method=["fleet-merge"]) | {key: [1]})
    assert load([first, write(tmp_path / "B.h5", grid(merge__method=[method]))]).swept == []
    other = write(tmp_path / "C.h5", grid(merge__method=["fleet-merge"], seed=[1]))
    assert load([first, other]).swept == [key]


def _configured(path: Path, seed: int, *lines: str) -> Path:
    write(path, grid(merge__method=["average", "joint"], seed=[seed]), epochs=2)
    with changed(path) as file:
        file.attrs["config"] = "\n".join([f'name = "{path.stem}"', *lines, ""])
    return path


SAME = ["train.epochs = 5", "run.threads = 2", "# of data 0011"]


def _differing(tmp_path: Path, *configs: list[str]) -> str:
    files = [_configured(tmp_path / f"{'ABCDEF'[i]}.h5", i, *c) for i, c in enumerate(configs)]
    return load(files).differing


@pytest.mark.parametrize(
    "other",
    [
        SAME,
        ["train.epochs = 5", "run.threads = 8"],
        [*SAME, "sweep.grid.seed = [0, 1]", "merge.fisher.ridge = 0.5"],
        [*SAME, "seed = 4", 'merge.method = "gl"'],
        [*SAME, "# of data 2233"],
        ['workload = "lqg"', "train.epochs = 9", "# of data 4455"],
    ],
    ids=["same", "run", "grid", "axes", "more data", "workload"],
)
def test_files_that_differ_in_what_is_no_setting_are_the_same(
    other: list[str], tmp_path: Path
) -> None:
    assert _differing(tmp_path, SAME, other) == ""


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (["train.epochs = 10", "# of data 0011"], "train.epochs (A.h5: 5, B.h5: 10)"),
        (["[train]", "epochs = 10"], "train.epochs (A.h5: 5, B.h5: 10)"),
        ([*SAME, "train.clip = 1"], "train.clip (A.h5: none, B.h5: 1)"),
        (["train.epochs = 5", "# of data 2233"], "content of the data (A.h5: 0011, B.h5: 2233)"),
    ],
)
def test_settings_that_nothing_tells_are_named(
    other: list[str], said: str, tmp_path: Path, capsys
) -> None:
    line = f"files differ in settings that are no axis: {said}"
    assert _differing(tmp_path, SAME, other) == line
    files = [str(tmp_path / "A.h5"), str(tmp_path / "B.h5")]
    results = load(files)
    assert line in final_table(results).caption
    assert line in write_report(results, tmp_path / "page.html").read_text()
    for further in ([], ["--by", "fleet.alpha"]):
        assert main(["table", *files, *further]) == 0
        both = capsys.readouterr()
        assert line in both.out and both.err.splitlines() == [f"fleet-analysis: note: {line}"]


def test_ranks_say_so_too(tmp_path: Path) -> None:
    files = []
    for number, epochs in enumerate((5, 10)):
        path = write(tmp_path / f"{number}.h5", grid(merge__method=METHODS, seed=[number]))
        with changed(path) as file:
            file.attrs["config"] = f"train.epochs = {epochs}\n"
        files.append(path)
    for table in (rank_table(load(files)), difference_table(load(files))):
        assert "train.epochs (0.h5: 5, 1.h5: 10)" in table.caption


def test_of_many_differences_some_are_named(tmp_path: Path) -> None:
    configs = [[f"train.x{key} = {file}" for key in range(9)] for file in range(6)]
    said = _differing(tmp_path, *configs)
    assert "train.x0 (A.h5: 0, B.h5: 1, C.h5: 2, …)" in said and said.endswith(" and 6 more")


def test_an_axis_of_a_file_without_the_metric_is_none_of_the_others(tmp_path: Path) -> None:
    axes = grid(merge__method=METHODS, fleet__alpha=[0.1, 1.0], seed=[0, 1])
    first = write(tmp_path / "A.h5", axes, epochs=2)
    second = write(tmp_path / "B.h5", axes | {"merge.rounds_after": [0, 3]}, epochs=2)
    with changed(second) as file:
        metrics = file["metrics"][:]
        metrics["metric"] = np.where(metrics["metric"] == b"accuracy", b"success", b"failure")
        del file["metrics"]
        file["metrics"] = metrics
    files = [str(first), str(second)]
    assert main(["figures", *files, "-o", str(tmp_path / "figures")]) == 0
    assert main(["report", *files, "-o", str(tmp_path / "page.html")]) == 0
