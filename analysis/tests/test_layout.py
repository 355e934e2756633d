import re

import numpy as np
import pytest

from fleet_analysis.layout import Table, number, p_text, with_spread

SPECIAL = r"a_b %c & #1 $x {y} \z ~ ^ 3 ± 1 α −2 <0.001"
TABLE = Table(SPECIAL, ["key_1", SPECIAL], [["x", SPECIAL], ["yy", ""]], 1, frozenset({(0, 1)}))


def test_latex_takes_no_sign_for_a_command() -> None:
    text = TABLE.render("latex")
    body = "\n".join(text.splitlines()[1:])  # but the first, which ends in a comment
    assert not re.search(r"(?<!\\)[_%#]", body)
    assert body.isascii() and text.count("{") - text.count(r"\{") == text.count("}") - text.count(
        r"\}"
    )
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 1, 1]
    assert r"\textbf{" in rows[1]


@pytest.mark.parametrize("layout", ["text", "markdown"])
def test_columns_are_of_one_width(layout: str) -> None:
    _, _, header, rule, *rows = TABLE.render(layout).splitlines()  # type: ignore[arg-type]
    assert len(rule) == max(map(len, [header, *rows])) and len(rows) == 2
    if layout == "markdown":
        assert len({len(line) for line in (header, rule, *rows)}) == 1 and "**" in rows[0]


def test_a_number_is_written_to_two_digits_of_its_spread() -> None:
    for exponent in range(-6, 5):
        mean, std = 3.14159 * 10.0 ** (exponent + 1), 1.2345 * 10.0**exponent
        said = number(mean, share=False, spread=std)
        assert abs(float(said) - mean) <= max(0.05 * std, 0.5)
    assert with_spread(0.5, 0.0123, share=True) == "50.0 ± 1.2"
    assert with_spread(0.5, np.nan, share=True) == "50.0"
    assert [number(x, share=False) for x in (np.inf, -np.inf, np.nan)] == ["inf", "-inf", "nan"]
    assert number(0.01, share=True, sign=True) == "+1.0"


def test_a_probability_is_never_called_zero() -> None:
    assert [p_text(p) for p in (0.0, 0.0009, 0.04, 1.0, np.nan)] == [
        *("<0.001", "<0.001", "0.040", "1.000", ""),
    ]


@pytest.mark.parametrize("start", ["[2pt]", " [x", "[", "[]"])
def test_latex_takes_no_cell_for_the_option_of_a_command(start: str) -> None:
    """As it would after the end of a row or a rule, across the end of the line."""
    table = Table("c", [start, start], [[start, start], ["x", start], [start, "y"]], 1)
    for row in table.render("latex").partition(r"\toprule")[2].splitlines():
        assert not row.strip().startswith("[")
    strong = Table("c", ["a"], [[start]], 0, frozenset({(0, 0)})).render("latex")
    assert rf"\textbf{{{start}}}" in strong
