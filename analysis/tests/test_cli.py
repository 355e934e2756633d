import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import grid, write

from fleet_analysis.cli import main


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return write(tmp_path / "sweep.h5", grid(fleet__alpha=[0.1, 1.0], seed=[0, 1]))


def test_figures_prints_what_it_wrote(results: Path, tmp_path: Path, capsys) -> None:
    arguments = ["figures", str(results), "-o", str(tmp_path / "out"), "--format", "png", "pdf"]
    assert main(arguments) == 0
    printed = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(printed) == sorted((tmp_path / "out").iterdir())
    assert len(printed) == 6


def test_table_prints_the_table(results: Path, capsys) -> None:
    assert main(["table", str(results), "--by", "fleet.alpha", "--format", "markdown"]) == 0
    assert "| fleet.alpha |" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["figures", "table"])
def test_bad_results_give_two_and_a_line_without_traceback(
    command: str, tmp_path: Path, capsys
) -> None:
    failed = write(tmp_path / "failed.h5", grid(), failed=lambda _: True)
    for path, message in ((tmp_path / "none.h5", "no such file"), (failed, "the only cell failed")):
        assert main([command, str(path)]) == 2
        said = capsys.readouterr().err
        assert said.startswith("fleet-analysis: ") and message in said
        assert len(said.splitlines()) == 1


def test_an_unknown_metric_gives_two(results: Path, tmp_path: Path, capsys) -> None:
    assert main(["figures", str(results), "--metric", "reward", "-o", str(tmp_path / "out")]) == 2
    assert "test accuracy" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_figures_of_another_metric_are_written_beside_those_that_are_there(
    results: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(["figures", str(results), "-o", str(out)]) == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main(["figures", str(results), "--metric", "loss", "-o", str(out)]) == 0
    assert {path: path.read_bytes() for path in before} == before
    assert (out / f"{results.stem}-loss.png").exists()


def test_a_place_that_cannot_be_written_gives_two(results: Path, capsys) -> None:
    assert main(["figures", str(results), "-o", str(results / "below-a-file")]) == 2
    assert "fleet-analysis: " in capsys.readouterr().err


def test_cells_found_twice_are_mentioned(results: Path, tmp_path: Path, capsys) -> None:
    copy = tmp_path / "copy.h5"
    copy.write_bytes(results.read_bytes())
    assert main(["table", str(results), str(copy)]) == 0
    assert "4 cells found twice" in capsys.readouterr().err


def test_the_command_needs_no_display(results: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fleet_analysis.cli", "figures", str(results), "-o", "out"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "out/sweep.png" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: command"),
        (["figures"], "required: results"),
        (["draw", "x.h5"], "invalid choice: 'draw'"),
        (["figure", "5", "x.h5"], "invalid choice: '5'"),
        (["watch", "x", "--every", "0"], "0 is not a positive number of seconds"),
        (["report", "x", "--follow", "soon"], "soon is not a positive number"),
        (["compare", "a", "b", "--level", "5"], "5 is not a share"),
        (["table", "x", "--ranks", "--against"], "not allowed with"),
    ],
)
def test_a_wrong_command_line_gives_two(arguments: list[str], message: str, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_a_page_can_be_put_into_a_directory(results: Path, tmp_path: Path, capsys) -> None:
    assert main(["report", str(results), "-o", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "sweep.html")
    assert (tmp_path / "sweep.html").stat().st_size > 10000
