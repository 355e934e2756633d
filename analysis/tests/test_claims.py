"""Claims that are known to hold, to hold in part, or not at all, and what becomes of them."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import METHOD, SMALL, grid, write

from fleet_analysis import ResultsError, load
from fleet_analysis.claims import (
    Finding,
    findings_text,
    judge,
    read_claims,
    read_findings,
    write_page,
)
from fleet_analysis.cli import main
from fleet_analysis.paired import mean_interval

HEAD = """
[[claim]]
id = "one"
paper = "A"
where = "Fig. 1"
says = "aligned is better"
sweep = "small"
"""
SIDES = """
better = { "merge.method" = "fleet-merge" }
than = { "merge.method" = "average" }
given = { "fleet.alpha" = 0.1 }
by = ["merge.every_epochs"]
"""


def claims(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "claims.toml"
    path.write_text(text)
    return path


def judged(tmp_path: Path, rest: str, **options: object) -> Finding:
    """Of the sweep of all tests, without a failed cell."""
    file = write(tmp_path / "small.h5", SMALL, epochs=4, **options)  # type: ignore[arg-type]
    return judge(read_claims(claims(tmp_path, HEAD + rest))[0], load(file))


def test_a_setting_without_a_pair_does_not_hold(tmp_path: Path) -> None:
    finding = judged(
        tmp_path,
        SIDES,
        failed=lambda cell: cell[METHOD] == "average" and cell["merge.every_epochs"] == 2,
    )
    assert (finding.verdict, finding.settings, finding.held) == ("in part", 3, 2)


def test_what_is_better_everywhere_holds(tmp_path: Path) -> None:
    finding = judged(tmp_path, SIDES)
    assert (finding.verdict, finding.seeds, finding.settings) == ("holds", 3, 3)
    assert finding.held == 3
    assert finding.low < finding.mean < finding.high
    assert finding.mean == pytest.approx(finding.first - finding.second, abs=1e-12)


def test_the_contrary_does_not(tmp_path: Path) -> None:
    turned = SIDES.replace("fleet-merge", "x").replace("average", "fleet-merge")
    finding = judged(tmp_path, turned.replace('"x"', '"average"'))
    assert finding.verdict == "no"
    assert finding.held == 0
    assert finding.high < 0.0


def test_what_holds_in_some_settings_holds_in_part(tmp_path: Path) -> None:
    # Merged every epoch, there are ten points between the two; merged once, nearly thirty.
    finding = judged(tmp_path, SIDES + "margin = 0.2\n")
    assert finding.verdict == "in part"
    assert finding.held == 1


def test_what_chance_may_explain_is_open(tmp_path: Path) -> None:
    finding = judged(tmp_path, SIDES.replace("given = {", "given = { seed = 0,"))
    assert finding.seeds == 1
    assert finding.verdict == "open"
    assert np.isnan(finding.low)


def test_a_loss_is_better_when_it_is_less(tmp_path: Path) -> None:
    assert judged(tmp_path, SIDES + 'metric = "loss"\n').verdict == "holds"


def test_a_side_may_be_the_robots_themselves(tmp_path: Path) -> None:
    # In these sweeps robots are some twenty points below what is merged of them.
    sides = SIDES.replace(
        '"merge.method" = "average"', '"merge.method" = "fleet-merge", robots = "best"'
    )
    best = judged(tmp_path, sides)
    assert best.verdict == "holds"
    assert 0.1 < best.mean < 0.25
    mean = judged(tmp_path, sides.replace("best", "mean"))
    assert mean.second < best.second
    assert mean.first == best.first


def test_a_failed_cell_takes_its_pair_along(tmp_path: Path) -> None:
    failed = judged(
        tmp_path,
        SIDES,
        failed=lambda cell: cell[METHOD] == "average" and cell["seed"] == 2,
    )
    assert failed.seeds == 2
    assert failed.settings == 3


def test_barriers_are_better_when_they_are_lower(tmp_path: Path) -> None:
    axes = grid(merge__method=["fleet-merge"], fleet__alpha=[0.1, 1.0], seed=[0, 1, 2])
    file = write(tmp_path / "barriers.h5", axes, epochs=2, instruments=True)
    text = (
        HEAD.replace("small", "barriers")
        + """
instrument = "barrier"
better = { subject = "method" }
than = { subject = "none" }
given = { split = "test" }
by = ["fleet.alpha"]
"""
    )
    text = text.replace("given", "#")
    finding = judge(read_claims(claims(tmp_path, text))[0], load(file))
    assert finding.mean == pytest.approx(0.5 * (1.0 - 0.1))
    assert finding.verdict == "holds"


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("better = 3\nthan = {}\n", ["claim one", "better", "dict"]),
        ("bettr = {}\n", ["claim one", "bettr", "better"]),
        ("", ["claim one", "better and than"]),
        (SIDES.replace("fleet-merge", "fleetmerge"), ["claim one", "fleetmerge"]),
        (SIDES.replace("given", "#"), ["claim one", "several", "fleet.alpha"]),
        (SIDES.replace("fleet.alpha", "fleet.beta"), ["claim one", "fleet.beta"]),
        (SIDES.replace("every_epochs", "every"), ["claim one", "merge.every"]),
        (SIDES + 'instrument = "barrier"\n', ["claim one", "no barrier"]),
        (SIDES.replace("given = {", 'given = { robots = "worst",'), ["claim one", "worst", "best"]),
    ],
)
def test_what_is_wrong_with_a_claim_is_named(tmp_path: Path, rest: str, words: list[str]) -> None:
    with pytest.raises(ResultsError) as caught:
        judged(tmp_path, rest)
    for word in words:
        assert word in str(caught.value)


def test_a_claim_stands_once(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="another"):
        read_claims(claims(tmp_path, 2 * (HEAD + SIDES)))
    with pytest.raises(ResultsError, match="no \\[\\[claim"):
        read_claims(claims(tmp_path, ""))
    for text in ("claim = 3", "[claim]\nid = 'a'", "claim = [3]"):
        with pytest.raises(ResultsError, match="are tables"):
            read_claims(claims(tmp_path, text))


def test_the_page_has_a_row_a_claim_and_keeps_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = HEAD + SIDES + HEAD.replace('"one"', '"two"').replace("small", "other") + SIDES
    text += '[[claim]]\nid = "three"\npaper = "B"\nwhere = "Sec. 2"\nsays = "a | b"\n'
    spec = claims(tmp_path, text)
    page = tmp_path / "claims.md"
    small = write(tmp_path / "small.h5", SMALL, epochs=4)
    assert main(["claims", str(spec), str(small), "-o", str(page)]) == 0
    first = page.read_text()
    assert first.count("\n| ") == 3 + 2  # and a header a paper
    assert "**holds**, in 3 of 3 settings" in first
    assert "`configs/small.toml`, 3 seeds, git_revision of the test" in first
    assert "not run" in first and "not tested" in first and "a \\| b" in first
    assert main(["claims", str(spec), "-o", str(page)]) == 0
    assert page.read_text() == first  # from what was kept
    changed = claims(tmp_path, text.replace(SIDES, SIDES + "margin = 0.01\n"))
    assert main(["claims", str(changed), "-o", str(page)]) == 0
    assert "**holds**" not in page.read_text()  # what was found is of another claim
    claims(tmp_path, text)
    assert main(["claims", str(spec), str(small), "-o", str(page)]) == 0
    assert page.read_text() == first
    other = write(tmp_path / "other.h5", SMALL, epochs=4)
    assert main(["claims", str(spec), str(other), "-o", str(page)]) == 0
    assert page.read_text().count("**holds**") == 2
    stranger = write(tmp_path / "stranger.h5", SMALL, epochs=2)
    assert main(["claims", str(spec), str(stranger), "-o", str(page)]) == 2
    assert "no claim is about" in capsys.readouterr().err


def test_a_page_of_somebody_else_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "claims.md"
    page.write_text("# Mine\n")
    assert main(["claims", str(claims(tmp_path, HEAD + SIDES)), "-o", str(page)]) == 2
    assert "did not write" in capsys.readouterr().err
    assert page.read_text() == "# Mine\n"


def test_findings_are_read_as_they_were_written(tmp_path: Path) -> None:
    finding = Finding("d", "r", 1, 1, 0, 0.25, float("nan"), float("nan"), 1.0, 0.75)
    path = tmp_path / "claims.json"
    path.write_text(findings_text({"a": finding}))
    again = read_findings(path)["a"]
    assert again.mean == 0.25 and np.isnan(again.low) and again.verdict == "open"
    path.write_text('{"a": {"mean": 1}}')
    with pytest.raises(ResultsError, match=r"claims\.json"):
        read_findings(path)


def test_every_claim_of_the_papers_can_be_read() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    spec = read_claims(docs / "claims.toml")
    page = docs / "claims.md"
    assert page.read_text() == write_page(spec, read_findings(docs / "claims.json"))
    configs = docs.parent / "configs"
    missing = {claim.sweep for claim in spec if claim.sweep} - {p.stem for p in configs.iterdir()}
    assert not missing


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(2.0, 3.0, (2000, 4))
    covered = sum(low < 2.0 < high for low, high in map(mean_interval, draws))
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


def test_revisions_of_a_resumed_sweep_stay_in_their_row(tmp_path: Path) -> None:
    spec = claims(tmp_path, HEAD + SIDES)
    page = tmp_path / "claims.md"
    small = write(tmp_path / "small.h5", SMALL, epochs=4)
    with h5py.File(small, "a") as file:
        file["provenance"].attrs["git_revision"] = "first\nsecond"
    assert main(["claims", str(spec), str(small), "-o", str(page)]) == 0
    row = next(line for line in page.read_text().splitlines() if "configs/small.toml" in line)
    assert "3 seeds, first, second | " in row


def test_a_file_may_be_called_otherwise_than_its_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = claims(tmp_path, HEAD + SIDES)
    page = tmp_path / "claims.md"
    small = write(tmp_path / "small.h5", SMALL, epochs=4)
    moved = small.rename(tmp_path / "of-yesterday.h5")
    assert main(["claims", str(spec), str(moved), "-o", str(page)]) == 0
    assert "**holds**, in 3 of 3 settings" in page.read_text()
    again = write(tmp_path / "small.h5", SMALL, epochs=4)
    assert main(["claims", str(spec), str(moved), str(again), "-o", str(page)]) == 2
    assert "another file is of the sweep small" in capsys.readouterr().err
