from pathlib import Path

import numpy as np
import pytest
from synthetic import METHOD, grid, write

from fleet_analysis import Results, ResultsError, load
from fleet_analysis.cli import main
from fleet_analysis.ranking import difference_table, rank_table


def ranks(results: Results, metric: str = "accuracy") -> dict[str, float]:
    return {row[0]: float(row[1]) for row in rank_table(results, metric).rows}


def test_ranks_sum_to_what_so_many_methods_have(small: Results) -> None:
    found = ranks(small)
    assert set(found) == {"average", "git-rebasin", "fleet-merge"}, "references are no rivals"
    assert sum(found.values()) == pytest.approx(1 + 2 + 3, abs=0.02)
    assert list(found.values()) == sorted(found.values())


def test_a_metric_that_falls_as_another_rises_ranks_alike(small: Results) -> None:
    assert ranks(small, "loss") == ranks(small), "the loss is -log of the accuracy"


def test_blocks_that_a_method_failed_are_left_out_and_counted(small: Results) -> None:
    table = rank_table(small)
    assert "24 settings × seeds" in table.caption and "3 that not all" in table.caption


def test_differences_are_those_of_the_pairs(small: Results) -> None:
    table = difference_table(small, "average")
    final = small.final()
    keys = ["fleet.alpha", "merge.every_epochs", "seed"]
    wide = final.set_index([*keys, METHOD]).value.unstack(METHOD)
    for name, pairs, difference, _, better, worse, _ in table.rows:
        pair = (wide[name] - wide["average"]).dropna()
        assert int(pairs) == len(pair)
        assert float(difference) == pytest.approx(100 * pair.mean(), abs=0.05)
        assert (int(better), int(worse)) == ((pair > 0).sum(), (pair < 0).sum())


def test_turned_round_wins_become_losses(small: Results) -> None:
    (there,) = (r for r in difference_table(small, "average").rows if r[0] == "fleet-merge")
    (back,) = (r for r in difference_table(small, "fleet-merge").rows if r[0] == "average")
    assert there[4:6] == back[4:6][::-1]
    assert float(there[2]) == -float(back[2])


def test_the_default_baseline_is_the_method_that_ranks_best(small: Results) -> None:
    best = min(ranks(small), key=ranks(small).__getitem__)
    assert f"method − {best}" in difference_table(small).caption


def test_options_of_a_method_compete_as_methods_of_their_own(tmp_path: Path) -> None:
    axes = grid(
        merge__method=["average", "fleet-merge"],
        fleet__alpha=[0.1, 1.0],
        seed=[0, 1],
    ) | {"merge.fleet-merge.point": ["segment", "average"]}
    names = set(ranks(load(write(tmp_path / "a.h5", axes))))
    assert names == {"average", "fleet-merge point = segment", "fleet-merge point = average"}


def test_an_unknown_method_and_none_at_all_are_errors(small: Results, tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="no method fedavg; there are average"):
        difference_table(small, "fedavg")
    alone = load(write(tmp_path / "j.h5", grid(merge__method=["joint", "local"], seed=[0, 1])))
    with pytest.raises(ResultsError, match="no method that merges"):
        rank_table(alone)


@pytest.mark.parametrize("layout", ["text", "markdown", "latex"])
def test_the_command_prints_them_in_every_layout(layout: str, tmp_path: Path, capsys) -> None:
    axes = grid(merge__method=["average", "fleet-merge"], seed=[0, 1, 2])
    path = str(write(tmp_path / "a.h5", axes))
    for option in (["--ranks"], ["--against"], ["--against", "average"], []):
        assert main(["table", path, *option, "--format", layout]) == 0
        said = capsys.readouterr().out
        assert "fleet-merge" in said
        if layout == "latex":
            body = [line for line in said.splitlines() if line.endswith(r"\\")]
            assert len({line.count("&") for line in body}) == 1
            assert said.count("{") == said.count("}")
            assert not np.intersect1d(list(said), list("±−α<>")).size or "$<$" in said


def test_the_best_is_the_base_even_where_no_setting_has_all_methods(tmp_path: Path) -> None:
    lacking = {0.1: "average", 1.0: "git-rebasin", 10.0: "fleet-merge"}
    axes = grid(
        merge__method=["average", "git-rebasin", "fleet-merge"],
        fleet__alpha=[0.1, 1.0, 10.0],
        seed=[0, 1],
    )
    unfinished = write(
        tmp_path / "u.h5", axes, left_out=lambda cell: lacking[cell["fleet.alpha"]] == cell[METHOD]
    )
    assert "method − fleet-merge" in difference_table(load(unfinished)).caption
