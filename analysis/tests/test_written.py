"""What has the name of an output is replaced only where this program wrote it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic import grid, write, write_sweep

from fleet_analysis import ResultsError, load
from fleet_analysis.cli import FORMATS, main, write_figures
from fleet_analysis.report import write_report

STRANGERS = {
    "page.html": b"<!doctype html>\n<html><head><title>mine</title></head></html>",
    "x.png": b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
    "x.pdf": b"%PDF-1.4\n/Creator (Matplotlib v3, matplotlib.org)",
    "x.svg": b"<?xml version='1.0'?><svg/>",
}


def _file(path: Path) -> None:
    path.write_bytes(STRANGERS.get(path.name, b"mine"))


def _with_our_name_in_it(path: Path) -> None:
    path.write_text('notes on <meta name="generator" content="fleet-analysis">')


def _link(path: Path) -> None:
    (path.parent / "kept").write_text("mine")
    path.symlink_to("kept")


OTHERS: dict[str, Callable[[Path], object]] = {
    "file": _file,
    "empty": Path.touch,
    "notes": _with_our_name_in_it,
    "link": _link,
    "dangling": lambda path: path.symlink_to("nowhere"),
    "fifo": os.mkfifo,
}


def _state(directory: Path) -> dict[str, object]:
    return {
        path.name: (
            path.lstat().st_ino,
            path.is_symlink() or not path.is_file() or path.read_bytes(),
        )
        for path in directory.iterdir()
    }


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("name", STRANGERS)
def test_what_is_not_ours_stays_and_is_named(name: str, other, tmp_path: Path, capsys) -> None:
    path = write(tmp_path / "x.h5", grid(), epochs=2)
    out = tmp_path / "out"
    out.mkdir()
    other(out / name)
    before = _state(out)
    kind = name.partition(".")[2]
    command = ["report", str(path), "-o", str(out / name)]
    if kind != "html":
        command = ["figures", str(path), "-o", str(out), "--format", kind]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert str(out / name) in said and "another name" in said and len(said.splitlines()) == 1
    assert _state(out) == before


def test_no_figure_is_replaced_where_one_cannot_be(tmp_path: Path) -> None:
    results = load(write(tmp_path / "x.h5", grid(fleet__alpha=[0.1, 1.0]), epochs=2))
    first, *_, last = write_figures(results, tmp_path / "out")
    last.write_text("mine")
    before = _state(tmp_path / "out")
    with pytest.raises(ResultsError, match=last.name):
        write_figures(results, tmp_path / "out")
    assert first != last and _state(tmp_path / "out") == before


def test_results_are_no_place_for_a_page(tmp_path: Path, capsys) -> None:
    path = write(tmp_path / "x.h5", grid(), epochs=2)
    before = path.read_bytes()
    for name in (path, tmp_path / "." / "x.h5"):
        assert main(["report", str(path), "-o", str(name)]) == 2
        assert "x.h5" in capsys.readouterr().err and path.read_bytes() == before


def test_what_we_wrote_is_replaced(tmp_path: Path) -> None:
    results = load(write(tmp_path / "x.h5", grid(seed=[0, 1]), epochs=2))
    other = load(write(tmp_path / "y.h5", grid(seed=[0, 1, 2]), name="x", epochs=2))
    page = write_report(results, tmp_path / "page.html")
    pictures = write_figures(results, tmp_path / "out", formats=FORMATS)
    before = [path.read_bytes() for path in (page, *pictures)]
    write_report(other, page)
    assert write_figures(other, tmp_path / "out", formats=FORMATS) == pictures
    assert all(
        path.read_bytes() != old for path, old in zip((page, *pictures), before, strict=True)
    )
    assert sorted((tmp_path / "out").iterdir()) == sorted(pictures), "and nothing is left beside"


def test_a_followed_page_is_its_own_to_replace(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", grid(seed=[0, 1]), epochs=2)
    command = ["report", str(sweep), "-o", str(tmp_path / "page.html"), "--follow", "1"]
    assert main(command) == 0 and main(command) == 0


def test_a_page_can_be_read_by_whom_the_user_lets(tmp_path: Path) -> None:
    results = load(write(tmp_path / "x.h5", grid(), failed=lambda _: True))
    plain = tmp_path / "plain"
    plain.touch()
    assert write_report(results, tmp_path / "p.html").stat().st_mode == plain.stat().st_mode
