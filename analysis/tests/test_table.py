from pathlib import Path

import numpy as np
import pytest
from synthetic import METHOD, grid, write

from fleet_analysis import Results, ResultsError, load
from fleet_analysis.table import final_table


def test_an_entry_is_mean_deviation_and_number_of_seeds(small: Results) -> None:
    final = small.final()
    own = final[
        (final[METHOD] == "git-rebasin")
        & (final["fleet.alpha"] == 0.1)
        & (final["merge.every_epochs"] == 0)
    ].value.to_numpy()
    entry = f"{100 * own.mean():.1f} ± {100 * own.std(ddof=1):.1f} ({len(own)})"
    (line,) = [
        line
        for line in final_table(small).render().splitlines()
        if line.split()[:2] == ["0.1", "one-shot"]
    ]
    assert len(own) == 2 and entry in line


def test_columns_are_methods_and_rows_all_settings(small: Results) -> None:
    heading, blank, header, _, *rows = final_table(small).render().splitlines()
    methods = ["average", "git-rebasin", "fleet-merge", "joint", "local"]
    assert header.split() == ["fleet.alpha", "merge.every_epochs", *methods]
    assert len(rows) == 9 and blank == ""
    assert heading.startswith("small; final test accuracy (%)")
    assert "3 failed cells left out" in heading


def test_grouping_by_some_keys_averages_over_the_rest_and_says_so(small: Results) -> None:
    heading, _, header, _, *rows = final_table(small, by=["fleet.alpha"]).render().splitlines()
    assert "averaged over merge frequency" in heading
    assert header.split()[:2] == ["fleet.alpha", "average"] and len(rows) == 3
    final = small.final()
    own = final[(final[METHOD] == "average") & (final["fleet.alpha"] == 1.0)]
    seeds = own.groupby("seed").value.mean()
    assert f"{100 * seeds.mean():.1f} ± {100 * seeds.std():.1f}" in rows[1]


def test_no_keys_give_one_row(small: Results) -> None:
    assert len(final_table(small, by=[METHOD]).render().splitlines()) == 5


def test_equal_numbers_of_seeds_are_said_once(tmp_path: Path) -> None:
    text = final_table(load(write(tmp_path / "a.h5", grid(seed=[0, 1, 2])))).render()
    assert "n = 3" in text and "(3)" not in text


def test_a_single_seed_has_no_deviation(tmp_path: Path) -> None:
    *_, row = final_table(load(write(tmp_path / "a.h5", grid()))).render().splitlines()
    assert np.isfinite(float(row))


def test_markdown_is_a_table_of_equal_lines(small: Results) -> None:
    *_, header, rule, row = final_table(small, by=[]).render("markdown").splitlines()
    assert header.count("|") == rule.count("|") == row.count("|") == 6
    assert len(header) == len(rule) == len(row)


def test_other_metrics_are_written_to_two_digits_of_the_deviation(tmp_path: Path) -> None:
    results = load(write(tmp_path / "a.h5", grid(seed=[0, 1, 2])))
    *_, row = final_table(results, metric="loss").render().splitlines()
    values = results.final("loss").value
    mean, deviation = (float(part) for part in row.split(" ± "))
    assert mean == pytest.approx(values.mean(), abs=0.1 * values.std())
    assert deviation == pytest.approx(values.std(), rel=0.06)


def test_an_unknown_key_is_named_with_those_swept(small: Results) -> None:
    with pytest.raises(ResultsError, match=r"no setting fleet\.size .* fleet\.alpha"):
        final_table(small, by=["fleet.size"])
