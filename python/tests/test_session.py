"""Laws of merging modules that a process holds."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import fleet  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (Path(os.environ.get("FLEET_BINARY", "")).is_file() or shutil.which("fleet")),
    reason="the program fleet is not there; FLEET_BINARY names it",
)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3)
    )


def permuted(module: nn.Module, seed: int) -> nn.Module:
    """Another module that computes the same."""
    other = copy.deepcopy(module)
    stream = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for before, after in ((0, 2), (2, 4)):
            order = torch.randperm(24, generator=stream)
            other[before].weight[:] = other[before].weight[order]
            other[before].bias[:] = other[before].bias[order]
            other[after].weight[:] = other[after].weight[:, order]
    return other


def points(seed: int, n: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    stream = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=stream)
    return 2 * torch.eye(4)[labels] + torch.randn(n, 4, generator=stream), labels


def trained(seed: int) -> nn.Module:
    module = network(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    inputs, labels = points(seed)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(inputs), labels).backward()
        optimizer.step()
    return module


def loss_of(module: nn.Module) -> float:
    inputs, labels = points(99)
    with torch.no_grad():
        return float(nn.functional.cross_entropy(module(inputs), labels))


EXAMPLE = torch.zeros(1, 4)


def test_a_module_merged_with_its_permuted_copies_is_itself() -> None:
    module = network(1)
    copies = [module, permuted(module, 2), permuted(module, 3)]
    merged, report = fleet.merge(copies, EXAMPLE)
    inputs = points(5)[0]
    torch.testing.assert_close(merged(inputs), module(inputs), atol=1e-5, rtol=1e-5)
    assert len(report.elements) == 3
    average, _ = fleet.merge(copies, EXAMPLE, method="average")
    assert (average(inputs) - module(inputs)).abs().max() > 0.01


def test_aligned_modules_compute_what_they_did() -> None:
    modules = [network(1), network(2)]
    aligned, _ = fleet.align(modules, EXAMPLE)
    inputs = points(5)[0]
    for before, after in zip(modules, aligned, strict=True):
        torch.testing.assert_close(after(inputs), before(inputs), atol=1e-5, rtol=1e-5)
    assert any(
        not torch.equal(before[0].weight, after[0].weight)
        for before, after in zip(modules, aligned, strict=True)
    )


def test_there_is_no_barrier_between_a_module_and_its_permuted_self() -> None:
    module = trained(1)
    found = fleet.barrier(
        module, permuted(module, 4), EXAMPLE, points(7), nn.CrossEntropyLoss(), points=5
    )
    assert found.heights["git-rebasin"]["loss"] == pytest.approx(0.0, abs=1e-5)
    assert found.heights["none"]["loss"] > 0.01
    curve = found.curves["none"]["loss"]
    assert len(curve) == len(found.at) == 5
    assert curve[0] == pytest.approx(curve[-1], rel=1e-4)


@pytest.mark.parametrize(
    "method", ["fleet-merge", "sinkhorn-data", "fisher", "regmean", "regression"]
)
def test_methods_that_ask_for_data_get_it(method: str) -> None:
    modules = [trained(seed) for seed in (1, 2, 3)]
    options = {
        "fleet-merge": {"epochs": 2, "steps": 5},
        "sinkhorn-data": {"steps": 5},
        "fisher": {"samples": 50},
    }.get(method, {})
    merged, report = fleet.merge(
        modules,
        EXAMPLE,
        method=method,
        data=[points(seed) for seed in (1, 2, 3)],
        loss=nn.CrossEntropyLoss(),
        **options,
    )
    assert np.isfinite(loss_of(merged))
    assert report.method == method
    if method == "regression":
        average, _ = fleet.merge(modules, EXAMPLE, method="average")
        assert loss_of(merged) < loss_of(average)


def test_a_loader_is_data() -> None:
    modules = [trained(1), trained(2)]
    sets = [torch.utils.data.TensorDataset(*points(seed)) for seed in (1, 2)]
    loaders = [torch.utils.data.DataLoader(each, batch_size=50) for each in sets]
    whole = {"method": "regmean", "loss": nn.CrossEntropyLoss()}
    merged, _ = fleet.merge(modules, EXAMPLE, data=loaders, **whole)
    same, _ = fleet.merge(modules, EXAMPLE, data=[points(1), points(2)], **whole)
    for a, b in zip(merged.parameters(), same.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"method": "fleet-merge"}, "needs data and a loss"),
        ({"method": "magic"}, "no merging method is called magic"),
        ({"method": "local"}, "merges nothing"),
        ({"method": "git-rebasin", "wieghted": True}, "did you mean merge.git-rebasin.weighted"),
        ({"data": [points(1)]}, "2 modules, and data for 1"),
        ({"data": [points(1), points(2)]}, "give loss="),
    ],
)
def test_what_is_wrong_is_named(arguments: dict, complaint: str) -> None:
    with pytest.raises(fleet.FleetError, match=complaint):
        fleet.merge([network(1), network(2)], EXAMPLE, **arguments)


def test_modules_of_different_shapes_are_named() -> None:
    other = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    with pytest.raises(fleet.FleetError, match=r"'0.weight' is \(24, 4\) in module 0 and \(8, 4\)"):
        fleet.merge([network(1), other], EXAMPLE)


def test_an_error_in_a_loss_is_told_with_its_place() -> None:
    def loss(module: nn.Module, batch: tuple) -> torch.Tensor:
        raise KeyError("no such label")

    with pytest.raises(fleet.FleetError, match="no such label") as caught:
        fleet.merge(
            [network(1), network(2)],
            EXAMPLE,
            method="fisher",
            data=[points(1), points(2)],
            loss=loss,
        )
    assert isinstance(caught.value.__cause__, KeyError)
