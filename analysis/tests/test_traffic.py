"""The value against bytes: what is summed, and what is the frontier."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from fleet_analysis.figures import every_figure, traffic
from fleet_analysis.load import load
from fleet_analysis.schema import METHOD


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    axes = synthetic.grid(merge__method=["average", "regression", "joint"], seed=[0, 1])
    path = synthetic.write(tmp_path / "sweep.h5", axes, epochs=4)
    synthetic.add_traffic(path, 1_500_000, 1_000_000)
    return path


def test_bytes_are_a_robots_and_add_up_over_rounds(sweep: Path) -> None:
    table = traffic.megabytes(load(sweep))
    first = table[table.cell == 0].set_index("round").megabytes
    assert first.tolist() == pytest.approx([1.0, 2.0, 3.0, 4.0])  # 5 robots, 5 MB a round
    assert table[(table.cell == 2) & (table["round"] == 4)].megabytes.item() == pytest.approx(12.0)


def test_the_figure_is_drawn_where_bytes_were_counted(sweep: Path, tmp_path: Path) -> None:
    assert "sweep-bytes" in every_figure(load(sweep), "accuracy", "test")
    axes = synthetic.grid(merge__method=["average", "joint"], seed=[0])
    earlier = load(synthetic.write(tmp_path / "earlier.h5", axes))
    assert earlier.traffic.empty
    assert not any(name.endswith("-bytes") for name in every_figure(earlier, "accuracy", "test"))


def test_bytes_have_numbers_on_their_axis_within_a_decade_too(tmp_path: Path) -> None:
    path = synthetic.write(tmp_path / "sweep.h5", synthetic.grid(merge__method=["average"]))
    synthetic.add_traffic(path, 650_000_000, 0)
    figure = every_figure(load(path), "accuracy", "test")["sweep-bytes"]
    (axes,) = [axes for axes in figure.axes if axes.get_xscale() == "log"]
    low, high = axes.get_xlim()
    assert sum(low <= tick <= high for tick in axes.get_xticks()) >= 2


@pytest.mark.parametrize("rising", [True, False])
def test_no_point_beats_one_of_the_frontier(rising: bool) -> None:
    random = np.random.default_rng(3)
    points = pd.DataFrame(random.random((200, 2)), columns=["megabytes", "mean"])
    best = traffic.frontier(points, rising)
    for point in best.itertuples():
        cheaper = points[points.megabytes < point.megabytes]["mean"]
        assert (cheaper < point.mean).all() if rising else (cheaper > point.mean).all()
    for point in points.drop(best.index).itertuples():
        as_cheap = best[best.megabytes <= point.megabytes]["mean"]
        assert (as_cheap >= point.mean).any() if rising else (as_cheap <= point.mean).any()
    assert best.megabytes.is_monotonic_increasing


def test_means_are_over_seeds(sweep: Path) -> None:
    results = load(sweep)
    rows = results.series("accuracy", "test").merge(
        traffic.megabytes(results), on=["cell", "round"]
    )
    rows = rows.merge(results.done[["cell", METHOD, "seed"]], on="cell")
    table = traffic.summary(rows, [])
    own = table[(table[METHOD] == "average") & (table["round"] == 1)]
    assert own.n.item() == 2
    assert own.megabytes.item() == pytest.approx(1.5)  # of cells 0 and 1
