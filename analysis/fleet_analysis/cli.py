"""The command `fleet-analysis`: figures and tables from results files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from fleet_analysis.figures import accuracy, alignment, finetune, interpolation, linear, norms
from fleet_analysis.load import Results, ResultsError, load
from fleet_analysis.style import RC
from fleet_analysis.table import final_table
from fleet_analysis.view import View


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0, or 2 with a message on standard error where the results do not serve."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "linear":
            print(write_linear([load(source) for source in options.results], options.output))
            return 0
        results = load(options.results)
        options.metric = options.metric or results.headline
        if results.repeated:
            print(f"note: {results.repeated} cells found twice, kept once", file=sys.stderr)
        if options.command == "table":
            print(final_table(results, options.by, options.metric, options.split, options.format))
        else:
            for path in write_figures(
                results, options.output, options.metric, options.split, options.format
            ):
                print(path)
    except (ResultsError, OSError) as error:
        print(f"fleet-analysis: {error}", file=sys.stderr)
        return 2
    return 0


def write_figures(
    results: Results,
    directory: Path,
    metric: str = "accuracy",
    split: str = "test",
    formats: Sequence[str] = ("png",),
) -> list[Path]:
    """Draws every figure of the results into a directory, which is made; the files written."""
    written = []
    with mpl.rc_context(RC):
        for name, figure in _figures(results, metric, split).items():
            for extension in formats:
                directory.mkdir(parents=True, exist_ok=True)
                path = directory / f"{name.replace('/', '-')}.{extension}"
                figure.savefig(path)
                written.append(path)
    return written


def write_linear(sweeps: Sequence[Results], path: Path) -> Path:
    """Draws the experiments with linear policies into one figure, a panel each; its file."""
    with mpl.rc_context(RC):
        path.parent.mkdir(parents=True, exist_ok=True)
        linear.draw(sweeps).savefig(path)
    return path


def _figures(results: Results, metric: str, split: str) -> dict[str, Figure]:
    """Every figure by the name of its file. Saved models that were only measured have no curves of
    learning."""
    figures: dict[str, Figure] = {}
    if len(results.metrics) or results.instruments.empty:
        figures |= accuracy.draw(View(results, metric, split))
    for instrument in (interpolation, finetune, norms, alignment):
        figures |= instrument.draw(results, metric)
    return figures


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleet-analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "results", nargs="+", help="results files, directories of them, or glob patterns"
    )
    common.add_argument("--metric", help="default: the workload's first")
    common.add_argument("--split", default="test", help="default: %(default)s")

    figures = commands.add_parser("figures", parents=[common], help="draw every figure of a sweep")
    figures.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("figures"),
        metavar="DIR",
        help="where to write them (default: %(default)s)",
    )
    figures.add_argument(
        "--format",
        nargs="+",
        default=["png"],
        choices=["png", "pdf", "svg"],
        help="one or more (default: png)",
    )

    table = commands.add_parser("table", parents=[common], help="print final values per method")
    table.add_argument(
        "--by", nargs="+", metavar="KEY", help="settings to keep apart (default: all)"
    )
    table.add_argument(
        "--format", default="text", choices=["text", "markdown"], help="default: %(default)s"
    )

    bars = commands.add_parser("linear", help="draw experiments with linear policies (Fig. 13)")
    bars.add_argument(
        "results", nargs="+", help="a results file per experiment, drawn in this order"
    )
    bars.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("figures/linear.png"),
        metavar="FILE",
        help="its ending says the format (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
