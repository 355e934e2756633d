import pytest
from matplotlib.figure import Figure

from fleet_analysis.figures.scale import scale_of


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.01, 0.1, 1.0], "log"),
        ([0.1, 1.0], "linear"),
        ([0.0, 1.0, 100.0], "linear"),
        ([-1.0, 100.0], "linear"),
        (["dirichlet", "iid"], "category"),
        ([False, True], "category"),
        ([5], "category"),
    ],
)
def test_the_scale_suits_the_values(values: list, kind: str) -> None:
    assert scale_of("some.key", values).kind == kind


def test_one_shot_stands_beyond_the_rarest_merge() -> None:
    scale = scale_of("merge.every_epochs", [0, 1, 2, 50])
    assert scale.kind == "log" and scale.values == [1, 2, 50, 0]
    assert scale.apart is not None and scale.apart > 50
    assert scale.at([0, 1, 7]).tolist()[:2] == [scale.apart, 1.0]


def test_one_shot_beside_a_single_frequency_is_a_category() -> None:
    scale = scale_of("merge.every_epochs", [0, 5])
    assert (scale.kind, scale.values) == ("category", [5, 0])


@pytest.mark.parametrize("values", [[0.01, 0.1, 1.0], [1, 2, 3], ["a", "b"], [0, 1, 2, 5], [3]])
@pytest.mark.parametrize("width", [1.4, 6.0])
def test_ticks_are_words_for_the_values(values: list, width: float) -> None:
    axes = Figure().subplots()
    scale = scale_of("merge.every_epochs", values)
    scale.apply(axes, width)
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels and "0" not in labels
    assert len(labels) == len(values)


def test_crowded_ticks_are_thinned_but_the_last_stays() -> None:
    axes = Figure().subplots()
    scale_of("fleet.robots", list(range(100, 140))).apply(axes, 1.5)
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert 2 <= len(labels) < 15 and labels[-1] == "139"
