import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fleet_analysis.schema import METHOD, higher_is_better
from fleet_analysis.stats import bootstrap, is_option, spread_references, summarise


@pytest.mark.parametrize("count", [2, 3, 5, 40])
@pytest.mark.parametrize("seed", range(5))
def test_a_band_contains_the_mean_and_lies_within_the_values(count: int, seed: int) -> None:
    values = np.random.default_rng(seed).lognormal(0, 3, count)
    low, high = bootstrap(values)
    assert low <= values.mean() <= high
    assert values.min() - 1e-12 <= low and high <= values.max() + 1e-9


def test_equal_values_have_a_band_without_width() -> None:
    assert bootstrap(np.full(4, 0.5)) == (0.5, 0.5)


def test_a_band_narrows_with_more_seeds() -> None:
    values = np.random.default_rng(0).normal(size=400)
    few, many = bootstrap(values[:5]), bootstrap(values)
    assert many[1] - many[0] < few[1] - few[0]


@pytest.mark.parametrize("values", [[], [0.7]])
def test_fewer_than_two_seeds_give_no_band(values: list[float]) -> None:
    assert np.isnan(bootstrap(np.array(values))).all()


@pytest.mark.filterwarnings("error")
def test_a_value_without_bound_has_a_mean_but_no_band() -> None:
    values = np.array([1.0, np.inf, 2.0])
    assert np.isnan(bootstrap(values)).all()
    rows = _rows([("m", 1.0, seed, 0, value) for seed, value in enumerate(values)])
    (row,) = summarise(rows, [METHOD, "x"]).table.itertuples()
    assert np.isinf(row.mean) and np.isnan([row.std, row.low, row.high]).all()


def _rows(records: list[tuple[str, float, int, int, float]]) -> pd.DataFrame:
    return pd.DataFrame(records, columns=[METHOD, "x", "seed", "other", "value"])


def test_seeds_are_averaged_over_settings_before_the_spread_is_taken() -> None:
    values = [("m", 1.0, seed, other, seed + 10.0 * other) for seed in (0, 1) for other in (0, 1)]
    (row,) = summarise(_rows(values), [METHOD, "x"], ["other"]).table.itertuples()
    assert (row.mean, row.n) == (5.5, 2)
    assert row.std == pytest.approx(np.std([5.0, 6.0], ddof=1))


def test_a_seed_that_lacks_settings_does_not_count() -> None:
    hard_failed = _rows(
        [("m", 1.0, 0, 0, 0.9), ("m", 1.0, 0, 1, 0.1), ("m", 1.0, 1, 0, 0.9)],
    )
    (row,) = summarise(hard_failed, [METHOD, "x"], ["other"]).table.itertuples()
    assert (row.mean, row.n) == (0.5, 1)


def test_a_method_is_not_averaged_over_the_settings_it_survived() -> None:
    rows = _rows([("a", 1.0, 0, 0, 0.9), ("a", 1.0, 0, 1, 0.1), ("b", 1.0, 0, 0, 0.9)])
    summary = summarise(rows, [METHOD, "x"], ["other"])
    assert summary.partial == ("b",) and summary.table[METHOD].tolist() == ["a"]
    alone = summarise(rows[rows[METHOD] == "b"], [METHOD, "x"], ["other"])
    assert alone.partial == () and alone.table["mean"].tolist() == [0.9]


def test_options_of_one_method_do_not_make_the_others_incomplete() -> None:
    option = "merge.a.strength"
    rows = _rows([("a", 1.0, 0, 1, 0.8), ("a", 1.0, 0, 2, 0.6), ("b", 1.0, 0, 0, 0.9)])
    rows = rows.rename(columns={"other": option}).replace({option: {0: np.nan}})
    summary = summarise(rows, [METHOD, "x"], [option])
    assert summary.partial == ()
    assert summary.table["mean"].tolist() == pytest.approx([0.7, 0.9])


def test_points_that_average_different_settings_are_noticed() -> None:
    rows = _rows([("a", 1.0, 0, 0, 0.9), ("a", 1.0, 0, 1, 0.1), ("a", 2.0, 0, 0, 0.9)])
    assert summarise(rows, [METHOD, "x"], ["other"]).uneven
    assert not summarise(rows[rows.other == 0], [METHOD, "x"], ["other"]).uneven


def test_points_along_a_curve_average_the_same_settings() -> None:
    every_1 = [("m", float(epoch), 0, 1, 0.5) for epoch in (1, 2, 3, 4)]
    every_2 = [("m", float(epoch), 0, 2, 0.1) for epoch in (2, 4)]
    table = summarise(_rows(every_1 + every_2), [METHOD], ["other"], along="x").table
    assert table.x.tolist() == [2.0, 4.0]


def test_a_reference_run_once_stands_for_all_values_that_do_not_touch_it() -> None:
    key = "merge.every_epochs"
    rows = pd.DataFrame(
        [
            ("average", 1, 0, 0.7),
            ("average", 5, 0, 0.6),
            ("joint", 0, 0, 0.9),
            ("local", 1, 0, 0.3),
        ],
        columns=[METHOD, key, "seed", "value"],
    )
    spread = spread_references(rows, [key])
    assert sorted(spread[spread[METHOD] == "joint"][key]) == [0, 1, 5]
    assert sorted(spread[spread[METHOD] == "local"][key]) == [1, 5]
    assert len(spread[spread[METHOD] == "average"]) == 2
    assert spread[key].dtype == rows[key].dtype


def test_local_training_is_not_spread_over_the_skew_that_it_suffers() -> None:
    rows = pd.DataFrame(
        [("average", 0.1, 0, 0.7), ("average", 1.0, 0, 0.8), ("local", 0.1, 0, 0.3)],
        columns=[METHOD, "fleet.alpha", "seed", "value"],
    )
    assert len(spread_references(rows, ["fleet.alpha"])) == len(rows)


def test_more_is_better_of_the_metrics_that_the_program_says_so_of() -> None:
    judge = Path(__file__).parents[2] / "src" / "instruments" / "judge.cpp"
    listed = re.search(r"kRising = \{([^}]*)\}", judge.read_text())
    assert listed is not None
    for metric in re.findall(r'"(\w+)"', listed[1]):
        assert higher_is_better(metric), metric
        assert higher_is_better(f"{metric}_hopper"), metric
    assert not higher_is_better("loss")


def test_references_are_copied_to_settings_that_a_method_ran() -> None:
    columns = [METHOD, "merge.a", "merge.b", "fleet.robots", "seed", "value"]
    ran = [("average", 0, 0, 5), ("average", 1, 0, 5), ("average", 0, 1, 10)]
    rows = pd.DataFrame(
        [
            *((*settings, 0, 0.7) for settings in ran),
            ("joint", 0, 0, 5, 0, 0.9),
            ("joint", 0, 0, 10, 0, 0.8),
        ],
        columns=columns,
    )
    spread = spread_references(rows, ["merge.a", "merge.b", "fleet.robots"])
    joint = spread[spread[METHOD] == "joint"]
    settings = joint[["merge.a", "merge.b", "fleet.robots"]].itertuples(index=False, name=None)
    assert sorted(settings) == [(0, 0, 5), (0, 0, 10), (0, 1, 10), (1, 0, 5)]


def test_a_reference_is_not_copied_over_an_option_of_its_own() -> None:
    key = "merge.joint.steps"
    rows = pd.DataFrame(
        [("average", "robot", 0, 0.7), ("average", "fleet", 0, 0.7), ("joint", "fleet", 0, 0.9)],
        columns=[METHOD, key, "seed", "value"],
    )
    assert len(spread_references(rows, [key])) == len(rows)


def test_rounds_after_a_merge_are_no_method_with_options() -> None:
    assert is_option("merge.fleet-merge.steps") and not is_option("merge.after.kind")
