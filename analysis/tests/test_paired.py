import numpy as np
import pytest

from fleet_analysis.paired import friedman_test, holm, signed_rank_test, t_test

SAMPLES = [np.random.default_rng(seed).normal(0.5, 1, 3 + seed) for seed in range(8)]


@pytest.mark.parametrize("test", [t_test, signed_rank_test])
@pytest.mark.parametrize("sample", SAMPLES)
def test_p_knows_neither_sign_nor_scale_nor_order(test, sample: np.ndarray) -> None:
    p = test(sample)
    assert 0 < p <= 1
    for same in (-sample, 1e-6 * sample, 1e6 * sample, sample[::-1]):
        assert test(same) == pytest.approx(p, rel=1e-6)


@pytest.mark.parametrize("test", [t_test, signed_rank_test])
def test_p_is_uniform_where_there_is_no_difference(test) -> None:
    random = np.random.default_rng(0)
    p = np.array([test(random.normal(size=12)) for _ in range(400)])
    for level in (0.05, 0.2, 0.5):
        share = (p <= level).mean()
        assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / len(p))


def test_the_t_test_is_that_of_the_tables() -> None:
    # Of 2, 3, 4: t = 3 sqrt 3 with two degrees of freedom, for which p = 1 - t / sqrt(2 + t^2).
    t = 3 * np.sqrt(3)
    assert t_test([2.0, 3.0, 4.0]) == pytest.approx(1 - t / np.sqrt(2 + t * t))


def test_equal_differences_are_judged_by_their_number_alone() -> None:
    assert [t_test(np.full(n, -0.001)) for n in (3, 4, 11)] == [2**-2, 2**-3, 2**-10]
    assert t_test(np.zeros(5)) == signed_rank_test(np.zeros(5)) == 1.0


def test_too_few_or_infinite_pairs_decide_nothing() -> None:
    assert np.isnan([t_test([]), t_test([1.0, 2.0]), t_test([1.0, 2.0, np.inf])]).all()
    assert signed_rank_test([]) == 1.0
    assert signed_rank_test([np.inf] * 8) == signed_rank_test([1.0] * 8) < 0.01


def test_holm_lies_between_the_raw_p_and_bonferroni() -> None:
    for seed in range(20):
        p = np.random.default_rng(seed).uniform(0, 0.3, 9)
        adjusted = holm(p)
        assert (adjusted >= p).all() and (adjusted <= np.minimum(9 * p, 1) + 1e-15).all()
        assert adjusted[p.argmin()] == pytest.approx(min(1, 9 * p.min()))
        assert (np.diff(adjusted[p.argsort()]) >= 0).all()
        order = np.random.default_rng(seed).permutation(9)
        assert holm(p[order]) == pytest.approx(adjusted[order])


def test_holm_errs_in_no_more_families_than_its_level_says() -> None:
    families = np.random.default_rng(1).uniform(size=(2000, 10))
    wrong = np.mean([(holm(family) < 0.05).any() for family in families])
    assert wrong < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 2000)


def test_what_was_not_tested_is_not_counted() -> None:
    assert holm([np.nan, 0.01, np.nan]).tolist()[1] == 0.01
    assert holm([]).size == 0 and np.isnan(holm([np.nan])).all()


def test_friedman_tells_a_constant_order_from_none() -> None:
    random = np.random.default_rng(2)
    noise = random.normal(size=(30, 4))
    assert friedman_test(noise) > 0.01
    assert friedman_test(noise + 3 * np.arange(4)) < 1e-6
    assert np.isnan(friedman_test(noise[:, :2])) and np.isnan(friedman_test(np.ones((5, 3))))
