"""What is derived from a module holds, and is all that there is, over a zoo of networks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import zoo  # noqa: E402
from torch import nn  # noqa: E402

from fleet import FleetError, Network  # noqa: E402
from fleet.__main__ import main  # noqa: E402
from fleet.symmetry import Symmetry, derive  # noqa: E402
from fleet.tracing import graph as graphs  # noqa: E402

torch.set_num_threads(1)
HAS_EXPORT = hasattr(torch, "export") and hasattr(torch.export, "export")
TRACERS = ("torch.export", "torch.fx") if HAS_EXPORT else ("torch.fx",)


def derive_by(tracer: str, module: nn.Module, inputs: tuple, monkeypatch, **options) -> Symmetry:
    if tracer == "torch.fx":

        def fails(*_: object, **__: object) -> None:
            raise FleetError("not today")

        monkeypatch.setattr(graphs, "_export", fails)
    found = derive(module, inputs, **options)
    assert found.tracer == tracer
    return found


@pytest.mark.parametrize("tracer", TRACERS)
@pytest.mark.parametrize("case", zoo.CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_random_element_changes_nothing_and_no_unit_is_missed(
    case: zoo.Case, tracer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(5)
    module = case.make()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    found = derive_by(tracer, module, case.inputs(), monkeypatch)
    assert found.error < 1e-5
    assert sum(group.parent is None for group in found.network.groups) == case.groups
    assert found.free_units == case.units
    assert module.training
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def moved(module: nn.Module, network: Network, seed: int) -> None:
    """Puts the module's units into another order."""
    state = module.state_dict()
    flat = np.concatenate([state[t.name].float().numpy().ravel() for t in network.tensors])
    views = network.views(network.apply(network.random(seed), flat))
    for name, view in views.items():
        state[name].copy_(torch.from_numpy(view.copy()))


@pytest.mark.parametrize("case", zoo.CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_many_elements_of_the_file_leave_the_outputs_unchanged(
    case: zoo.Case, tmp_path: Path
) -> None:
    """Judged here, not by the package, and from the file that the program reads."""
    torch.manual_seed(6)
    module, inputs = case.make().eval(), case.inputs()
    derive(module, inputs).network.write(tmp_path / "a.json")
    network = Network.read(tmp_path / "a.json")
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand_like(tensor))
        before = graphs.tensors_in(module(*inputs))
        for seed in range(3):
            moved(module, network, seed)
            for one, other in zip(before, graphs.tensors_in(module(*inputs)), strict=True):
                torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_units_of_odd_activations_may_be_negated_if_asked_for() -> None:
    found = derive(zoo.Mlp(), (torch.randn(3, 39),), sign_flips=True)
    assert [group.kind for group in found.network.groups] == ["permutation", "signed"]
    assert found.error < 1e-5
    plain = derive(zoo.Mlp(), (torch.randn(3, 39),))
    assert {group.kind for group in plain.network.groups} == {"permutation"}


@pytest.mark.parametrize("case", zoo.CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_negated_units_change_nothing_either(case: zoo.Case) -> None:
    torch.manual_seed(5)
    assert derive(case.make(), case.inputs(), sign_flips=True).error < 1e-5


def test_an_operation_that_is_not_known_is_named_with_its_place() -> None:
    found = derive(zoo.FourierTrunk(), (torch.randn(2, 5),))
    (warning,) = found.warnings
    assert "fft" in warning and "first.weight" in warning and "second" not in warning
    if HAS_EXPORT:
        assert "zoo.py:" in warning


class Filled(nn.Module):
    """Two trunks that write their features side by side into one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(6, 4)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = torch.zeros(x.shape[0], 12)
        features[:, :8] = torch.relu(self.first(x))
        features[:, 8:] = torch.relu(self.second(x))
        return self.head(features)


class Circular(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(6, 8, 3, padding=1, padding_mode="circular")
        self.head = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.first(x)).mean(-1))


@pytest.mark.parametrize(
    ("module", "shape", "units"), [(Filled, (3, 6), 12), (Circular, (3, 6, 9), 8)]
)
def test_what_is_written_into_a_part_of_a_tensor_moves_with_it(
    module: type[nn.Module],
    shape: tuple[int, ...],
    units: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = derive_by("torch.fx", module(), (torch.randn(*shape),), monkeypatch)
    assert found.error < 1e-5
    assert found.free_units == units


class Chooses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(6, 32), nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.first(x))).argmax(-1)


def test_choices_are_compared_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = (torch.randn(200, 6),)
    assert derive(Chooses(), inputs).free_units == 32
    monkeypatch.setattr(Network, "apply", lambda _, __, flat: np.roll(flat, 1))
    with pytest.raises(FleetError, match="does not hold"):
        derive(Chooses(), inputs)


def test_outputs_that_are_no_numbers_try_nothing() -> None:
    class Broken(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.log(-torch.relu(super().forward(x)) - 1)

    with pytest.raises(FleetError, match="no finite number"):
        derive(Broken(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), (torch.randn(2, 3),))


def test_weights_that_nothing_depends_on_are_left_alone() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    module.add_module("spare", nn.Identity())
    module.spare.weight = nn.Parameter(torch.randn(9, 9))
    found = derive(module, (torch.randn(2, 3),))
    assert {action.tensor for action in found.network.actions} == {"0.weight", "0.bias", "2.weight"}
    assert "spare.weight" in {tensor.name for tensor in found.network.tensors}


def test_tied_weights_have_one_name_and_an_alias() -> None:
    found = derive(zoo.Gpt(), (torch.zeros(1, 8, dtype=torch.int64),))
    assert found.network.aliases == {"lm_head.weight": "wte.weight"}
    assert "lm_head.weight" not in {tensor.name for tensor in found.network.tensors}


POLICY = """
import torch
from torch import nn
def make():
    return nn.Sequential(nn.Linear(39, 8), nn.ReLU(), nn.Linear(8, 4))
def with_inputs():
    return make(), (torch.zeros(1, 39),)
def broken():
    raise RuntimeError("no checkpoint here")
class Bad(nn.Module):
    def forward(self, x):
        return x @ torch.ones(3, 3)
"""


@pytest.fixture()
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policy.py").write_text(POLICY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    sys.modules.pop("policy", None)
    return tmp_path


def test_the_command_writes_the_file(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["symmetry", "policy:make", "--input", "1,39", "-o", "a.symmetry.json"]) == 0
    assert "8 units that can be exchanged: a.symmetry.json" in capsys.readouterr().out
    network = Network.read(policy / "a.symmetry.json")
    assert [(group.name, group.size) for group in network.groups] == [("0", 8)]
    assert main(["symmetry", "policy.py:with_inputs", "-o", "b.symmetry.json"]) == 0
    assert Network.read(policy / "b.symmetry.json") == network


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["policy:broken", "--input", "1,39"], "policy.py:9: RuntimeError: no checkpoint here"),
        (["policy:Bad", "--input", "1,39"], "policy.py:12: RuntimeError:"),
        (["policy:make"], "--input 1,39"),
        (["policy:make", "--input", "1,x"], "expected a shape"),
        (["policy:make", "--input", "1,0"], "extents of 1 or more"),
        (["policy:make", "--input", "1,3:strings"], "a dtype of torch"),
        (["policy:gone", "--input", "1,39"], "has no attribute 'gone'"),
        (["gone:make", "--input", "1,39"], "No module named 'gone'"),
        (["gone.py:make", "--input", "1,39"], "no such file"),
        (["policy:POLICY", "--input", "1,39"], "has no attribute"),
        (["policy:torch", "--input", "1,39"], "got a module"),
        (["policy", "--input", "1,39"], "expected FILE_OR_MODULE:NAME"),
    ],
)
def test_what_is_wrong_is_said(
    policy: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert main(["symmetry", *arguments, "-o", "a.json"]) == 2
    assert complaint in capsys.readouterr().err
    assert not (policy / "a.json").exists()


def test_without_torch_it_says_so(tmp_path: Path) -> None:
    hide = (
        "import sys; sys.modules['torch'] = None; from fleet.__main__ import main; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", hide, "symmetry", "policy:make", "--input", "1,3", "-o", "a.json"],
        cwd=tmp_path, env={"PYTHONPATH": str(Path(__file__).parents[1] / "src")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "PyTorch is needed" in done.stderr
