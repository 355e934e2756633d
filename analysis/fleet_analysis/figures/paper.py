"""The figures of the paper by their names: what each shows, and which sweeps feed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure

from fleet_analysis.figures import (
    fig03ab_interpolation,
    fig03c_finetuning,
    fig03d_one_shot,
    fig04_iterative,
    fig08_norms,
    fig10_tasks,
    fig11_online,
    fig12_ablations,
    fig13_linear,
)
from fleet_analysis.figures.look import our_look
from fleet_analysis.files import ResultsError, Source
from fleet_analysis.load import Results, load

Draw = Callable[[Results, str, str], dict[str, Figure]]


@dataclass(frozen=True)
class PaperFigure:
    """`shows` and `needs` are for the reader; `draw` gives figures by the name of their file."""

    shows: str
    needs: str
    draw: Draw


def _measured(draw: Callable[[Results, str], dict[str, Figure]], instrument: str) -> Draw:
    """Of an instrument's figures, with what to do where it was not switched on."""

    def of(results: Results, metric: str, split: str) -> dict[str, Figure]:
        del split
        figures = draw(results, metric)
        if not figures:
            raise ResultsError(
                f"{results.name}: nothing measured; run with instruments.{instrument}"
            )
        return figures

    return of


_BARRIERS = PaperFigure(
    "metrics between two robots' weights, and the barriers of all pairs",
    "instruments.interpolation = true, as in configs/barriers.toml",
    _measured(fig03ab_interpolation.draw, "interpolation = true"),
)
_OFTEN = "merge.every_epochs swept, as in configs/merge_frequency.toml"

PAPER: dict[str, PaperFigure] = {
    "3a": _BARRIERS,
    "3b": _BARRIERS,
    "3c": PaperFigure(
        "finetuning from merged starts",
        "instruments.finetune_steps, as in configs/finetune.toml",
        _measured(fig03c_finetuning.draw, "finetune_steps"),
    ),
    "3d": PaperFigure(
        "merging once against Dirichlet's alpha",
        "fleet.alpha swept, as in configs/one_shot_alpha.toml",
        fig03d_one_shot.draw,
    ),
    "4": PaperFigure(
        "iterative merging: all panels that were swept",
        "as in configs/merge_frequency.toml",
        fig04_iterative.draw,
    ),
    "4a": PaperFigure(
        "against the merge frequency", _OFTEN, partial(fig04_iterative.draw, letter="a")
    ),
    "4b": PaperFigure(
        "against Dirichlet's alpha",
        "fleet.alpha swept, merging more than once",
        partial(fig04_iterative.draw, letter="b"),
    ),
    "4c": PaperFigure(
        "against participation",
        "merge.participation swept, merging more than once",
        partial(fig04_iterative.draw, letter="c"),
    ),
    "4d": PaperFigure(
        "as 4a, of another workload", _OFTEN, partial(fig04_iterative.draw, letter="d")
    ),
    "8": PaperFigure(
        "variation of weight norms between robots",
        "instruments.norms = true, as in configs/barriers.toml",
        _measured(fig08_norms.draw, "norms = true"),
    ),
    "9": PaperFigure(
        "as 3a, architecture by architecture",
        "instruments.interpolation = true and model.kind swept, as in "
        "configs/metaworld_connectivity.toml",
        _measured(fig03ab_interpolation.draw, "interpolation = true"),
    ),
    "10": PaperFigure(
        "joint, task-specific and merged policies, task by task",
        'workload = "metaworld" or "tools"; task-specific ones are those of the method "local"',
        fig10_tasks.draw,
    ),
    "11": PaperFigure(
        "robots that learn online, merged and by themselves",
        'evaluate.local = "every", as in configs/control_online.toml',
        fig11_online.draw,
    ),
    "12": PaperFigure(
        "merging once, method by method and option by option",
        "options of a method swept, for instance merge.fleet-merge.point",
        fig12_ablations.draw,
    ),
    "13": PaperFigure(
        "linear policies beside the optimum, a panel per file and value of its first axis",
        "configs/lqr_multi_task.toml and the lqg_ ones",
        lambda results, metric, split: fig13_linear.draw([results]),
    ),
}


def paper_figures(
    name: str, sources: Sequence[Source], metric: str | None, split: str
) -> dict[str, Figure]:
    """A figure of the paper by its number; several where it is of several metrics. The sources are
    joined, but for 13, which has a panel of each. Raises ResultsError."""
    with our_look():
        if name == "13":
            return fig13_linear.draw([load(source) for source in sources])
        results = load(sources)
        return PAPER[name].draw(results, metric or results.headline, split)
