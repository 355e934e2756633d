"""The command `fleet-analysis`: figures, tables and reports from results files."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from fleet_analysis.claims import (
    findings_text,
    is_page,
    judge_all,
    read_claims,
    read_findings,
    write_page,
)
from fleet_analysis.compare import Comparison, compare, comparison_tables
from fleet_analysis.export import FORMS, export
from fleet_analysis.figures import every_figure
from fleet_analysis.figures.look import our_look, save
from fleet_analysis.figures.paper import PAPER, paper_figures
from fleet_analysis.files import ResultsError
from fleet_analysis.follow import looks
from fleet_analysis.kept import kept_table
from fleet_analysis.layout import LAYOUTS
from fleet_analysis.load import Results, load
from fleet_analysis.names import file_names, visible
from fleet_analysis.output import CLOSED_PIPE, any_output, flush_output, printable
from fleet_analysis.ranking import difference_table, rank_table
from fleet_analysis.report import write_report
from fleet_analysis.sweep import is_sweep, sweep_state
from fleet_analysis.table import final_table
from fleet_analysis.watch import screen
from fleet_analysis.written import check_target

CLEAR = "\x1b[H\x1b[J"  # a terminal: to the top left, and nothing below
FORMATS = ("png", "pdf", "svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; what it gives, or 2 with a message on standard error where the results do
    not serve, 130 where the user has stopped it, or 141 where nobody reads its output any more."""
    with any_output():
        try:
            return _run(_parser().parse_args(arguments))
        except BrokenPipeError:
            return CLOSED_PIPE


def _run(options: argparse.Namespace) -> int:
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        code = run(options)
        flush_output()
        return code
    except BrokenPipeError:
        raise
    except (ResultsError, OSError) as error:
        print(f"fleet-analysis: {visible(str(error))}", file=sys.stderr)
        return 2
    except MemoryError:
        print("fleet-analysis: not enough memory for these results", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def write_figures(
    results: Results,
    directory: Path,
    metric: str = "accuracy",
    split: str = "test",
    formats: Sequence[str] = ("png",),
) -> list[Path]:
    """Draws every figure of the results into a directory, which is made; the files written. Their
    names tell the metric and the split where these are not the headline's."""
    further = [metric] if metric != results.headline else []
    further += [split] if split != "test" else []
    with our_look():
        figures = every_figure(results, metric, split)
        named = {"-".join([name, *further]): figure for name, figure in figures.items()}
        return _saved(named, directory, formats)


def _saved(figures: dict[str, Figure], directory: Path, formats: Sequence[str]) -> list[Path]:
    names = file_names(figures)
    paths = {stem: [directory / f"{stem}.{extension}" for extension in formats] for stem in names}
    written = [path for stem in names for path in paths[stem]]
    for path in written:
        check_target(path)  # before the first is replaced
    for stem, figure in zip(names, figures.values(), strict=True):
        for path in paths[stem]:
            directory.mkdir(parents=True, exist_ok=True)
            save(figure, path)
    return written


def _figures(options: argparse.Namespace) -> int:
    results, metric = _loaded(options)
    for path in write_figures(results, options.output, metric, options.split, options.format):
        print(path)
    return 0


def _table(options: argparse.Namespace) -> int:
    results, metric = _loaded(options)
    if options.ranks:
        table = rank_table(results, metric, options.split)
    elif options.kept:
        table = kept_table(results, metric)
    elif options.against is not None:
        table = difference_table(results, options.against or None, metric, options.split)
    else:
        table = final_table(results, options.by, metric, options.split)
    print(table.spelled(printable).render(options.format))
    return 0


def _compare(options: argparse.Namespace) -> int:
    """1, if asked to check, where the second is significantly worse or fails where the first did
    not."""
    first, second = load(options.first), load(options.second)
    metric = options.metric or first.headline
    result = compare(first, second, metric, options.split, options.level)
    print("\n".join(_preface(result, options)))
    for table in comparison_tables(result, options.all):
        print(f"\n{table.spelled(printable).render(options.format)}")
    return 1 if options.check and result.worse else 0


def _preface(result: Comparison, options: argparse.Namespace) -> list[str]:
    """What was compared, and what could not be."""
    lines = [f"first: {options.first} ({result.names[0]})"]
    lines += [f"second: {options.second} ({result.names[1]})"]
    for count, which in zip(result.unmatched, ("first", "second"), strict=True):
        lines += [f"{count} cells only in the {which}"] if count else []
    lines += [f"failed only in the second: {label}" for label in result.newly_failed]
    return [*lines, *(f"configuration {line}" for line in result.config)]


def _figure(options: argparse.Namespace) -> int:
    with our_look():
        figures = paper_figures(options.name, options.results, options.metric, options.split)
        named = {f"fig{options.name}-{name}": figure for name, figure in figures.items()}
        for path in _saved(named, options.output, options.format):
            print(path)
    return 0


def _export(options: argparse.Namespace) -> int:
    directory = options.output or Path(f"exported-{options.to}")
    for path in export(load(options.results), directory, options.to):
        print(path)
    return 0


def _claims(options: argparse.Namespace) -> int:
    """Beside the page a file keeps what was found, for the claims whose results are not there the
    next time."""
    claims = read_claims(options.claims)
    page, kept = options.output, options.output.with_suffix(".json")
    if page.exists() and not is_page(page):
        raise ResultsError(
            f"{page}: fleet-analysis did not write this file, so it stays; "
            "give another name with -o"
        )
    found = judge_all(claims, options.results, read_findings(kept))
    kept.write_text(findings_text(found), encoding="utf-8")
    page.write_text(write_page(claims, found), encoding="utf-8")
    print(page)
    return 0


def _report(options: argparse.Namespace) -> int:
    directory = Path(options.results[0]) if len(options.results) == 1 else None
    if options.follow is not None:
        return _follow(options, Path(options.results[0]), len(options.results))
    results, metric = _loaded(options)
    state = sweep_state(directory) if directory and is_sweep(directory) else None
    print(write_report(results, options.output, metric, options.split, state))
    return 0


def _follow(options: argparse.Namespace, directory: Path, count: int) -> int:
    """The page written anew until the sweep has finished."""
    if count > 1:
        raise ResultsError("one sweep's directory at a time can be followed")
    for results, state in looks(directory, options.follow):
        ended = len(state.done | state.failed)
        print(f"{ended} of {state.planned} cells", flush=True)
        if results is not None:
            metric = options.metric or results.headline
            again = None if state.finished else max(1, round(options.follow))
            print(write_report(results, options.output, metric, options.split, state, again))
    return 0


def _watch(options: argparse.Namespace) -> int:
    """The sweep's screen again and again; a log, where the output is no terminal."""
    terminal = sys.stdout.isatty()
    colour = terminal and "NO_COLOR" not in os.environ
    for results, state in looks(options.directory, options.every):
        size = shutil.get_terminal_size((100, 40))
        shown = screen(results, state, options.metric, options.split, size, colour)
        print(f"{CLEAR if terminal else ''}{shown}", flush=True)
        if options.once:
            break
    return 0


def _loaded(options: argparse.Namespace) -> tuple[Results, str]:
    """The results that a command names, and the metric to look at."""
    results = load(options.results)
    return results, options.metric or results.headline


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleet-analysis", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "results", nargs="+", help="results files, directories of them, or glob patterns"
    )
    _metric(common)

    figures = commands.add_parser("figures", parents=[common], help="draw every figure of a sweep")
    _output(figures, Path("figures"), "DIR", "where to write them")
    figures.add_argument(
        "--format", nargs="+", default=["png"], choices=FORMATS, help="one or more (default: png)"
    )
    figures.set_defaults(run=_figures)
    _add_figure(commands, common)

    table = commands.add_parser("table", parents=[common], help="print final values per method")
    table.add_argument(
        "--by", nargs="+", metavar="KEY", help="settings to keep apart (default: all)"
    )
    what = table.add_mutually_exclusive_group()
    what.add_argument("--ranks", action="store_true", help="rank methods over settings and seeds")
    what.add_argument(
        "--kept",
        action="store_true",
        help="what robots have after the last merge, as a share of their own before it",
    )
    what.add_argument(
        "--against",
        nargs="?",
        const="",
        metavar="METHOD",
        help="paired differences from a method (default: the one that ranks best), with a test",
    )
    _layout(table)
    table.set_defaults(run=_table)

    both = commands.add_parser("compare", help="the same cells of two versions side by side")
    both.add_argument("first", help="results file, directory or pattern")
    both.add_argument("second", help="the same of the other version")
    _metric(both)
    both.add_argument("--level", type=_share, default=0.05, help="significance (default: 0.05)")
    both.add_argument("--all", action="store_true", help="list settings that are the same, too")
    both.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if the second is significantly worse, or fails where the first did not",
    )
    _layout(both)
    both.set_defaults(run=_compare)

    report = commands.add_parser(
        "report", parents=[common], help="write one self-contained HTML page about a sweep"
    )
    _output(report, Path("report.html"), "FILE", "the page")
    report.add_argument(
        "--follow",
        nargs="?",
        type=_seconds,
        const=30.0,
        metavar="SECONDS",
        help="of a running sweep's directory: write it anew every so often until all is done",
    )
    report.set_defaults(run=_report)

    _add_export(commands)

    claims = commands.add_parser("claims", help="write a page on whether claims hold in results")
    claims.add_argument("claims", type=Path, metavar="CLAIMS", help="TOML file of claims")
    claims.add_argument(
        "results", nargs="*", type=Path, help="results files, each named as the sweep of a claim"
    )
    _output(claims, Path("claims.md"), "FILE", "the page")
    claims.set_defaults(run=_claims)

    watch = commands.add_parser("watch", help="a running sweep's curves, in a terminal")
    watch.add_argument("directory", type=Path, help="the sweep's directory")
    _metric(watch)
    watch.add_argument(
        "--every", type=_seconds, default=5.0, metavar="SECONDS", help="default: %(default)s"
    )
    watch.add_argument("--once", action="store_true", help="look once, and leave")
    watch.set_defaults(run=_watch)

    return parser


def _add_figure(commands: Any, common: argparse.ArgumentParser) -> None:
    width = max(map(len, PAPER))
    known = [f"  {name:{width}}  {each.shows}; {each.needs}" for name, each in PAPER.items()]
    figure = commands.add_parser(
        "figure",
        help="draw a figure of the paper, by its number",
        epilog="figures, and what they need:\n" + "\n".join(known),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    figure.add_argument("name", choices=list(PAPER), metavar="NUMBER", help=", ".join(PAPER))
    figure.add_argument(
        "results", nargs="+", help="results files, directories of them, or glob patterns"
    )
    _metric(figure)
    _output(figure, Path("figures"), "DIR", "where to write it")
    figure.add_argument(
        "--format", nargs="+", default=["pdf", "png"], choices=FORMATS, help="(default: pdf png)"
    )
    figure.set_defaults(run=_figure)


def _add_export(commands: Any) -> None:
    exported = commands.add_parser("export", help="write results for other programs")
    exported.add_argument(
        "results", nargs="+", help="results files, directories of them, or glob patterns"
    )
    exported.add_argument(
        "--to", required=True, choices=list(FORMS), help="all tables as files, or a run a cell"
    )
    exported.add_argument(
        "-o", "--output", type=Path, metavar="DIR",
        help="a new or empty directory (default: exported-FORM)",
    )  # fmt: skip
    exported.set_defaults(run=_export)


def _output(parser: argparse.ArgumentParser, default: Path, what: str, words: str) -> None:
    parser.add_argument(
        "-o", "--output", type=Path, default=default, metavar=what,
        help=f"{words} (default: %(default)s)",
    )  # fmt: skip


def _metric(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metric", help="default: the workload's first")
    parser.add_argument("--split", default="test", help="default: %(default)s")


def _layout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", default="text", choices=LAYOUTS, help="default: %(default)s")


def _share(text: str) -> float:
    return _within(text, 1.0, "a share between 0 and 1")


def _seconds(text: str) -> float:
    return _within(text, float("inf"), "a positive number of seconds")


def _within(text: str, end: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < end:
        raise argparse.ArgumentTypeError(f"{text} is not {what}")
    return value


if __name__ == "__main__":
    sys.exit(main())
