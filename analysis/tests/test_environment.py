"""Every command under odd results and hostile surroundings: an answer or one line of refusal."""

import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import pytest
from odd import ODD
from synthetic import grid, write, write_sweep

from fleet_analysis import load
from fleet_analysis.cli import main, write_figures
from fleet_analysis.output import any_output, printable

COMMANDS = [
    ["table", "FILE"],
    ["table", "FILE", "--ranks"],
    ["table", "FILE", "--against"],
    ["table", "FILE", "--format", "latex"],
    ["table", "FILE", "--format", "markdown", "--split", "train"],
    ["compare", "FILE", "FILE", "--all"],
    ["figures", "FILE", "-o", "OUT"],
    ["figure", "4", "FILE", "-o", "OUT", "--format", "pdf"],
    ["figure", "12", "FILE", "-o", "OUT", "--format", "png"],
    ["report", "FILE", "-o", "OUT"],
]
AXES = grid(merge__method=["average", "joint"], fleet__alpha=[0.1, 1.0], seed=[0, 1])
SETTINGS = {
    "text.usetex": True,
    "savefig.transparent": True,
    "savefig.bbox": "tight",
    "savefig.dpi": 30,
    "figure.dpi": 300,
    "figure.facecolor": "black",
    "font.size": 20,
    "axes.prop_cycle": mpl.cycler(color=["r", "g"]),
    "axes.formatter.use_mathtext": True,
    "lines.markersize": 30,
    "svg.fonttype": "path",
}
RC_FILE = "text.usetex: True\nno.such.key: 1\nfont.family: No Such Font\nfigure.dpi: 300\n"


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "fleet_analysis.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("name", ODD)
def test_unusual_results_give_an_answer_or_a_line_and_no_warning(
    name: str, tmp_path: Path, capsys
) -> None:
    path = ODD[name](tmp_path / "odd.h5")
    out = tmp_path / "out"
    out.mkdir()
    places = {"FILE": str(path), "OUT": str(out)}
    answered = 0
    for command in COMMANDS:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            code = main([places.get(word, word) for word in command])
        said = capsys.readouterr().err
        assert code in (0, 2), command
        assert len(said.splitlines()) == (1 if code else 0), said
        answered += code == 0
    assert answered or name in ("no values", "NaN")


@pytest.mark.parametrize("backend", ["module://no_such_module.backend", "nonsense", "tkagg"])
def test_figures_need_nothing_of_the_backend_that_is_wished_for(
    backend: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "r.h5", AXES)
    done = run(["figures", str(path), "-o", str(tmp_path / "out")], MPLBACKEND=backend)
    assert done.returncode == 0 and done.stderr == b""
    assert (tmp_path / "out" / "r.png").is_file()


def test_a_backend_that_there_is_stays_the_users() -> None:
    shown = "matplotlib.get_backend(), os.environ['MPLBACKEND']"
    code = f"import os, fleet_analysis, matplotlib; print({shown})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MPLBACKEND": "svg"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["svg", "svg"]


def test_users_settings_change_no_figure_and_are_left_alone(tmp_path: Path) -> None:
    results = load(write(tmp_path / "r.h5", AXES))
    plain = [path.read_bytes() for path in write_figures(results, tmp_path / "plain")]
    with mpl.rc_context(SETTINGS):
        before = dict(mpl.rcParams)
        own = [path.read_bytes() for path in write_figures(results, tmp_path / "own")]
        assert dict(mpl.rcParams) == before
    assert own == plain


@pytest.mark.parametrize("command", ["table", "figures", "report", "compare", "watch", "figure"])
def test_hostile_surroundings_end_no_command(command: str, tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "Läufe und $x$", AXES, epochs=3)
    (tmp_path / "rc").write_text(RC_FILE)
    out = ["-o", str(tmp_path / "aus $gabe")]
    arguments = {
        "table": [str(sweep)],
        "figures": [str(sweep), *out],
        "report": [str(sweep), *out],
        "compare": [str(sweep), str(sweep)],
        "watch": [str(sweep), "--once"],
        "figure": ["4", str(sweep), *out],
    }
    done = run(
        [command, *arguments[command]],
        PYTHONIOENCODING="ascii",
        MPLBACKEND="module://nothing",
        MATPLOTLIBRC=str(tmp_path / "rc"),
        LC_ALL="C",
    )
    assert done.returncode == 0 and done.stdout.isascii()
    assert b"Traceback" not in done.stderr and b"site-packages" not in done.stderr


@pytest.mark.parametrize("arguments", [["table", "FILE"], ["table", "NONE"], ["figure", "--help"]])
def test_a_closed_pipe_is_no_failure_of_ours(arguments: list[str], tmp_path: Path) -> None:
    places = {"FILE": str(write(tmp_path / "r.h5", AXES)), "NONE": str(tmp_path / "none.h5")}
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "fleet_analysis.cli", *(places.get(a, a) for a in arguments)],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    expected = {"FILE": (141, 0), "NONE": (2, 1), "--help": (0, 0)}[arguments[-1]]
    assert (done.returncode, len(done.stderr.splitlines())) == expected


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_the_output_is_a_line(tmp_path: Path) -> None:
    path = write(tmp_path / "r.h5", AXES)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fleet_analysis.cli", "table", str(path)],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "0.1 +- 0.2 | \\u540d | alpha - x"),
        ("latin-1", "0.1 ± 0.2 | \\u540d | alpha - ×"),
        ("utf-8", "0.1 ± 0.2 | 名 | α − ×"),
    ],
)
def test_signs_that_an_encoding_lacks_are_put_plainly(
    encoding: str, shown: str, monkeypatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", stream)
    text = "0.1 ± 0.2 | 名 | α − ×"
    with any_output():
        print(text)
        assert printable(text) == shown
        assert printable("a\nb\x1b[31m\u202e") == r"a\nb\x1b[31m\u202e"
    assert stream.errors == "strict"
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == f"{shown}\n"


def test_columns_stay_in_line_where_signs_get_longer(tmp_path: Path) -> None:
    path = write(tmp_path / "r.h5", AXES)
    done = run(["table", str(path)], PYTHONIOENCODING="ascii")
    _, _, header, rule, *rows = done.stdout.decode("ascii").splitlines()
    ends = [i for i, sign in enumerate(rule) if sign == "-" and rule[i + 1 : i + 2] in (" ", "")]
    assert header[ends[1] - 6 : ends[1] + 1] == "average"
    assert all("+-" in row and row[ends[1]].isdigit() and len(row) == len(rule) for row in rows)


def test_a_files_name_that_is_no_text_is_shown_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"r\xff.h5")
    path.write_bytes(write(tmp_path / "r.h5", AXES, name="").read_bytes())
    out = tmp_path / os.fsdecode(b"out\xfe")
    done = run(["figures", str(path), "-o", str(out)])
    assert done.returncode == 0 and os.fsencode(out) in done.stdout
    assert run(["report", str(path), "-o", str(tmp_path / "p.html")]).returncode == 0
    assert b"none\xff.h5: no such file" in run(["table", os.fsdecode(b"none\xff.h5")]).stderr
