from pathlib import Path

import numpy as np
import pytest
from synthetic import METRIC, changed, grid, write

import fleet_analysis
from fleet_analysis.cli import main
from fleet_analysis.figures.accuracy import axis_figure
from fleet_analysis.figures.fig13_linear import bars_of, draw
from fleet_analysis.figures.look import our_look
from fleet_analysis.files import ResultsError
from fleet_analysis.view import View

METHODS = ["average", "git-rebasin", "gl", "joint"]
RATIOS = {"average": 8.0, "git-rebasin": 1.5, "gl": 1.01, "joint": 1.005}


def write_linear(path: Path, tasks: int) -> Path:
    """Four methods, three seeds, two robots; robot i was trained on task i."""
    write(path, grid(merge__method=METHODS, seed=[0, 1, 2], fleet__robots=[2]))
    rows = []
    for cell in range(12):
        ratio = RATIOS[METHODS[cell // 3]] * (1.0 + 0.1 * (cell % 3))
        rows.append((cell, 1, 9, -1, b"test", b"cost_ratio", ratio))
        rows.append((cell, 1, 9, -1, b"test", b"zero_ratio", 14.0))
        for robot in range(2 * (cell < 9)):
            rows.append((cell, 1, 9, robot, b"test", b"cost_ratio", 2.0))
            for task in range(tasks if tasks > 1 else 0):
                value = 1.25 if task == robot else 2.75
                rows.append((cell, 1, 9, robot, b"test", f"cost_ratio.{task}".encode(), value))
    with changed(path) as file:
        del file["metrics"]
        file.create_dataset("metrics", data=np.array(rows, METRIC))
        shards = file["shards"][:]
        shards["samples"] = np.where(shards["label"] == shards["robot"], 5, 0)
        file["shards"][:] = shards
    return path


def test_bars_are_medians_over_seeds_with_their_range(tmp_path: Path) -> None:
    table = bars_of(fleet_analysis.load(write_linear(tmp_path / "many.h5", tasks=2)))
    assert table.loc["average"].tolist() == pytest.approx([8.8, 8.0, 9.6])
    assert table.loc["GL(n)", "median"] == pytest.approx(1.111)
    assert table.loc["zero policy", "median"] == 14.0


def test_task_specific_counts_a_robots_own_task_alone(tmp_path: Path) -> None:
    table = bars_of(fleet_analysis.load(write_linear(tmp_path / "many.h5", tasks=2)))
    assert table.loc["task-specific", "median"] == 1.25
    assert table.loc["single-task", "median"] == 2.0
    table = bars_of(fleet_analysis.load(write_linear(tmp_path / "one.h5", tasks=1)))
    assert table.loc["task-specific", "median"] == 2.0
    assert "single-task" not in table.index


@pytest.mark.parametrize(
    ("metric", "bar"), [(b"cost_ratio", "single-task"), (b"cost_ratio.1", "task-specific")]
)
def test_a_trial_of_which_a_robot_has_no_value_is_not_the_mean_of_the_others(
    metric: bytes, bar: str, tmp_path: Path
) -> None:
    path = write_linear(tmp_path / "many.h5", tasks=2)
    with changed(path) as file:
        rows = file["metrics"][:]
        own = (rows["robot"] >= 0) & (rows["metric"] == metric)
        rows["value"][own] = 100.0 + rows["cell"][own] % 3
        rows["value"][own & (rows["cell"] % 3 == 0) & (rows["robot"] == 1)] = np.nan
        file["metrics"][:] = rows
    low = {"single-task": 101.0, "task-specific": (1.25 + 101.0) / 2}[bar]
    assert bars_of(fleet_analysis.load(path)).loc[bar, "low"] == pytest.approx(low)


def test_values_of_an_axis_have_panels_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    path = write_linear(tmp_path / "lqg_robots.h5", tasks=1)
    with changed(path) as file:
        cells, metrics = file["cells"][:], file["metrics"][:]
        larger = cells["seed"] == 2
        cells["fleet.robots"][larger] = 4
        metrics["value"][np.isin(metrics["cell"], cells["cell"][larger])] = 7.0
        cells["status"][cells["seed"] == 1] = b"failed"
        cells["merge.method"][(cells["merge.method"] == b"git-rebasin")] = b"fisher"
        file["cells"][:] = cells
        file["metrics"][:] = metrics
    (figure,) = draw([fleet_analysis.load(path)]).values()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["LQG robots, 2 robots (1 trial)", "LQG robots, 4 robots (1 trial)"]
    numbers = [{text.get_text() for text in axes.texts} for axes in figure.axes]
    assert "8.000" in numbers[0] and numbers[1] == {"7.000"}
    assert figure.get_supxlabel().endswith("LQG robots: fisher not shown; 4 failed cells left out")


def test_unstable_policies_can_be_drawn(tmp_path: Path) -> None:
    path = write_linear(tmp_path / "unstable.h5", tasks=2)
    with changed(path) as file:
        metrics = file["metrics"][:]
        metrics["value"][(metrics["cell"] < 3) & (metrics["metric"] == b"cost_ratio")] = np.inf
        file["metrics"][:] = metrics
    out = tmp_path / "figures"
    assert main(["figure", "13", str(path), str(path), str(path), "-o", str(out)]) == 0
    assert all(path.stat().st_size > 1000 for path in out.iterdir())


def test_other_results_are_refused(tmp_path: Path, capsys) -> None:
    path = write(tmp_path / "digits.h5", grid(seed=[0]))
    with pytest.raises(ResultsError):
        bars_of(fleet_analysis.load(path))
    assert main(["figure", "13", str(path), "-o", str(tmp_path / "x.png")]) == 2
    assert "not linear policies" in capsys.readouterr().err


def test_the_first_metric_is_the_default(tmp_path: Path, capsys) -> None:
    path = write_linear(tmp_path / "one.h5", tasks=1)
    assert fleet_analysis.load(path).headline == "cost_ratio"
    assert main(["table", str(path)]) == 0
    assert "cost_ratio" in capsys.readouterr().out


@pytest.mark.filterwarnings("error")
def test_ratios_stand_on_a_logarithmic_scale_and_what_has_no_bound_is_said(tmp_path: Path) -> None:
    path = write_linear(tmp_path / "unstable.h5", tasks=1)
    with changed(path) as file:
        metrics = file["metrics"][:]
        metrics["value"][(metrics["cell"] < 2) & (metrics["metric"] == b"cost_ratio")] = np.inf
        file["metrics"][:] = metrics
    view = View(fleet_analysis.load(path), "cost_ratio", "test")
    figure = axis_figure(view, "fleet.robots")
    assert all(axes.get_yscale() == "log" for sub in figure.subfigs for axes in sub.axes)
    said = " ".join(text.get_text() for text in figure.texts)
    assert "average: no point where a policy is unstable" in said


def test_powers_of_ten_are_written_in_plain_signs(tmp_path: Path) -> None:
    path = write_linear(tmp_path / "wide.h5", tasks=1)
    with changed(path) as file:
        metrics = file["metrics"][:]
        metrics["value"][metrics["cell"] < 3] = 3e6
        file["metrics"][:] = metrics
    with our_look():
        figure = axis_figure(View(fleet_analysis.load(path), "cost_ratio", "test"), "fleet.robots")
        figure.savefig(tmp_path / "wide.svg")
    words = (tmp_path / "wide.svg").read_text(encoding="utf-8")
    assert "10⁰" in words and "10⁶" in words and "math" not in words and "$" not in words
