"""The figures that are named after the paper's."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic import METHOD, METRIC, Settings, changed, grid, write

from fleet_analysis import Results, ResultsError, load
from fleet_analysis.cli import main
from fleet_analysis.figures import every_figure, fig10_tasks
from fleet_analysis.figures.paper import PAPER, paper_figures
from fleet_analysis.style import KNOWN
from fleet_analysis.variants import variants
from fleet_analysis.view import View

ITERATIVE = grid(
    merge__method=["average", "fleet-merge", "joint"],
    merge__every_epochs=[1, 2, 0],
    merge__participation=[0.4, 1.0],
    fleet__alpha=[0.1, 1.0],
    seed=[0, 1],
)
TASKS = ["reach", "push", "door_open"]


@pytest.fixture(scope="module")
def iterative(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("iterative") / "it.h5", ITERATIVE, epochs=4)


def one(name: str, *paths: Path) -> Figure:
    (figure,) = paper_figures(name, list(paths), None, "test").values()
    return figure


def panels(figure: Figure) -> list:
    return [axes for sub in figure.subfigs for axes in sub.axes]


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def lines(axes) -> dict[str, tuple[list[float], list[float]]]:
    """x and y of the lines in a panel, by colour."""
    return {
        line.get_color(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.get_lines()
    }


@pytest.mark.parametrize("name", ["3d", "4", "4a", "4b", "4c", "4d", "12"])
def test_they_are_written_as_vectors_and_pixels(
    name: str, iterative: Path, tmp_path: Path, capsys
) -> None:
    assert main(["figure", name, str(iterative), "-o", str(tmp_path)]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert {path.suffix for path in written} == {".pdf", ".png"}
    for path in written:
        assert path.name.startswith(f"fig{name}-it-") and path.stat().st_size > 2000


def test_a_single_panel_fits_a_column_and_many_fit_the_text(iterative: Path) -> None:
    room = {1: 3.5, 2: 5.5, 3: 7.16}  # inches: a column of two, the text of one, that of two
    for name in ("3d", "4a", "4", "12"):
        figure = one(name, iterative)
        assert figure.get_figwidth() <= room[len(panels(figure))]
        assert min(text.get_fontsize() for text in figure.texts) >= 5.5


def test_one_shot_counts_cells_that_merged_once_and_no_others(
    iterative: Path, tmp_path: Path
) -> None:
    alone = dict(ITERATIVE) | {"merge.every_epochs": [0]}
    without = write(tmp_path / "once.h5", alone, epochs=4)
    assert lines(panels(one("3d", iterative))[0]) == lines(panels(one("3d", without))[0])


def test_merging_often_leaves_out_cells_that_merged_once(iterative: Path, tmp_path: Path) -> None:
    often = write(tmp_path / "often.h5", dict(ITERATIVE) | {"merge.every_epochs": [1, 2]}, epochs=4)
    for name in ("4b", "4c"):
        for left, right in zip(panels(one(name, iterative)), panels(one(name, often)), strict=True):
            assert lines(left) == lines(right)


def test_the_panels_of_figure_4_are_the_axes_that_were_swept(
    iterative: Path, tmp_path: Path
) -> None:
    titles = [axes.get_title(loc="left") for axes in panels(one("4", iterative))]
    assert titles == ["(a)", "(b)", "(c)"]
    some = grid(fleet__alpha=[0.1, 1.0], merge__participation=[0.5, 1.0])
    figure = one("4", write(tmp_path / "some.h5", some))
    assert [axes.get_title(loc="left") for axes in panels(figure)] == ["(b)", "(c)"]


def test_pooled_training_bounds_every_panel_though_it_ran_once(tmp_path: Path) -> None:
    path = tmp_path / "bound.h5"
    axes = grid(merge__method=["average", "joint"], merge__participation=[0.4, 1.0], seed=[0, 1])
    write(
        path, axes, epochs=4, failed=lambda c: c[METHOD] == "joint" and c["merge.participation"] < 1
    )
    with changed(path) as file:
        cells = file["cells"][:]
        cells["rounds"][cells[METHOD] == b"joint"] = 1
        file["cells"][:] = cells
    assert "joint" in words(one("4c", path))


FREQUENCIES = {once: [1, 2, once] for once in (0, 4)}  # which both end four epochs with one merge


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int | None], Path]:
    """The sweep with pooled training at all its settings, or at one of its frequencies only."""
    directory = tmp_path_factory.mktemp("pooled")

    @cache
    def sweep(once: int, kept: int | None) -> Path:
        def again(cell: Settings) -> bool:
            here = (cell["merge.every_epochs"], cell["merge.participation"])
            return cell[METHOD] == "joint" and here != (FREQUENCIES[once][kept], 1.0)

        axes = dict(ITERATIVE) | {"merge.every_epochs": FREQUENCIES[once]}
        left_out = again if kept is not None else lambda _: False
        path = directory / f"{once}-{kept}.h5"
        return write(path, axes, left_out=left_out, epochs=4, name="it")

    return sweep


@pytest.mark.parametrize("once", FREQUENCIES)
@pytest.mark.parametrize("name", ["3d", "4", "4a", "4b", "4c"])
def test_merging_methods_are_drawn_alike_whether_pooled_training_ran_once_or_always(
    name: str, once: int, pooled: Callable[[int, int | None], Path]
) -> None:
    always = one(name, pooled(once, None))
    joint = KNOWN["joint"].colour
    for kept in range(3):
        thin = one(name, pooled(once, kept))
        for left, right in zip(panels(thin), panels(always), strict=True):
            drawn, expected = lines(left), lines(right)
            assert drawn.pop(joint)[0] == expected.pop(joint)[0], kept
            assert drawn == expected and len(drawn) == 2, kept
        assert words(thin) == words(always), kept


@pytest.mark.parametrize("name", PAPER)
def test_what_a_sweep_cannot_feed_is_said_in_a_line(name: str, tmp_path: Path, capsys) -> None:
    bare = write(tmp_path / "bare.h5", grid(merge__method=["joint"]))
    assert main(["figure", name, str(bare), "-o", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("fleet-analysis: ") and len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["3a", "3c", "8"])
def test_instruments_feed_theirs(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "i.h5", grid(merge__method=["fleet-merge"]), instruments=True)
    assert paper_figures(name, [path], None, "test")


def write_tasks(path: Path) -> Results:
    """Two seeds of joint, average and local; robot i holds task i, and does 0.9 - 0.1 i on it."""
    write(path, grid(merge__method=["joint", "average", "local"], seed=[0, 1], fleet__robots=[3]))
    rows = []
    for cell in range(6):
        robots = range(3) if cell >= 4 else [-1]
        for robot in robots:
            rows.append((cell, 1, 9, robot, b"test", b"success", 0.5))
            rows.append((cell, 1, 9, robot, b"test", b"success_unseen", 0.2))
            rows.append((cell, 1, 9, robot, b"test", b"success_task_p10", 0.0))
            for task, name in enumerate(TASKS):
                value = [0.3 * task, 0.1 * task][cell // 2] if robot < 0 else 0.05
                value = 0.9 - 0.1 * robot if robot == task else value
                rows.append((cell, 1, 9, robot, b"test", f"success_{name}".encode(), value))
    wide = np.dtype([(n, "S24" if n == "metric" else METRIC[n]) for n in METRIC.names])
    with changed(path) as file:
        del file["metrics"]
        file["metrics"] = np.array(rows, wide)
        shards = file["shards"][:]
        shards["samples"] = np.where(shards["label"] == shards["robot"], 5, 0)
        file["shards"][:] = shards
    return load(path)


def test_tasks_are_rows_in_the_order_of_pooled_training(tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks.h5")
    (axes,) = panels(one("10", tmp_path / "tasks.h5"))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["mean over tasks", "door open", "push", "reach"]
    points = lines(axes)
    pooled, own = points["#555555"], points["#8c8c8c"]
    assert sorted(pooled[0]) == pytest.approx([0, 0.3, 0.3, 0.6]), "tasks, and their mean"
    assert sorted(own[0]) == pytest.approx([0.7, 0.8, 0.8, 0.9]), "each robot on its own task only"


def test_a_cell_of_which_a_robot_has_no_value_is_left_out_and_counted(tmp_path: Path) -> None:
    write_tasks(tmp_path / "tasks.h5")
    with changed(tmp_path / "tasks.h5") as file:
        rows = file["metrics"][:]
        local = rows["cell"] >= 4
        rows["value"][local] -= 0.1 * (rows["cell"][local] - 4)
        lost = (rows["cell"] == 4) & (rows["robot"] == 1) & (rows["metric"] != b"success")
        rows["value"][lost] = np.nan
        file["metrics"][:] = rows
    figure = one("10", tmp_path / "tasks.h5")
    (axes,) = panels(figure)
    own = lines(axes)["#8c8c8c"]
    assert sorted(own[0]) == pytest.approx([0.6, 0.7, 0.7, 0.8]), "of the other cell alone"
    assert "1 cell without a value left out" in words(figure).replace("\n", " ")


def test_pooled_training_stands_beside_tasks_though_it_ran_once(tmp_path: Path) -> None:
    path = tmp_path / "once.h5"
    axes = grid(merge__method=["average", "joint"], merge__every_epochs=[1, 5], seed=[0, 1])
    ran_at_1 = {METHOD: "joint", "merge.every_epochs": 1}
    write(path, axes, left_out=lambda cell: ran_at_1.items() <= cell.items())
    with changed(path) as file:
        wide = np.dtype([(n, "S24" if n == "metric" else METRIC[n]) for n in METRIC.names])
        rows = [
            (cell, 1, 9, -1, b"test", name.encode(), 0.4)
            for cell in range(len(file["cells"]))
            for name in ["success", *(f"success_{task}" for task in TASKS)]
        ]
        del file["metrics"]
        file["metrics"] = np.array(rows, wide)
    (drawn,) = panels(one("10", path))
    assert set(lines(drawn)) >= {KNOWN["joint"].colour, KNOWN["average"].colour}


def test_tasks_are_drawn_with_the_rest_where_there_are_any(tmp_path: Path, small: Results) -> None:
    assert "tasks-tasks" in every_figure(write_tasks(tmp_path / "tasks.h5"), "success", "test")
    assert not fig10_tasks.has_tasks(small, "accuracy")


ABLATIONS = grid(merge__method=["average", "fleet-merge", "joint"], seed=[0, 1]) | {
    "merge.every_epochs": [0],
    "merge.fleet-merge.point": ["segment", "average", "simplex"],
}


def test_ablations_are_rows_of_their_own(tmp_path: Path) -> None:
    figure = one("12", write(tmp_path / "a.h5", ABLATIONS))
    labels = [label.get_text() for label in panels(figure)[0].get_yticklabels()]
    points = [f"fleet-merge point = {point}" for point in ("segment", "average", "simplex")]
    assert labels == ["average", *points]
    assert "a-ablations" in every_figure(load(tmp_path / "a.h5"), "accuracy", "test")


def test_of_several_options_only_those_changed_are_named(tmp_path: Path) -> None:
    axes = ABLATIONS | {"merge.fleet-merge.projection": ["hard", "soft"]}
    changed = lambda cell: (  # noqa: E731
        cell["merge.fleet-merge.point"] != "segment"
        and cell["merge.fleet-merge.projection"] == "soft"
    )
    results = load(write(tmp_path / "a.h5", axes, failed=changed))
    view = View(results, "accuracy", "test")
    named = set(variants(view.final, view.axes)) - {"average", "joint"}
    assert named == {
        "fleet-merge",
        "fleet-merge point = average",
        "fleet-merge point = simplex",
        "fleet-merge projection = soft",
    }


def test_nothing_left_to_show_is_an_error(iterative: Path) -> None:
    view = View(load(iterative), "accuracy", "test")
    with pytest.raises(ResultsError, match="no finished cell with nobody"):
        view.where(lambda rows: rows.value > 2, "nobody")


def test_robots_that_learn_online_stand_beside_what_they_are_merged_into(tmp_path: Path) -> None:
    axes = grid(
        merge__method=["average", "joint"],
        merge__every_epochs=[1, 2],
        seed=[0, 1],
    )
    path = write(tmp_path / "online.h5", axes, epochs=4)
    figure = one("11", path)
    drawn = panels(figure)
    assert len(drawn) == 2
    metrics = load([path]).metrics
    cells = load([path]).done
    for axes_, every in zip(drawn, [1, 2], strict=True):
        chosen = cells[(cells["merge.every_epochs"] == every) & (cells[METHOD] == "average")].cell
        rows = metrics[metrics.cell.isin(chosen) & (metrics.split == "test")]
        rows = rows[rows.metric == "accuracy"]
        wanted = {
            style: rows[side].groupby("epoch").value.mean().to_numpy()
            for style, side in (("-", rows.robot < 0), ("--", rows.robot >= 0))
        }
        colour = KNOWN["average"].colour
        own = [line for line in axes_.get_lines() if line.get_color() == colour]
        assert sorted(line.get_linestyle() for line in own) == ["-", "--"]
        for line in own:
            assert np.allclose(line.get_ydata(), wanted[line.get_linestyle()])


def test_robots_that_were_not_judged_cannot_be_drawn(tmp_path: Path) -> None:
    path = write(tmp_path / "joint.h5", grid(merge__method=["joint"], seed=[0]), epochs=4)
    with pytest.raises(ResultsError, match=r'evaluate.local = "every"'):
        one("11", path)
