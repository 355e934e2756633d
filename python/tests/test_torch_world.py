"""Laws of fleets of PyTorch modules."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import fleet  # noqa: E402
from fleet.affine import affine_maps, map_matrix  # noqa: E402
from fleet.layout import bind  # noqa: E402
from fleet.torch_world import TorchFleet  # noqa: E402
from fleet.world import Robot, Training  # noqa: E402


class Blobs(TorchFleet):
    """Points of three classes; robot i sees them from its own place."""

    settings = {"learning_rate": 0.01, "dropout": 0.0}
    criterion = nn.CrossEntropyLoss()
    batch_size = 16

    def module(self) -> nn.Module:
        return nn.Sequential(
            nn.Linear(4, 8), nn.Tanh(), nn.Dropout(self.cell.settings["dropout"]), nn.Linear(8, 3)
        )

    def points(self, seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        stream = torch.Generator().manual_seed(seed)
        labels = torch.randint(3, (n,), generator=stream)
        centres = torch.eye(4)[labels] * 2
        return centres + torch.randn(n, 4, generator=stream), labels

    def data(self, robot: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.points(robot, 40 + robot)

    def held_out(self, robot: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.points(100 + robot, 10)

    def test_data(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.points(200, 55)


class Regressing(Blobs):
    criterion = nn.MSELoss()

    def points(self, seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, labels = super().points(seed, n)
        return inputs, torch.eye(3)[labels]


def make(kind: type[TorchFleet] = Blobs, robots: int = 3, **settings: float) -> TorchFleet:
    return kind(fleet.Cell({**kind.settings, **settings}, robots=robots, seed=7))


def trained(world: TorchFleet, index: int, *goes: int) -> tuple[Robot, np.ndarray]:
    robot = Robot(index, "own", total_steps=sum(goes))
    weights = np.zeros(world.network().size, np.float32)
    world.initialize(robot, weights)
    for steps in goes:
        world.train(robot, Training(weights, [], steps, fresh=robot.steps == 0))
        robot.steps += steps
    return robot, weights


def random_weights(world: TorchFleet, seed: int = 1) -> np.ndarray:
    stream = np.random.default_rng(seed)
    return stream.normal(size=world.network().size, scale=0.5).astype(np.float32)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_what_a_robot_learns_does_not_depend_on_who_trains_beside_it(dropout: float) -> None:
    alone = trained(make(dropout=dropout), 2, 9)[1]
    together = make(dropout=dropout)
    trained(together, 0, 5)
    trained(together, 1, 3)
    assert np.array_equal(trained(together, 2, 9)[1], alone)


def test_training_in_two_goes_is_training_in_one() -> None:
    assert np.array_equal(
        trained(make(dropout=0.3), 1, 4, 5)[1], trained(make(dropout=0.3), 1, 9)[1]
    )


def test_a_robot_goes_on_from_its_state() -> None:
    whole = trained(make(), 1, 9)[1]
    world = make()
    robot, weights = trained(world, 1, 4)
    state = world.save(robot)
    other = make()
    again = Robot(1, "own", steps=4, total_steps=9)
    other.load(again, state)
    other.train(again, Training(weights, [], 5, fresh=False))
    assert np.array_equal(weights, whole)


def test_carried_moments_are_what_the_optimiser_remembers() -> None:
    world = make()
    assert world.moments() == ["linear", "square"]
    robot = Robot(0, "own")
    weights = np.zeros(world.network().size, np.float32)
    world.initialize(robot, weights)
    moments = [np.zeros_like(weights), np.zeros_like(weights)]
    world.train(robot, Training(weights, moments, 3, fresh=True))
    assert np.abs(moments[0]).max() > 0
    assert (moments[1] >= 0).all()
    robot.steps = 3
    before = [moment.copy() for moment in moments]
    moments[0] *= -1  # as a merge might
    world.train(robot, Training(weights, moments, 1, fresh=False, moment_steps=3))
    assert np.abs(moments[0] + 0.9 * before[0]).max() < np.abs(before[0]).max()


def test_moments_survive_a_way_through_memory() -> None:
    once, twice = make(), make()
    weights = np.zeros(once.network().size, np.float32)
    carried = weights.copy()
    moments = [np.zeros_like(weights), np.zeros_like(weights)]
    robot, other = Robot(0, "own"), Robot(0, "own")
    once.initialize(robot, weights)
    twice.initialize(other, carried)
    for step in range(4):
        once.train(robot, Training(weights, [], 1, fresh=step == 0))
        twice.train(other, Training(carried, moments, 1, fresh=step == 0, moment_steps=step))
        robot.steps += 1
        other.steps += 1
    assert np.array_equal(weights, carried)


def test_a_robot_that_never_trained_goes_on_with_anothers_moments_as_the_other_would() -> None:
    trained, new = make(), make()
    weights = np.zeros(trained.network().size, np.float32)
    robot = Robot(0, "own")
    trained.initialize(robot, weights)
    moments = [np.zeros_like(weights), np.zeros_like(weights)]
    trained.train(robot, Training(weights, moments, 4, fresh=True))
    robot.steps = 4
    handed, handed_moments = weights.copy(), [moment.copy() for moment in moments]
    trained.train(robot, Training(weights, moments, 3, fresh=False, moment_steps=4))
    new.train(robot, Training(handed, handed_moments, 3, fresh=False, moment_steps=4))
    assert np.array_equal(weights, handed)


@pytest.mark.parametrize("kind", [Blobs, Regressing])
def test_the_gradient_is_the_slope_of_the_loss(kind: type[TorchFleet]) -> None:
    world = make(kind)
    robot = Robot(1, "own")
    at = random_weights(world)
    gradient = np.zeros_like(at)
    loss = world.loss_gradient(robot, at, 32, 12, gradient)
    assert loss == world.loss_gradient(robot, at, 32, 12, np.zeros_like(at))
    assert loss != world.loss_gradient(robot, at, 32, 13, np.zeros_like(at))
    for place in (0, 17, 33, 50, len(at) - 1):
        shifted = at.copy()
        shifted[place] += 1e-2
        above = world.loss_gradient(robot, shifted, 32, 12, np.zeros_like(at))
        shifted[place] -= 2e-2
        below = world.loss_gradient(robot, shifted, 32, 12, np.zeros_like(at))
        assert (above - below) / 2e-2 == pytest.approx(gradient[place], abs=2e-3)


@pytest.mark.parametrize("index", [0, 1])
def test_second_moments_belong_to_what_enters_and_leaves_a_layer(index: int) -> None:
    world = make()
    robot = Robot(0, "own")
    features, outputs = random_weights(world, 1), random_weights(world, 2)
    network = world.network()
    size = (5, 9)[index], (8, 3)[index]
    inputs, targets = np.zeros((size[0], size[0])), np.zeros((size[1], size[0]))
    samples = world.map_moments(robot, features, outputs, index, inputs, targets)
    assert samples == 40
    x = world.data(0)[0].double().numpy()
    one = np.ones((40, 1))

    def entering(weights: np.ndarray) -> np.ndarray:
        rows = np.hstack([x, one])
        if index == 0:
            return rows
        hidden = np.tanh(rows @ map_matrix(network, 0, network.views(weights)).T)
        return np.hstack([hidden, one])

    mine, theirs = entering(features), entering(outputs)
    matrix = map_matrix(network, index, network.views(outputs))
    np.testing.assert_allclose(inputs, mine.T @ mine, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(targets, (theirs @ matrix.T).T @ mine, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", [Blobs, Regressing])
def test_the_last_layer_has_the_gradient_of_the_whole_loss(kind: type[TorchFleet]) -> None:
    world = make(kind)
    body = random_weights(world)
    head = world.head_data(Robot(0, "own"), body)
    network = world.network()
    last = map_matrix(network, 1, network.views(body))
    gradient = np.zeros_like(last)
    head.gradient(last, gradient)
    probe = world.module()
    with bind(probe, network, body, torch.device("cpu")):
        inputs, targets = world.data(0)
        (world.criterion(probe(inputs), targets) * len(inputs)).backward()
        wanted = torch.cat([probe[3].weight.grad, probe[3].bias.grad[:, None]], 1).numpy()
    np.testing.assert_allclose(gradient, wanted, atol=1e-3)


def test_a_change_of_basis_leaves_the_last_layers_loss_alone() -> None:
    world = make()
    body = random_weights(world)
    lower = np.tril(np.random.default_rng(3).normal(size=(9, 9))) + 3 * np.eye(9)
    network = world.network()
    last = map_matrix(network, 1, network.views(body))
    plain, changed = (world.head_data(Robot(0, "own"), body) for _ in range(2))
    changed.change_basis(lower)
    before, after = np.zeros_like(last), np.zeros_like(last)
    plain.gradient(last, before)
    changed.gradient((last @ lower).astype(np.float32), after)
    np.testing.assert_allclose(after, np.linalg.solve(lower, before.T).T, atol=1e-3)


def test_a_test_in_parts_comes_to_the_whole() -> None:
    world = make()
    weights = random_weights(world)
    totals = {"accuracy": np.zeros(2), "loss": np.zeros(2)}
    for part in range(world.parts):
        for name, score in world.test(weights, part).items():
            totals[name] += score
    inputs, labels = world.test_data()
    probe = world.module()
    with bind(probe, world.network(), weights, torch.device("cpu")), torch.no_grad():
        outputs = probe(inputs)
    assert totals["accuracy"][1] == 55
    assert totals["accuracy"][0] == (outputs.argmax(1) == labels).sum()
    assert totals["loss"][0] / 55 == pytest.approx(
        float(world.criterion(outputs, labels)), rel=1e-5
    )


def test_what_a_fleet_answers_follows_from_what_it_has() -> None:
    assert "head_data" in make().offers()
    assert make().is_quadratic() is False
    assert make(Regressing).is_quadratic() is True

    class Custom(Blobs):
        def loss(self, module: nn.Module, batch: tuple) -> torch.Tensor:
            return module(batch[0]).square().mean()

    assert "head_data" not in make(Custom).offers()
    assert "map_moments" in make(Custom).offers()

    class Acting(TorchFleet):
        metrics = ("reward",)

        def module(self) -> nn.Module:
            return nn.Linear(2, 2)

        def example_input(self) -> torch.Tensor:
            return torch.zeros(1, 2)

    assert make(Acting).offers() == ["load", "save"] or make(Acting).offers() == ["save"]
    assert make(Acting).samples(0) == 1


def test_layers_are_found_where_all_weights_are_in_some() -> None:
    example = torch.zeros(2, 3, 8, 8)
    cnn = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 2),
    )
    maps = affine_maps(cnn, example)
    assert [each.name for each in maps] == ["0", "4"]
    assert maps[0].norm is not None
    assert maps[0].sees_data
    assert not maps[1].sees_data
    assert affine_maps(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3)), torch.zeros(1, 3)) == ()


def test_a_convolution_is_a_map_of_patches() -> None:
    class Images(Blobs):
        def module(self) -> nn.Module:
            return nn.Sequential(
                nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)
            )

        def points(self, seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
            stream = torch.Generator().manual_seed(seed)
            return torch.randn(n, 1, 5, 5, generator=stream), torch.randint(
                3, (n,), generator=stream
            )

    world = make(Images)
    weights = random_weights(world)
    inputs, targets = np.zeros((10, 10)), np.zeros((2, 10))
    samples = world.map_moments(Robot(0, "own"), weights, weights, 0, inputs, targets)
    assert samples == 40 * 9
    probe = world.module()
    with bind(probe, world.network(), weights, torch.device("cpu")), torch.no_grad():
        left = probe[0](world.data(0)[0])
    # The constant's column of t x^T sums what leaves the layer.
    np.testing.assert_allclose(targets[:, 9], left.sum((0, 2, 3)).numpy(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("kind", [Blobs, Regressing])
def test_the_curvature_of_layers_is_that_of_the_loss(kind: type[TorchFleet]) -> None:
    world = make(kind)
    robot = Robot(0, "own")
    weights = random_weights(world)
    inputs, targets = world.data(0)
    probe = world.module()
    names = [each.name for each in world.network().maps]
    assert "curvature" in world.offers()
    with bind(probe, world.network(), weights, torch.device("cpu")):
        outputs = probe(inputs)
        (world.criterion(outputs, targets) * len(inputs)).backward()
        whole = probe.get_submodule(names[0]).weight.grad.clone()

        behind = nn.Sequential(*list(probe.children())[1:])
        left = probe.get_submodule(names[0])(inputs).detach()
        expected = torch.zeros(left.shape[1], left.shape[1])
        for hidden in left:
            jacobian = torch.autograd.functional.jacobian(behind, hidden)
            if isinstance(world.criterion, nn.CrossEntropyLoss):
                shares = torch.softmax(behind(hidden), 0)
                second = torch.diag(shares) - torch.outer(shares, shares)
            else:
                second = 2.0 / jacobian.shape[0] * torch.eye(jacobian.shape[0])
            expected += (jacobian.T @ second @ jacobian).detach()

    sizes = [len(world.network().views(weights)[f"{name}.weight"]) for name in names]
    sums = [np.zeros((size, size)) for size in sizes]
    draws = 400
    gradient = np.zeros_like(weights)
    for draw in range(draws):
        squares = [np.zeros((size, size)) for size in sizes]
        assert world.curvature(robot, weights, draw, gradient, squares) == 40
        for total, each in zip(sums, squares, strict=True):
            total += each / draws
    again = [np.zeros((size, size)) for size in sizes]
    world.curvature(robot, weights, draws - 1, gradient, again)
    assert all((a == b).all() for a, b in zip(again, squares, strict=True)), "the draw decides"
    written = world.network().views(gradient)[f"{names[0]}.weight"]
    np.testing.assert_allclose(written, whole.numpy(), rtol=1e-4, atol=1e-4)
    scale = float(expected.abs().max())
    np.testing.assert_allclose(sums[0], expected.numpy(), atol=0.06 * scale)


def test_trials_are_a_user_s_and_named_by_their_draw() -> None:
    class Acting(Blobs):
        def try_out(self, module: nn.Module, robot: int, episodes: int, seed: int) -> float:
            stream = torch.Generator().manual_seed(seed)
            return float((torch.rand(episodes, generator=stream) < 0.5).sum())

    assert "trials" not in make().offers()
    world = make(Acting)
    assert "trials" in world.offers()
    at, robot = random_weights(world), Robot(1, "own")
    total, episodes = world.trials(robot, at, 60, 4)
    assert episodes == 60
    assert 0 < total < 60
    assert world.trials(robot, at, 60, 4) == (total, 60)
    assert world.trials(robot, at, 60, 5) != (total, 60)


def test_a_loss_that_is_not_finite_names_robot_and_step() -> None:
    with pytest.raises(fleet.FleetError, match=r"robot 1: the training loss became nan at step 1"):

        class Broken(Blobs):
            def loss(self, module: nn.Module, batch: tuple) -> torch.Tensor:
                return module(batch[0]).sum() * float("nan")

        trained(make(Broken), 1, 2)
