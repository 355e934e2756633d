"""A sweep under way: its directory, its screen, and looking at it until it ends."""

import re
from pathlib import Path

import numpy as np
import pytest
from synthetic import grid, settle, write, write_sweep

from fleet_analysis import ResultsError, load
from fleet_analysis.cli import main
from fleet_analysis.follow import looks
from fleet_analysis.sweep import sweep_state
from fleet_analysis.terminal import BLANK, Curve, bar, chart, painted
from fleet_analysis.view import View
from fleet_analysis.watch import _best_known, screen

AXES = grid(merge__method=["average", "fleet-merge"], fleet__alpha=[0.1, 1.0], seed=[0, 1, 2])
STATES = ["done"] * 5 + ["failed", "running"] + ["pending"] * 5


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "sweep", AXES, state=STATES.__getitem__, epochs=4)


def screen_of(sweep: Path, size: tuple[int, int] = (100, 40), colour: bool = False) -> str:
    state = sweep_state(sweep)
    results = load(sweep) if state.done else None
    return screen(results, state, None, "test", size, colour)


def test_every_cell_of_the_plan_is_in_one_state(sweep: Path) -> None:
    state = sweep_state(sweep)
    counts = (len(state.done), len(state.failed), len(state.running), state.pending)
    assert counts == (5, 1, 1, 5) and sum(counts) == state.planned == len(state.labels)
    assert not state.finished
    assert list(state.running.values()) == ["vm, process 7, round 3 of 9, now"]


def test_a_cell_run_again_counts_by_its_best_outcome(sweep: Path) -> None:
    settle(sweep, AXES, 5, "done")
    state = sweep_state(sweep)
    assert len(state.done) == 6 and not state.failed


def test_a_sweeps_directory_stands_for_its_cells_and_not_its_models(sweep: Path) -> None:
    models = sweep / "models" / "x"
    models.mkdir(parents=True)
    (models / "merged.h5").write_bytes(b"no results")
    assert len(load(sweep).cells) == 6
    assert len(load(sweep.parent).cells) == 6


def test_cells_of_an_earlier_plan_do_not_count(sweep: Path) -> None:
    other = grid(merge__method=["average"], fleet__alpha=[10.0], seed=[0, 1])
    write_sweep(sweep, other, state=["done", "pending"].__getitem__)
    state = sweep_state(sweep)
    assert (state.planned, len(state.done), len(state.failed), state.pending) == (2, 1, 0, 1)
    assert len(load(sweep).cells) == len(load(sweep.parent).cells) == 1
    write_sweep(sweep, grid(merge__method=["local"], seed=[7]), state=lambda _: "pending")
    with pytest.raises(ResultsError, match="as it is planned now has ended"):
        load(sweep)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such directory"),
        (lambda path: path.write_text("x"), "not a directory"),
        (lambda path: path.mkdir(), "no cells.tsv"),
    ],
)
def test_what_is_no_sweep_is_said(make, message: str, tmp_path: Path, capsys) -> None:
    path = tmp_path / "sweep"
    make(path)
    assert main(["watch", str(path), "--once"]) == 2
    assert message in capsys.readouterr().err


def test_the_screen_says_how_far_it_is_and_shows_curves_and_values(sweep: Path) -> None:
    shown = screen_of(sweep)
    for words in ("5 of 12 cells done", "1 failed", "1 running", "5 waiting", "round 3 of 9"):
        assert words in shown
    assert "failed (1): robot 3, round 2: loss is not finite" in shown
    assert "test accuracy (%)" in shown and "±" in shown and "average" in shown
    assert any(ord(sign) > BLANK for sign in shown), "curves"


def test_before_the_first_cell_there_is_a_screen_too(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "new", AXES, state=lambda _: "pending")
    assert "0 of 12 cells done" in screen_of(sweep) and "no cell has finished" in screen_of(sweep)


def test_all_failed_is_a_screen_with_the_reason(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "bad", AXES, state=lambda _: "failed")
    shown = screen(load(sweep), sweep_state(sweep), None, "test", (100, 40), False)
    assert "failed (12): robot 3" in shown


@pytest.mark.parametrize("size", [(60, 24), (80, 24), (200, 60)])
def test_the_screen_fits_the_terminal(size: tuple[int, int], sweep: Path) -> None:
    lines = screen_of(sweep, size).splitlines()
    assert len(lines) <= size[1] and max(map(len, lines)) <= size[0]


def test_colours_are_there_only_where_wanted(sweep: Path) -> None:
    coloured = screen_of(sweep, colour=True)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == screen_of(sweep)
    assert coloured != screen_of(sweep)
    assert painted("x", "#ff0000", True) == "\x1b[38;5;196mx\x1b[0m"


def test_looking_ends_when_the_sweep_does(sweep: Path) -> None:
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            for number in range(6, 12):
                settle(sweep, AXES, number, "done", epochs=4)

    seen = [(len(results.cells), state.finished) for results, state in looks(sweep, 7.0, sleep)]
    assert seen == [(6, False), (6, False), (12, True)] and slept == [7.0, 7.0]


def test_a_cell_may_be_unreadable_once_but_not_twice(sweep: Path) -> None:
    path = next((sweep / "cells").glob("*.h5"))
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    mended = looks(sweep, 1.0, lambda _: path.write_bytes(whole) and None)
    assert len(next(mended)[0].cells) == 6
    path.write_bytes(whole[:100])
    with pytest.raises(ResultsError, match=path.name):
        list(looks(sweep, 1.0, lambda _: None))


def test_a_followed_page_is_written_until_all_is_done(sweep: Path, tmp_path: Path, capsys) -> None:
    for number in range(6, 12):
        settle(sweep, AXES, number, "done", epochs=4)
    page = tmp_path / "page.html"
    assert main(["report", str(sweep), "-o", str(page), "--follow", "0.1"]) == 0
    assert "12 of 12 cells" in capsys.readouterr().out
    assert 'http-equiv="refresh"' not in page.read_text(), "it will not change any more"
    assert main(["report", str(sweep), str(sweep), "-o", str(page), "--follow"]) == 2


@pytest.mark.parametrize("width", [40, 100])
@pytest.mark.parametrize("height", [6, 12])
def test_a_chart_has_its_size_and_every_name(width: int, height: int) -> None:
    x = np.arange(1, 11)
    curves = [Curve(f"m{i}", "#0072B2", x, 0.9 - 0.5 / (x + i)) for i in range(4)]
    lines = chart(curves, width, height, colour=False)
    assert len(lines) == height + 2 and max(map(len, lines)) <= width
    names = re.findall(r"m\d", "\n".join(lines))
    assert names == ["m3", "m2", "m1", "m0"], "from the top, in the order of the ends"


def test_a_rising_curve_rises() -> None:
    x = np.linspace(0, 1, 30)
    lines = chart([Curve("up", "", x, x**2)], 60, 10, colour=False)[:10]
    filled = [[i for i, sign in enumerate(line) if ord(sign) > BLANK] for line in lines]
    rightmost = [max(columns) for columns in filled if columns]
    assert rightmost == sorted(rightmost, reverse=True) and len(rightmost) == 10


@pytest.mark.parametrize("y", [[1.0, 1.0], [0.0, 0.0], [np.nan, 1.0], [np.inf, 2.0, 1.0]])
def test_flat_and_infinite_curves_can_be_drawn(y: list[float]) -> None:
    assert len(chart([Curve("a", "", list(range(len(y))), y)], 50, 6, colour=False)) == 8
    assert chart([Curve("a", "", [0, 1], [np.nan, np.inf])], 50, 6, colour=False) == []


@pytest.mark.parametrize("done", [0.0, 0.3, 1.0])
def test_a_bar_is_as_long_as_it_should_be(done: float) -> None:
    assert bar({"#": done, "x": 1 - done}, 40).count("#") == round(40 * done)
    assert len(bar({"#": done}, 40)) == 40


def test_where_every_cell_lacks_an_axis_all_curves_are_shown(tmp_path: Path) -> None:
    """As of a sweep that got one axis and lost another on its way."""
    paths = [
        write(tmp_path / f"{axis}.h5", grid(seed=seeds) | {axis: [1, 2]}, epochs=2)
        for axis, seeds in (("train.x", [0, 1]), ("train.y", [2, 3]))
    ]
    view = View(load(paths), "accuracy", "test")
    assert sorted(view.axes) == ["train.x", "train.y"]
    curves, words = _best_known(view)
    assert len(curves) == len(view.curves) and words == ""
