"""`python -m fleet COMMAND`: one visible table of commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleet import __version__, cifar, leaf, safetensors, symmetry
from fleet.errors import FleetError
from fleet.spec import Network


@dataclass(frozen=True)
class Command:
    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def _describe_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a description of a network, NAME.symmetry.json")


def _describe(arguments: argparse.Namespace) -> int:
    network = Network.read(arguments.file)
    print(f"{len(network.tensors)} tensors, {network.size} weights, {len(network.maps)} maps")
    for group in network.groups:
        print(f"group {group.name}: {group.size} units, {group.kind}")
    return 0


COMMANDS = (
    Command(
        "symmetry",
        "derive what leaves a PyTorch module's function unchanged, for `fleet merge --symmetry`",
        symmetry.add_arguments,
        symmetry.run,
    ),
    Command(
        "convert",
        "a file of torch.save() as a safetensors file",
        safetensors.add_arguments,
        safetensors.run,
    ),
    Command("describe", "print what a .symmetry.json says", _describe_arguments, _describe),
    Command("cifar", "convert CIFAR's pickles for fleet", cifar.add_arguments, cifar.run),
    Command("leaf", "convert LEAF's and FedML's JSON for fleet", leaf.add_arguments, leaf.run),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 2 where the user's input is wrong."""
    parser = argparse.ArgumentParser(prog="python -m fleet", description=__doc__)
    parser.add_argument("--version", action="version", version=f"fleet {__version__}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except (FleetError, OSError) as error:
        print(f"fleet: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
