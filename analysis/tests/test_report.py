"""The page as a text: what is in it, whatever browser shows it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from synthetic import METHOD, grid, write, write_sweep

from fleet_analysis import Results, load
from fleet_analysis.cli import main
from fleet_analysis.report import write_report


def cells_of(page: str) -> dict:
    data = re.search(r'id="cells-data">(.*?)</script>', page, re.S)
    assert data
    return json.loads(data.group(1))


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Three methods, one axis, two seeds; git-rebasin failed once."""
    axes = grid(
        merge__method=["average", "git-rebasin", "joint"], fleet__alpha=[0.1, 1.0], seed=[0, 1]
    )
    path = tmp_path_factory.mktemp("sweep") / "sweep.h5"
    failed = {METHOD: "git-rebasin", "fleet.alpha": 0.1}
    return load(write(path, axes, epochs=4, failed=lambda cell: failed.items() <= cell.items()))


@pytest.fixture(scope="module")
def page(sweep: Results, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(sweep, tmp_path_factory.mktemp("page") / "page.html").read_text()


def test_the_same_results_give_the_same_page(sweep: Results, page: str, tmp_path: Path) -> None:
    assert write_report(sweep, tmp_path / "again.html").read_text() == page


def test_every_cell_is_in_the_table_with_its_value(sweep: Results, page: str) -> None:
    rows = cells_of(page)["rows"]
    heads = re.findall(r'<button type="button">([^<]*)</button>', page)
    assert [row[0] for row in rows] == sweep.cells.cell.tolist()
    assert all(len(row) == len(heads) for row in rows)
    shown = {row[0]: row[heads.index("accuracy (%)")] for row in rows}
    for cell in sweep.final().itertuples():
        assert shown[cell.cell] == pytest.approx(100 * cell.value, abs=1e-3)
    for cell in sweep.failed.cell:
        assert shown[cell] is None


def test_reasons_of_failures_are_counted_with_what_they_share(page: str) -> None:
    failures = page.partition('<section id="failures">')[2].partition("</section>")[0]
    assert "robot 3, round 2: loss is not finite" in failures
    assert (
        "<td>2</td>" in failures and "git-rebasin" in failures and "fleet.alpha = 0.1" in failures
    )


def test_phases_fill_the_bar_of_the_slowest_method(sweep: Results, page: str) -> None:
    bars = re.findall(r'<div class="bar".*?</div>', page)
    assert len(bars) == sweep.done[METHOD].nunique()
    widths = [sum(map(float, re.findall(r"width:([\d.]+)%", bar))) for bar in bars]
    assert max(widths) == pytest.approx(100, abs=0.1)


def test_names_in_a_file_cannot_write_the_page(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    path = write(tmp_path / "evil.h5", grid(merge__kind=[evil, "plain"]), name=evil)
    page = write_report(load(path), tmp_path / "page.html").read_text()
    assert "<script>alert" not in page
    assert evil in [row[3] for row in cells_of(page)["rows"]]


def test_nothing_finished_is_still_a_page_with_the_reasons(tmp_path: Path) -> None:
    results = load(write(tmp_path / "bad.h5", grid(seed=[0, 1]), failed=lambda _: True))
    page = write_report(results, tmp_path / "page.html").read_text()
    assert "0 of 2 cells done" in page and "loss is not finite" in page
    assert 'id="figures"' not in page


def test_what_is_no_number_can_be_shown(tmp_path: Path) -> None:
    results = load(write(tmp_path / "x.h5", grid(seed=[0, 1, 2])))
    metrics = results.metrics.copy()
    metrics.loc[metrics.cell == 0, "value"] = np.inf
    metrics.loc[metrics.cell == 1, "value"] = np.nan
    results.__dict__["metrics"] = metrics
    rows = cells_of(write_report(results, tmp_path / "page.html").read_text())["rows"]
    assert "inf" in rows[0] and None in rows[1]


def test_the_command_says_how_far_a_sweep_is(tmp_path: Path, capsys) -> None:
    states = ["done", "done", "running", "pending"]
    sweep = write_sweep(tmp_path / "sweep", grid(seed=[0, 1, 2, 3]), state=states.__getitem__)
    assert main(["report", str(sweep), "-o", str(tmp_path / "page.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "2 of 4 cells done" in page and "1 running" in page and "1 waiting" in page
    assert "vm, process 7, round 3 of 9, now" in page


def test_an_unfinished_page_is_never_left(tmp_path: Path, monkeypatch) -> None:
    results = load(write(tmp_path / "bad.h5", grid(), failed=lambda _: True))
    target = write_report(results, tmp_path / "page.html")
    before = target.read_bytes()

    def fails(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        write_report(results, target)
    assert target.read_bytes() == before and list(tmp_path.glob(".*")) == []
