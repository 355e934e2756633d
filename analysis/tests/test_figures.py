from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic import METHOD, grid, write

from fleet_analysis import Results, ResultsError, load
from fleet_analysis.cli import write_figures
from fleet_analysis.figures import accuracy, every_figure
from fleet_analysis.view import View

ALL = ["average", "git-rebasin", "fleet-merge", "local", "joint"]


def _view(results: Results, metric: str = "accuracy") -> View:
    return View(results, metric, "test")


def _text(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts)


def _axes_of(figure: Figure) -> list:
    return [axes for sub in figure.subfigs for axes in (sub.axes or sub.get_axes())]


def test_there_is_a_figure_per_axis_one_of_curves_and_an_overview(
    small: Results, tmp_path: Path
) -> None:
    paths = write_figures(small, tmp_path / "new" / "figures", formats=["png", "pdf"])
    stems = ["small", "small-fleet.alpha", "small-merge.every_epochs", "small-curves"]
    assert [path.name for path in paths] == [f"{s}.{e}" for s in stems for e in ("png", "pdf")]
    assert all(path.stat().st_size > 2000 for path in paths)


DEGENERATE: dict[str, Mapping[str, Sequence[Any]]] = {
    "one cell": grid(),
    "only local": grid(merge__method=["local"]),
    "only references": grid(merge__method=["local", "joint"], seed=[0, 1]),
    "one method": grid(fleet__alpha=[0.1, 1.0]),
    "no axes": grid(merge__method=ALL, seed=[0, 1]),
    "one seed": grid(merge__method=ALL, fleet__alpha=[0.01, 1.0]),
    "one-shot only": grid(merge__method=ALL, merge__every_epochs=[0], fleet__alpha=[0.1, 1.0]),
    "one-shot or not": grid(merge__method=ALL, merge__every_epochs=[5, 0], seed=[0, 1]),
    "strings": grid(merge__method=ALL, fleet__partition=["iid", "dirichlet", "by-label"]),
    "booleans": grid(merge__warm=[False, True], seed=[0, 1]),
    "many values": grid(fleet__robots=list(range(5, 17)), fleet__alpha=[0.1, 0.2, 0.5, 1, 2, 5]),
    "five axes": grid(
        fleet__alpha=[0.1, 1.0],
        fleet__robots=[2, 4],
        fleet__partition=["a", "b"],
        merge__every_epochs=[1, 0],
        merge__participation=[0.5, 1.0],
    ),
    "workloads": grid(workload=["mnist", "lqg"], merge__method=ALL, fleet__alpha=[0.1, 1.0]),
    "only workloads": grid(workload=["mnist", "lqg"], merge__method=ALL),
    "unknown methods": grid(merge__method=[f"new-{i}" for i in range(9)], seed=[0, 1]),
}


@pytest.mark.parametrize("axes", DEGENERATE.values(), ids=DEGENERATE)
def test_every_figure_can_be_drawn_of(axes: Mapping[str, Sequence[Any]], tmp_path: Path) -> None:
    results = load(write(tmp_path / "results.h5", axes, epochs=5))
    paths = write_figures(results, tmp_path)
    curves = results.metrics["round"].max() > 1
    assert len(paths) == 1 + len(results.swept) + curves


def test_a_loss_can_be_drawn_and_what_has_none_is_counted(small: Results) -> None:
    figure = accuracy.overview_figure(_view(small, "loss"))
    assert "27 cells without a value left out" in _text(figure).replace("\n", " ")


def test_lines_hold_the_means_and_bands_contain_them(small: Results) -> None:
    view = _view(small)
    notes = view.notes()
    table = view.summary(view.final, ["fleet.alpha", "merge.every_epochs"], notes)
    assert (table.low <= table["mean"]).all() and (table["mean"] <= table.high).all()
    final = small.final()
    for row in table.to_dict("records"):
        keys = [METHOD, "fleet.alpha", "merge.every_epochs"]
        same = np.logical_and.reduce([final[key] == row[key] for key in keys])
        assert row["mean"] == pytest.approx(final[same].value.mean())
        assert row["n"] == same.sum()


def test_a_single_seed_has_no_band_and_says_so(tmp_path: Path) -> None:
    axes = grid(merge__method=["average", "joint"], fleet__alpha=[0.1, 1.0])
    view = _view(load(write(tmp_path / "one.h5", axes)))
    assert view.summary(view.final, ["fleet.alpha"], view.notes()).low.isna().all()
    figure = accuracy.axis_figure(view, "fleet.alpha")
    assert "one seed (n = 1), no band" in _text(figure)


def test_failed_cells_and_seeds_are_counted_under_the_title(small: Results) -> None:
    text = _text(accuracy.axis_figure(_view(small), "fleet.alpha"))
    assert "n = 2–3 seeds" in text
    assert "3 failed cells left out" in text.replace("\n", " ")


def test_averaging_over_an_axis_is_said(tmp_path: Path) -> None:
    axes = grid(fleet__alpha=[0.1, 1.0], fleet__robots=[2, 4], merge__participation=[0.5, 1.0])
    view = _view(load(write(tmp_path / "three.h5", axes)))
    assert "averaged over" in _text(accuracy.axis_figure(view, "fleet.alpha"))


def test_every_figure_that_averages_says_which_methods_lack_settings_of_it(tmp_path: Path) -> None:
    axes = grid(
        merge__method=["average", "fleet-merge"],
        fleet__alpha=[0.1, 1.0],
        fleet__robots=[2, 4],
        seed=[0, 1],
        **{"merge.fleet-merge.start": ["git-rebasin", "none"], "merge.every_epochs": [0]},  # once
    )

    def failed(cell: Mapping[str, Any]) -> bool:
        hole = cell["fleet.alpha"] == 0.1 and cell["fleet.robots"] == 4
        return hole and cell[METHOD] == "fleet-merge"

    path = write(tmp_path / "holes.h5", axes, failed=failed, instruments=True)
    figures = every_figure(load(path), "accuracy", "test")
    assert "holes-ablations" in figures and "holes-norms" in figures
    for name, figure in figures.items():
        text = _text(figure).replace("\n", " ")
        averages = "averaged over fleet size" in text or "averaged over α" in text
        assert averages <= ("points without all settings left out" in text), name
        assert "4 failed cells left out" in text, name


def test_small_multiples_are_at_most_four_and_say_what_is_left_out(tmp_path: Path) -> None:
    axes = grid(fleet__robots=[2, 3, 4, 5, 6, 7], fleet__alpha=[0.1, 1.0])
    view = _view(load(write(tmp_path / "many.h5", axes)))
    figure = accuracy.curves_figure(view)
    titles = [axes.get_title(loc="left") for axes in _axes_of(figure)]
    assert len(titles) == 4 and titles[0] == "2 robots" and titles[-1] == "7 robots"
    assert "4 of 6 values of fleet size shown" in _text(figure)


def test_curves_of_different_frequencies_are_not_mixed(tmp_path: Path) -> None:
    axes = grid(fleet__alpha=[0.1, 1.0], merge__every_epochs=[2, 4, 0], seed=[0, 1])
    view = _view(load(write(tmp_path / "mixed.h5", axes, epochs=8)))
    figure = accuracy.curves_figure(view)
    assert "merge every 2 epochs" in _text(figure)
    (line,) = _axes_of(figure)[0].get_lines()
    assert list(line.get_xdata()) == [2, 4, 6, 8]


def test_all_failed_is_an_error_with_the_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.h5", grid(seed=[0, 1]), failed=lambda _: True)
    with pytest.raises(ResultsError, match="all 2 cells failed: robot 3, round 2"):
        _view(load(path))
