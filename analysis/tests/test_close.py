"""Values that nearly look the same, and cells that nearly are: none is taken for another."""

import re
from pathlib import Path

import numpy as np
import pytest
from synthetic import METHOD, changed, grid, write

from fleet_analysis import Results, load
from fleet_analysis.cli import main
from fleet_analysis.compare import compare, comparison_tables
from fleet_analysis.figures import every_figure
from fleet_analysis.figures.scale import scale_of
from fleet_analysis.figures.words import all_fitted, text_width
from fleet_analysis.names import file_names
from fleet_analysis.ranking import difference_table, rank_table
from fleet_analysis.style import value_labels
from fleet_analysis.table import final_table
from fleet_analysis.variants import variants
from fleet_analysis.view import View

CLOSE = [
    [0.01, 0.010000001],
    [0.1, 0.1 + 1e-15, 0.3],
    [10_000_000, 10_000_001],
    [1e-7, 1.0000001e-7],
    ["2 × 128", "[128, 128]"],
    ["", "(none)"],
]
OPTION = "merge.m.rate"


def options(tmp_path: Path, values: list[float], **other: list) -> Results:
    """A method with an option, beside one without."""
    axes = {METHOD: ["average", "m"], OPTION: values, "merge.every_epochs": [0], **other}
    return load(write(tmp_path / "r.h5", {**axes, "seed": [0, 1, 2]}))


@pytest.mark.parametrize("values", CLOSE, ids=str)
def test_different_values_have_different_labels(values: list) -> None:
    labels = value_labels("train.x", [*values, *values])
    assert list(labels) == values and len(set(labels.values())) == len(values)


def test_labels_are_no_longer_than_they_must_be() -> None:
    assert list(value_labels("x", [0.1, 1 / 3, 2.0]).values()) == ["0.1", "0.333333", "2"]
    assert list(value_labels("x", [0.01, 0.010000001]).values()) == ["0.01", "0.010000001"]
    assert value_labels("x", [0.5, float("nan"), 0.5]) == {0.5: "0.5"}


@pytest.mark.parametrize("values", CLOSE, ids=str)
def test_every_value_has_a_row_of_its_own(values: list, tmp_path: Path) -> None:
    results = load(write(tmp_path / "r.h5", grid(train__x=values, seed=[0, 1])))
    heading, _, _, _, *rows = final_table(results).render().splitlines()
    assert len({row.rsplit("  ", 1)[0].strip() for row in rows}) == len(rows) == len(values)
    assert "n = 2" in heading, "they are no further seeds"


@pytest.mark.parametrize("values", CLOSE, ids=str)
def test_every_value_has_a_panel_and_a_tick_of_its_own(values: list, tmp_path: Path) -> None:
    results = load(write(tmp_path / "r.h5", grid(train__x=values, fleet__alpha=[0.1, 1.0])))
    view = View(results, "accuracy", "test")
    panels = view.panels(view.final, "train.x", view.notes())
    assert len({panel.title for panel in panels}) == len(values)
    scale = scale_of("train.x", values)
    assert len(scale.values) == len(set(scale.positions)) == len(values)


def test_close_options_are_variants_of_their_own(tmp_path: Path) -> None:
    results = options(tmp_path, [0.01, 0.010000001])
    view = View(results, "accuracy", "test")
    assert len(set(variants(view.final, view.axes)[view.final[METHOD] == "m"])) == 2
    for table in (rank_table(results), difference_table(results)):
        said = " ".join(" ".join(row) for row in table.rows)
        assert "m rate = 0.010000001" in f"{table.caption} {said}"
    (figure,) = [
        f for name, f in every_figure(results, "accuracy", "test").items() if "abla" in name
    ]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert {"m rate = 0.01", "m rate = 0.010000001"} < set(labels)


def test_options_of_one_last_name_are_told_apart(tmp_path: Path) -> None:
    inner, outer = "merge.m.inner.rate", "merge.m.outer.rate"
    axes = {METHOD: ["m"], inner: [1, 2], outer: [1, 2], "merge.every_epochs": [0]}
    view = View(load(write(tmp_path / "r.h5", axes)), "accuracy", "test")
    assert variants(view.final, view.axes).nunique() == 4


def test_a_method_with_spaces_in_its_name_is_a_method(tmp_path: Path) -> None:
    axes = {METHOD: ["my method", "my other"], "merge.my method.k": [1, 2], "seed": [0, 1]}
    results = load(write(tmp_path / "r.h5", {**axes, "merge.every_epochs": [0]}))
    assert len(rank_table(results).rows) == 3
    assert f"{results.name}-ablations" in every_figure(results, "accuracy", "test")


def test_a_sweep_of_options_that_merges_often_has_its_other_figures(tmp_path: Path) -> None:
    axes = {METHOD: ["average", "m"], OPTION: [1, 2], "seed": [0, 1]}
    assert main(["figures", str(write(tmp_path / "r.h5", axes)), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "r.png").is_file()


def test_close_values_are_compared_apart(tmp_path: Path) -> None:
    axes = grid(train__x=[0.01, 0.010000001], seed=[0, 1, 2])
    results = load(write(tmp_path / "r.h5", axes))
    again = load(write(tmp_path / "s.h5", axes, failed=lambda cell: cell["seed"] == 2))
    result = compare(results, again)
    rows = comparison_tables(result, everything=True)[1].rows
    assert sorted(row[1] for row in rows) == ["0.01", "0.010000001"]
    assert len(set(result.newly_failed)) == 2


def test_cells_that_no_column_tells_apart_are_one_seed_and_a_warning(
    tmp_path: Path, caplog, capsys
) -> None:
    paths = [write(tmp_path / f"{name}.h5", grid(seed=[0, 1])) for name in "ab"]
    with changed(paths[1]) as file:
        cells = file["cells"][:]
        cells["id"] = [b"other0", b"other1"]
        cells["processor_seconds"] *= 2
        file["cells"][:] = cells
    results = load(paths)
    assert results.alike == 4 and "count as one seed" in caplog.text
    table = final_table(results)
    assert "n = 2" in table.caption
    assert "4 cells averaged with others of their settings and seed" in table.caption
    seeds = results.final().groupby("seed").value.mean()
    assert table.rows[0][-1] == f"{100 * seeds.mean():.1f} ± {100 * seeds.std():.1f}"
    assert main(["table", *map(str, paths)]) == 0
    assert "4 finished cells" in capsys.readouterr().err
    assert load(paths[0]).alike == 0


def test_cells_without_a_value_of_the_axis_shown_are_said(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.h5", grid(seed=[0, 1]))
    swept = write(tmp_path / "swept.h5", grid(train__x=[1, 2], seed=[0, 1]))
    assert "2 cells without x not shown" in final_table(load([plain, swept])).caption
    assert "not shown" not in final_table(load(swept)).caption


def test_files_of_different_names_are_different_files() -> None:
    names = ["a/b", "a-b", "a\\b", "x\n", "..", "", "é", "n" * 300, "n" * 299 + "m", "a\x00b"]
    made = file_names(names)
    assert len(set(made)) == len(names)
    for name in made:
        assert name.strip(".") and "/" not in name and name.isprintable() and len(name) < 250
    assert made[:2] == ["a-b", "a-b-2"] and made[6] == "é"


def test_shortened_labels_fit_and_stay_different() -> None:
    texts = [f"{'long ' * 30}{i}{' words' * 30}" for i in range(12)] + ["short", "日", "本"]
    made = all_fitted(texts, 1.0, 8)
    assert len(set(made)) == len(texts) and made[-3:] == ["short", r"\u65e5", r"\u672c"]
    assert max(text_width(text, 8) for text in made) <= 1.0


@pytest.mark.parametrize("layout", ["markdown", "latex"])
def test_signs_of_the_layout_are_words_in_a_table(layout: str, tmp_path: Path) -> None:
    axes = grid(merge__method=["a|b", "c&d"], data__demos=["x_1%", "$y$ | \\z", "#{}~^"])
    results = load(write(tmp_path / "r.h5", axes))
    text = final_table(results).render(layout)
    if layout == "markdown":
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {4}
    else:
        body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
        bare = re.sub(r"\\[a-z]+(\{\})?|\\[_%&#${}\\]|\$[^$]*\$", "", body)
        assert not set(bare) & set("_%#$~^") and np.all(
            [len(re.findall(r"(?<!\\)&", line)) == 2 for line in body.splitlines() if "&" in line]
        )
