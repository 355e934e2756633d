"""Laws of the description of a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleet import Action, AffineMap, FleetError, Group, Network, Tensor
from fleet.__main__ import main


def mlp(inputs: int = 5, hidden: int = 7, outputs: int = 3, kind: str = "permutation") -> Network:
    return Network(
        tensors=(
            Tensor("first.weight", (hidden, inputs)),
            Tensor("first.bias", (hidden,)),
            Tensor("last.weight", (outputs, hidden)),
            Tensor("last.bias", (outputs,)),
        ),
        groups=(Group("hidden", hidden, kind),),
        actions=(
            Action("first.weight", 0, "hidden"),
            Action("first.bias", 0, "hidden"),
            Action("last.weight", 1, "hidden", dual=True),
        ),
        maps=(
            AffineMap("first", ("first.weight",), "first.bias", sees_data=True),
            AffineMap("last", ("last.weight",), "last.bias"),
        ),
    )


def outputs_of(network: Network, weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    tensors = network.views(weights)
    hidden = np.tanh(inputs @ tensors["first.weight"].T + tensors["first.bias"])
    return hidden @ tensors["last.weight"].T + tensors["last.bias"]


@pytest.mark.parametrize("kind", ["permutation", "signed"])
def test_a_random_element_leaves_the_function_unchanged(kind: str) -> None:
    network = mlp(kind=kind)
    stream = np.random.default_rng(1)
    weights = stream.normal(size=network.size).astype(np.float32)
    inputs = stream.normal(size=(11, 5)).astype(np.float32)
    moved = network.apply(network.random(3), weights)
    assert not np.array_equal(moved, weights)
    np.testing.assert_allclose(
        outputs_of(network, moved, inputs), outputs_of(network, weights, inputs), atol=1e-5
    )


def test_a_file_holds_the_whole_description(tmp_path: Path) -> None:
    network = mlp()
    network.write(tmp_path / "policy.symmetry.json")
    assert Network.read(tmp_path / "policy.symmetry.json") == network


def test_gates_and_positions_move_with_their_unit() -> None:
    network = Network(
        (Tensor("gates", (8, 1)), Tensor("flat", (1, 6))),
        (Group("state", 2),),
        (Action("gates", 0, "state", outer=4), Action("flat", 1, "state", inner=3)),
    )
    flat = np.arange(14, dtype=np.float32)
    moved = network.views(network.apply({"state": np.array([1, 0])}, flat))
    assert moved["gates"].ravel().tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    assert moved["flat"].ravel().tolist() == [11, 12, 13, 8, 9, 10]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"tensors": (Tensor("a", (2,)), Tensor("a", (2,)))}, "two tensors are called 'a'"),
        ({"tensors": (Tensor("a", (0,)),)}, "has the shape"),
        ({"groups": (Group("g", 2, "rotation"),)}, "kind 'rotation'"),
        ({"groups": (Group("g", 2, parent="h"),)}, "'h', which is not there"),
        ({"groups": (Group("h", 2), Group("g", 2, parent="h"))}, "before its parent"),
        ({"actions": (Action("b", 0, "g"),)}, "'b', which is not there"),
        ({"groups": (Group("g", 3),), "actions": (Action("a", 0, "g"),)}, "has 2"),
        ({"groups": (Group("g", 2),), "actions": (Action("a", 1, "g"),)}, "no axis 1"),
        ({"maps": (AffineMap("m", ("c",)),)}, "'c', which is not there"),
    ],
)
def test_what_does_not_go_together_is_named(change: dict, complaint: str) -> None:
    parts = {"tensors": (Tensor("a", (2,)),), **change}
    with pytest.raises(FleetError, match=complaint):
        Network(**parts)


def test_the_command_line_names_a_file_that_is_no_description(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "broken.symmetry.json"
    file.write_text('{"format": "another"}')
    assert main(["describe", str(file)]) == 2
    assert "broken.symmetry.json" in capsys.readouterr().err
    mlp().write(file)
    assert main(["describe", str(file)]) == 0
    assert "group hidden: 7 units" in capsys.readouterr().out
