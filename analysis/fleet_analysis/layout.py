"""A table of words, laid out as plain text, Markdown or LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

Layout = Literal["text", "markdown", "latex"]
LAYOUTS: tuple[str, ...] = get_args(Layout)

#: What LaTeX would take for commands, and the signs that its fonts lack.
LATEX = str.maketrans(
    {
        **{sign: rf"\{sign}" for sign in "_%&#${}"},
        **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
        **{"±": r"$\pm$", "−": "$-$", "–": "--", "<": "$<$", ">": "$>$", "*": r"$^{*}$"},
        **{"α": r"$\alpha$", "λ": r"$\lambda$", "×": r"$\times$", "→": r"$\to$"},
    }
)
#: What would end a column of a Markdown table.
MARKDOWN = str.maketrans({"\\": r"\\", "|": r"\|"})


@dataclass(frozen=True)
class Table:
    """Rows of words below a header. The first `labels` columns say what a row is about; `strong`
    names the entries that stand out, as (row, column)."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 1
    strong: frozenset[tuple[int, int]] = field(default_factory=frozenset)

    def render(self, layout: Layout = "text") -> str:
        """The caption, and the table with labels flush left and entries flush right."""
        if layout == "latex":
            return self._latex()
        return "\n".join([self.caption, "", *self._lines(layout)])

    def spelled(self, spell: Callable[[str], str]) -> Table:
        """The same table with each of its texts put otherwise."""
        return Table(
            spell(self.caption),
            [spell(cell) for cell in self.header],
            [[spell(cell) for cell in row] for row in self.rows],
            self.labels,
            self.strong,
        )

    def _lines(self, layout: Layout) -> list[str]:
        """Columns of one width each. Markdown sets strong entries bold; plain text cannot."""
        markdown = layout == "markdown"
        table = self.spelled(lambda text: text.translate(MARKDOWN)) if markdown else self
        header, rows = table.header, table._marked("**{}**" if markdown else "{}")
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

        def line(cells: Sequence[str]) -> str:
            parts = [
                cell.ljust(width) if i < self.labels else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ]
            return f"| {' | '.join(parts)} |" if markdown else "  ".join(parts).rstrip()

        if markdown:
            widths = [max(width, 3) for width in widths]
            rules = [
                "-" * w if i < self.labels else f"{'-' * (w - 1)}:" for i, w in enumerate(widths)
            ]
            rule = f"| {' | '.join(rules)} |"
        else:
            rule = "  ".join("-" * width for width in widths)
        return [line(header), rule, *map(line, rows)]

    def _latex(self) -> str:
        """A floating table for the package booktabs."""
        escaped = self.spelled(lambda text: text.translate(LATEX))
        rows = escaped._marked(r"\textbf{{{}}}")
        columns = "l" * self.labels + "r" * (len(self.header) - self.labels)
        body = [" & ".join(map(_no_argument, row)) + r" \\" for row in [escaped.header, *rows]]
        return "\n".join(
            [
                r"\begin{table}  % \usepackage{booktabs}",
                r"  \centering",
                rf"  \caption{{{escaped.caption}}}",
                rf"  \begin{{tabular}}{{{columns}}}",
                r"    \toprule",
                f"    {body[0]}",
                r"    \midrule",
                *(f"    {line}" for line in body[1:]),
                r"    \bottomrule",
                r"  \end{tabular}",
                r"\end{table}",
            ]
        )

    def _marked(self, pattern: str) -> list[list[str]]:
        return [
            [pattern.format(cell) if (r, c) in self.strong else cell for c, cell in enumerate(row)]
            for r, row in enumerate(self.rows)
        ]


def _no_argument(cell: str) -> str:
    """A cell that LaTeX does not take for the optional argument of the command before it."""
    return f"{{}}{cell}" if cell.lstrip().startswith("[") else cell


def number(value: float, share: bool, spread: float = np.nan, sign: bool = False) -> str:
    """A share in percent with a decimal; others to two digits of their spread (without one: of
    themselves). `sign`: with a plus, for differences."""
    if not np.isfinite(value):
        return "inf" if value > 0 else "-inf" if value < 0 else "nan"
    if share:
        return f"{100 * value:{'+' if sign else ''}.1f}"
    scale = spread if np.isfinite(spread) and spread > 0 else abs(value) / 100 or 1.0
    decimals = max(0, 1 - int(np.floor(np.log10(scale))))
    if abs(value) >= 1e6 or decimals > 8:
        return f"{value:{'+' if sign else ''}.3g}"
    return f"{value:{'+' if sign else ''}.{decimals}f}"


def with_spread(mean: float, std: float, share: bool) -> str:
    """Mean ± standard deviation; the mean alone where there is none."""
    spread = "" if np.isnan(std) else f" ± {number(std, share, std)}"
    return f"{number(mean, share, std)}{spread}"


def p_text(p: float) -> str:
    """A probability, as small as one needs to know it."""
    if np.isnan(p):
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
