"""What `fleet` must know of a network: its tensors, what leaves its function unchanged, its layers.

The same facts have one form as JSON, which crosses to the program `fleet` (docs/protocol.md) and
lies in files that end in .symmetry.json.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleet.errors import FleetError

FORMAT = "fleet-symmetry"
VERSION = 1
#: What may be done to units without changing the function; each kind contains those before it:
#: another order; negation as well; any invertible change of basis.
KINDS = ("permutation", "signed", "general-linear")

Weights = NDArray[np.float32]
#: Per group, `perm[new position] = old position`; where a unit is negated as well, `~old`.
Element = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Tensor:
    """A named tensor of a network, of single precision and row-major."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Group:
    """Units that may be exchanged without changing the function.

    Where units are blocks with a symmetry of their own (the dimensions of an attention head), block
    `block` of group `parent` has groups that name it. They stand before their parent and act first.
    """

    name: str
    size: int
    kind: str = "permutation"
    parent: str | None = None
    block: int = 0


@dataclass(frozen=True)
class Action:
    """Group `group` indexes axis `axis` of `tensor` from `offset` on.

    It does so along outer x size x inner places: outer = 4 for the stacked gates of an LSTM,
    inner = H W for a convolution flattened into a linear layer. `dual`: by the inverse transposed,
    for axes that read the units; of a permutation that is the permutation itself.
    """

    tensor: str
    axis: int
    group: str
    outer: int = 1
    inner: int = 1
    offset: int = 0
    dual: bool = False


@dataclass(frozen=True)
class BatchNorm:
    """The tensors of a batch normalisation that follows an affine map."""

    scale: str
    shift: str
    mean: str
    variance: str


@dataclass(frozen=True)
class AffineMap:
    """A layer as one matrix: y = [W_1 W_2 ... b] [x_1; x_2; ...; 1].

    Of each tensor in `weights` the first axis counts outputs, the others inputs.
    """

    name: str
    weights: tuple[str, ...]
    bias: str | None = None
    norm: BatchNorm | None = None
    sees_data: bool = False  # its inputs do not depend on the network's weights
    recurrent: bool = False  # its inputs depend on its own outputs


@dataclass(frozen=True)
class Network:
    """Tensors in the order in which they lie in one flat vector, and what is known of them.

    `maps`, in the order in which data pass them, may be empty: then methods that work layer by
    layer are refused. `aliases` are second names, under which checkpoints hold tied weights again.
    """

    tensors: tuple[Tensor, ...]
    groups: tuple[Group, ...] = ()
    actions: tuple[Action, ...] = ()
    maps: tuple[AffineMap, ...] = field(default=())
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def size(self) -> int:
        """Floats in all."""
        return sum(tensor.size for tensor in self.tensors)

    def views(self, flat: Weights) -> dict[str, Weights]:
        """The tensors within a flat vector of `size` floats, without a copy."""
        if flat.shape != (self.size,):
            raise FleetError(
                f"the network has {self.size} weights; got an array of shape {flat.shape}"
            )
        views: dict[str, Weights] = {}
        offset = 0
        for tensor in self.tensors:
            views[tensor.name] = flat[offset : offset + tensor.size].reshape(tensor.shape)
            offset += tensor.size
        return views

    def to_json(self) -> dict[str, Any]:
        """As JSON has it; what equals its default is left out."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "tensors": [{"name": t.name, "shape": list(t.shape)} for t in self.tensors],
            "groups": [_plain(group, Group) for group in self.groups],
            "actions": [_plain(action, Action) for action in self.actions],
        }
        if self.maps:
            document["maps"] = [_plain_map(each) for each in self.maps]
        if self.aliases:
            document["aliases"] = dict(self.aliases)
        return document

    def write(self, path: str | Path) -> None:
        Path(path).write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Network:
        if document.get("format") != FORMAT:
            raise FleetError(f'expected "format": "{FORMAT}", got {document.get("format")!r}')
        if document.get("version") != VERSION:
            raise FleetError(
                f"this package reads version {VERSION}, got {document.get('version')!r}"
            )
        try:
            return cls(
                tuple(Tensor(t["name"], tuple(t["shape"])) for t in document["tensors"]),
                tuple(Group(**group) for group in document.get("groups", ())),
                tuple(Action(**action) for action in document.get("actions", ())),
                tuple(_map_from(each) for each in document.get("maps", ())),
                dict(document.get("aliases", {})),
            )
        except (KeyError, TypeError) as error:
            raise FleetError(f"no description of a network: {error}") from error

    @classmethod
    def read(cls, path: str | Path) -> Network:
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except (json.JSONDecodeError, FleetError) as error:
            raise FleetError(f"{path}: {error}") from error

    def apply(self, element: Element, weights: Weights) -> Weights:
        """The weights of the permuted network, which computes the same function."""
        moved = weights.copy()
        views = self.views(moved)
        groups = {group.name: group for group in self.groups}
        for name in (group.name for group in self.groups):
            permutation = np.asarray(element[name], dtype=np.int64)
            places = np.where(permutation < 0, ~permutation, permutation)
            signs = np.where(permutation < 0, -1, 1).astype(np.float32)
            for action in self.actions:
                if action.group == name:
                    _move(views[action.tensor], action, groups[name].size, places, signs)
        return moved

    def random(self, seed: int) -> dict[str, NDArray[np.int64]]:
        """A random element: an order of each group's units, and signs where they may be negated."""
        stream = np.random.default_rng(seed)
        element = {}
        for group in self.groups:
            order = stream.permutation(group.size)
            if group.kind != "permutation":
                order = np.where(stream.random(group.size) < 0.5, ~order, order)
            element[group.name] = order
        return element


def _move(view: Weights, action: Action, size: int, places: NDArray[Any], signs: Weights) -> None:
    length = action.outer * size * action.inner
    axis_first = np.moveaxis(view, action.axis, 0)
    part = axis_first[action.offset : action.offset + length]
    rest = part.shape[1:]
    blocks = part.reshape(action.outer, size, action.inner, *rest)[:, places]
    sign = signs.reshape(1, size, *([1] * (1 + len(rest))))
    axis_first[action.offset : action.offset + length] = (blocks * sign).reshape(part.shape)


def _plain(item: Group | Action, kind: type[Group] | type[Action]) -> dict[str, Any]:
    defaults = {name: f.default for name, f in kind.__dataclass_fields__.items()}
    return {name: value for name, value in vars(item).items() if value != defaults[name]}


def _plain_map(item: AffineMap) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": item.name, "weights": list(item.weights)}
    if item.bias is not None:
        plain["bias"] = item.bias
    if item.norm is not None:
        plain["norm"] = dict(vars(item.norm))
    if item.sees_data:
        plain["sees_data"] = True
    if item.recurrent:
        plain["recurrent"] = True
    return plain


def _map_from(plain: Mapping[str, Any]) -> AffineMap:
    fields = dict(plain)
    fields["weights"] = tuple(fields["weights"])
    if fields.get("norm") is not None:
        fields["norm"] = BatchNorm(**fields["norm"])
    return AffineMap(**fields)


def _names(items: Iterable[Any], what: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for item in items:
        if item.name in names:
            raise FleetError(f"two {what} are called {item.name!r}")
        names[item.name] = item
    return names


def _check(network: Network) -> None:
    tensors = _names(network.tensors, "tensors")
    groups = _names(network.groups, "groups")
    for tensor in network.tensors:
        if any(extent < 1 for extent in tensor.shape):
            raise FleetError(f"tensor {tensor.name!r} has the shape {list(tensor.shape)}")
    _check_groups(network.groups, groups)
    for action in network.actions:
        _check_action(action, tensors, groups)
    for alias, name in network.aliases.items():
        if name not in tensors or alias in tensors:
            raise FleetError(f"{alias!r} cannot be another name of {name!r}")
    for each in network.maps:
        norm = () if each.norm is None else tuple(vars(each.norm).values())
        bias = () if each.bias is None else (each.bias,)
        for name in (*each.weights, *bias, *norm):
            if name not in tensors:
                raise FleetError(f"map {each.name!r} names tensor {name!r}, which is not there")


def _check_groups(ordered: Sequence[Group], groups: Mapping[str, Group]) -> None:
    seen: set[str] = set()
    for group in ordered:
        if group.kind not in KINDS:
            raise FleetError(f"group {group.name!r} is of kind {group.kind!r}; kinds are {KINDS}")
        if group.size < 1:
            raise FleetError(f"group {group.name!r} has {group.size} units")
        if group.parent is not None:
            parent = groups.get(group.parent)
            if parent is None:
                raise FleetError(
                    f"group {group.name!r} lies in {group.parent!r}, which is not there"
                )
            if group.parent in seen:
                raise FleetError(f"group {group.name!r} must stand before its parent")
            if not 0 <= group.block < parent.size:
                raise FleetError(
                    f"group {group.name!r}: {parent.name!r} has no block {group.block}"
                )
        seen.add(group.name)


def _check_action(
    action: Action, tensors: Mapping[str, Tensor], groups: Mapping[str, Group]
) -> None:
    tensor = tensors.get(action.tensor)
    group = groups.get(action.group)
    if tensor is None:
        raise FleetError(f"an action names tensor {action.tensor!r}, which is not there")
    if group is None:
        raise FleetError(f"an action on {action.tensor!r} names group {action.group!r}: not there")
    if not 0 <= action.axis < len(tensor.shape):
        raise FleetError(
            f"{action.tensor!r} of shape {list(tensor.shape)} has no axis {action.axis}"
        )
    extent = tensor.shape[action.axis]
    end = action.offset + action.outer * group.size * action.inner
    if min(action.outer, action.inner) < 1 or action.offset < 0 or end > extent:
        raise FleetError(
            f"group {group.name!r} of {group.size} units takes {action.outer} x {group.size} x "
            f"{action.inner} places from {action.offset} on; axis {action.axis} of "
            f"{tensor.name!r} has {extent}"
        )
