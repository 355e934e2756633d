from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic import changed, grid, write

from fleet_analysis import Results, load
from fleet_analysis.cli import write_figures
from fleet_analysis.figures import alignment, personal
from fleet_analysis.figures import fig03ab_interpolation as interpolation
from fleet_analysis.figures import fig03c_finetuning as finetune
from fleet_analysis.figures import fig08_norms as norms
from fleet_analysis.files import ResultsError
from fleet_analysis.kept import kept_table

KINDS = [
    *("interpolation-accuracy", "interpolation-loss"),
    *("finetune", "personal", "norms", "alignment"),
]
MERGED = ["git-rebasin", "fleet-merge"]


@pytest.fixture
def watched(tmp_path: Path) -> Results:
    """Two methods under two alphas, three seeds, with every instrument on."""
    axes = grid(merge__method=MERGED, fleet__alpha=[0.1, 10.0], seed=[0, 1, 2])
    return load(write(tmp_path / "watched.h5", axes, instruments=True))


def _text(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def _axes(figure: Figure) -> list:
    return [axes for sub in figure.subfigs for axes in sub.axes]


def test_without_curves_the_first_test_metric_is_drawn(tmp_path: Path) -> None:
    """As `fleet barrier` writes them; of a workload that knows no accuracy."""
    path = write(tmp_path / "barrier.h5", grid(merge__method=["local"]), instruments=True)
    with changed(path) as file:
        rows = file["metrics"][:0]
        del file["metrics"]
        file["metrics"] = rows
        measured = file["instruments"][:]
        measured["metric"][measured["metric"] == b"accuracy"] = b"success"
        file["instruments"][:] = measured
    results = load(path)
    assert results.headline == "success"
    assert any("success" in p.name for p in write_figures(results, tmp_path, results.headline))


def test_there_is_a_figure_per_instrument(tmp_path: Path) -> None:
    results = load(write(tmp_path / "watched.h5", grid(merge__method=MERGED), instruments=True))
    paths = write_figures(results, tmp_path / "figures")
    assert {f"watched-{kind}.png" for kind in KINDS} <= {path.name for path in paths}
    assert all(path.stat().st_size > 2000 for path in paths)


def test_without_instruments_there_is_none(small: Results) -> None:
    assert small.instruments.empty
    for kind in (interpolation, finetune, personal, norms, alignment):
        assert kind.draw(small, "accuracy") == {}


def test_files_with_and_without_instruments_are_read_together(tmp_path: Path) -> None:
    first = write(tmp_path / "a.h5", grid(seed=[0]))
    second = write(tmp_path / "b.h5", grid(seed=[1]), instruments=True)
    assert set(load([first, second]).instruments.cell) == {1}


@pytest.mark.parametrize(
    "axes",
    [
        grid(),
        grid(merge__method=["local"]),
        grid(fleet__alpha=[0.01, 0.1, 1, 10, 100], merge__method=MERGED),
        grid(workload=["mnist", "lqg"], merge__method=MERGED, seed=[0, 1]),
        grid(fleet__robots=[3, 5], fleet__alpha=[0.1, 1], merge__method=MERGED),
    ],
    ids=["one cell", "only local", "many values", "workloads", "two axes"],
)
def test_every_figure_can_be_drawn_of(axes: dict, tmp_path: Path) -> None:
    results = load(write(tmp_path / "results.h5", axes, instruments=True))
    figures = {
        name: figure
        for kind in (interpolation, finetune, personal, norms, alignment)
        for name, figure in kind.draw(results, "accuracy").items()
    }
    assert set(figures) == {f"results-{kind}" for kind in KINDS}
    for figure in figures.values():
        figure.draw_without_rendering()


def test_lines_are_alignments_and_pass_through_the_means(watched: Results) -> None:
    figure = interpolation.draw(watched, "loss")["watched-interpolation-loss"]
    for words in ("as they are", "matched in pairs", "aligned by fleet-merge", "λ"):
        assert words in _text(figure) + " ".join(axes.get_xlabel() for axes in _axes(figure))
    left = _axes(figure)[0]
    tops = sorted(float(np.max(line.get_ydata())) for line in left.get_lines())
    assert tops == pytest.approx([1.0, 1.0, 1.1, 1.9]), "three heights of barriers, two methods"


def test_architectures_have_panels_of_their_own_whatever_goes_along(tmp_path: Path) -> None:
    axes = grid(merge__method=MERGED, fleet__alpha=[0.1, 1.0], model__kind=["mlp", "rnn"])
    results = load(write(tmp_path / "kinds.h5", axes, instruments=True))
    figure = interpolation.draw(results, "loss")["kinds-interpolation-loss"]
    titles = [axes.get_title(loc="left") for axes in _axes(figure)]
    assert [title for title in titles if title] == ["kind = mlp", "kind = rnn"]


def test_pairs_that_every_method_shares_count_once(watched: Results) -> None:
    figure = interpolation.draw(watched, "accuracy")["watched-interpolation-accuracy"]
    panel = _axes(figure)[2]
    points = [len(line.get_ydata()) for line in panel.get_lines()]
    assert points == [9, 9, 9, 9], "three pairs by three seeds, whatever the number of methods"


def test_barriers_of_accuracies_are_in_points(watched: Results) -> None:
    panel = _axes(interpolation.draw(watched, "accuracy")["watched-interpolation-accuracy"])[2]
    assert "(points)" in panel.get_ylabel()
    assert max(max(line.get_ydata()) for line in panel.get_lines()) == pytest.approx(0.5)


def test_the_first_robot_is_not_compared_with_itself(watched: Results) -> None:
    panel = _axes(norms.draw(watched, "accuracy")["watched-norms"])[0]
    values = np.concatenate([line.get_ydata() for line in panel.get_lines()])
    assert sorted(set(np.round(values, 9))) == [1.0, 2.0]


def test_finetuning_has_a_line_per_method_and_one_from_scratch(watched: Results) -> None:
    figure = finetune.draw(watched, "accuracy")["watched-finetune"]
    assert "from scratch" in _text(figure)
    lines = _axes(figure)[0].get_lines()
    assert len(lines) == 3
    assert all(list(line.get_xdata()) == [0, 10, 20] for line in lines)
    started = watched.instruments
    started = started[(started.instrument == "finetune") & (started.subject == "merged")]
    assert len(started) == 3 * len(watched.done)


def test_robots_that_go_on_alone_have_a_line_per_method(watched: Results) -> None:
    figure = personal.draw(watched, "accuracy")["watched-personal"]
    lines = [line for line in _axes(figure)[0].get_lines() if len(line.get_xdata()) == 3]
    assert all(list(line.get_xdata()) == [0, 50, 100] for line in lines)
    assert len(lines) == watched.done["merge.method"].nunique()


def test_what_robots_keep_is_a_share_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "kept.h5", grid(merge__method=["average", "fleet-merge"], seed=[0, 1]))
    with pytest.raises(ResultsError, match=r"instruments\.personal_steps"):
        kept_table(load(path), "accuracy")
    results = load(write(path, grid(merge__method=["average", "fleet-merge"]), instruments=True))
    own = results.metrics
    own = own[(own.robot == 0) & (own.split == "test") & (own.metric == "accuracy")]
    own = own[own["round"] == own["round"].max()].set_index("cell").value
    after = results.instruments
    after = after[(after.instrument == "personal") & (after.robot == 0) & (after["at"] == 100)]
    wanted = 100 * (after.set_index("cell").value / own).iloc[0]
    table = kept_table(results, "accuracy")
    row = next(row for row in table.rows if row[:2] == ["0", "100"])
    assert float(row[3].split()[0]) == pytest.approx(wanted, abs=0.06)
    with pytest.raises(ResultsError, match=r"evaluate\.local"):
        kept_table(results, "loss of nothing")


def test_the_course_of_an_alignment_has_a_row_per_series(watched: Results) -> None:
    figure = alignment.draw(watched, "accuracy")["watched-alignment"]
    rows = [sub.axes[0].get_ylabel() for sub in figure.subfigs]
    assert len(rows) == 3 and "(%)" in rows[1]
    changed = figure.subfigs[1].axes[0].get_lines()[0].get_ydata()
    assert list(changed) == pytest.approx([100, 50, 25, 12.5])


def test_only_the_last_round_is_drawn(tmp_path: Path) -> None:
    path = write(tmp_path / "r.h5", grid(merge__method=["fleet-merge"]), instruments=True)
    with changed(path) as file:
        rows = file["instruments"][:]
        later = rows.copy()
        later["round"] = 2
        later["value"] = 0.25
        del file["instruments"]
        file["instruments"] = np.concatenate([rows, later])
    panel = _axes(alignment.draw(load(path), "accuracy")["r-alignment"])[0]
    assert set(panel.get_lines()[0].get_ydata()) == {0.25}


def test_what_robots_keep_is_no_share_of_what_is_below_nought(tmp_path: Path) -> None:
    path = write(tmp_path / "low.h5", grid(merge__method=["average"], seed=[0]), instruments=True)
    whole = kept_table(load(path), "accuracy")
    robots = len({row[0] for row in whole.rows})
    for lowered, left in ((0, robots - 1), (slice(None), 0)):
        with changed(path) as file:
            metrics = file["metrics"][:]
            low = np.isin(metrics["robot"], np.arange(robots)[lowered])
            metrics["value"][low] -= 2.0
            del file["metrics"]
            file["metrics"] = metrics
        if left == 0:
            with pytest.raises(ResultsError, match="no share of that"):
                kept_table(load(path), "accuracy")
        else:
            table = kept_table(load(path), "accuracy")
            assert len({row[0] for row in table.rows}) == left
            assert f"1 of {robots} robots left out" in table.caption
