from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainers.training.errors import CheckpointError, StepError
from trainers.training.learner import Learner
from trainers.training.precision import Precision
from trainers.training.processes import Processes

CPU = torch.device("cpu")


def learner(precision: str = "fp32", average: float = 0.0, clip: float = 0.0) -> Learner:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    sgd = torch.optim.SGD(network.parameters(), 0.1)
    parts = Processes("cpu"), Precision(precision, CPU)
    return Learner({"net": network}, sgd, *parts, average=average, clip=clip)


def loss_of(learner: Learner, x: Tensor) -> Tensor:
    loss: Tensor = (learner.networks["net"](x) ** 2).mean()
    return loss


def state(learner: Learner) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in learner.networks.parameters()]


@pytest.fixture
def points() -> Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(3))


def test_accumulated_batches_do_what_one_large_batch_does(points: Tensor) -> None:
    whole, parts = learner(), learner()
    with whole.step() as backward:
        backward(loss_of(whole, points))
    with parts.step(parts=4) as backward:
        for part in points.split(2):
            backward(loss_of(parts, part))
    torch.testing.assert_close(state(whole), state(parts))
    assert parts.steps == 1


@pytest.mark.parametrize("losses", [0, 1, 3])
def test_another_number_of_losses_than_announced_changes_nothing(
    points: Tensor, losses: int
) -> None:
    one = learner()
    before = state(one)

    def step() -> None:
        with one.step(parts=2) as backward:
            for _ in range(losses):
                backward(loss_of(one, points))

    with pytest.raises(StepError, match=f"got {losses}"):
        step()
    torch.testing.assert_close(state(one), before, rtol=0, atol=0)


def test_an_error_inside_a_step_changes_nothing(points: Tensor) -> None:
    one = learner(average=0.9)
    before = state(one)

    def step() -> None:
        with one.step(parts=2) as backward:
            backward(loss_of(one, points))
            raise ValueError("the disk is gone")

    with pytest.raises(ValueError, match="disk"):
        step()
    torch.testing.assert_close(state(one), before, rtol=0, atol=0)
    assert one.steps == 0


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_gradient_is_clipped(points: Tensor, precision: str) -> None:
    one = learner(precision, clip=1e-3)  # with fp16, the scaled gradient must not be what is cut
    before = state(one)
    with one.step() as backward:
        backward(100 * loss_of(one, points))
    moved = torch.cat([(a - b).flatten() for a, b in zip(state(one), before, strict=True)])
    assert float(moved.norm()) == pytest.approx(0.1 * 1e-3, rel=1e-2)


def test_fp16_gradients_are_scaled_and_an_overflow_skips_the_step(points: Tensor) -> None:
    exact, half = learner("fp32"), learner("fp16")
    for one in (exact, half):
        with one.step() as backward:
            backward(loss_of(one, points))
    torch.testing.assert_close(state(exact), state(half))
    before, scale = state(half), half.state_dict()["scaler"]["scale"]
    with half.step() as backward:
        backward(loss_of(half, points) * torch.inf)
    torch.testing.assert_close(state(half), before, rtol=0, atol=0)
    assert half.state_dict()["scaler"]["scale"] < scale


def test_the_learning_rate_follows_the_learner_s_own_steps(points: Tensor) -> None:
    one = learner()
    one.rate = lambda step: 0.5 / (1 + step)
    seen = []
    for _ in range(3):
        with one.step() as backward:
            backward(loss_of(one, points))
        seen.append(one.optimiser.param_groups[0]["lr"])
    assert seen == [0.5, 0.25, 0.5 / 3]


def test_what_is_shipped_is_the_average(points: Tensor) -> None:
    one = learner(average=0.9)
    start = state(one)[0]
    with one.step() as backward:
        backward(loss_of(one, points))
    now, shipped = state(one)[0], one.weights()["weight"]
    torch.testing.assert_close(shipped, 0.1 * start + 0.9 * now)
    assert list(learner().weights(net="trunk.")) == ["trunk.weight", "trunk.bias"]


def test_several_networks_share_a_file_under_their_names() -> None:
    networks = {"a": nn.Linear(1, 1), "b": nn.Linear(1, 1)}
    parameters = [p for one in networks.values() for p in one.parameters()]
    sgd = torch.optim.SGD(parameters, 0.1)
    both = Learner(networks, sgd, Processes("cpu"), Precision("fp32", CPU))
    assert set(both.weights()) == {"a.weight", "a.bias", "b.weight", "b.bias"}
    both.start_from({"weight": torch.ones(1, 1), "bias": torch.ones(1)}, "b")
    assert float(both.weights(b="")["weight"]) == 1


@pytest.mark.parametrize(
    "weights", [{}, {"weight": torch.ones(1, 4), "bias": torch.ones(1)}, {"other": torch.ones(1)}]
)
def test_weights_of_another_network_are_a_sentence(weights: dict[str, Tensor]) -> None:
    one = learner()
    before = state(one)
    with pytest.raises(CheckpointError, match=r"[01] of 2 parts fit"):
        one.start_from(weights)
    torch.testing.assert_close(state(one), before)


def test_a_frozen_critic_judges_and_does_not_learn(points: Tensor) -> None:
    generator, critic = learner(), learner()
    critic.networks["net"].bias.requires_grad_(False)
    with generator.step() as backward, critic.frozen():
        made = generator.networks["net"](points).expand(-1, 3)
        backward(critic.networks["net"](made).mean())
    assert all(parameter.grad is None for parameter in critic.networks.parameters())
    wanted = [parameter.requires_grad for parameter in critic.networks.parameters()]
    assert wanted == [True, False]


def test_two_learners_may_be_nested(points: Tensor) -> None:
    generator, critic = learner(), learner()
    before = state(generator), state(critic)
    with generator.step() as backward:
        made = generator.networks["net"](points).expand(-1, 3)
        with critic.step() as judge:
            judge(critic.networks["net"](made.detach()).mean())
        backward(critic.networks["net"](made).mean())
    assert not torch.equal(state(generator)[0], before[0][0])
    assert not torch.equal(state(critic)[0], before[1][0])


def test_it_goes_on_as_if_it_had_not_stopped(points: Tensor) -> None:
    def stepped(one: Learner, count: int) -> Learner:
        for _ in range(count):
            with one.step() as backward:
                backward(loss_of(one, points))
        return one

    whole = stepped(learner("fp16", average=0.9), 6)
    again = learner("fp16", average=0.9)
    again.load_state_dict(stepped(learner("fp16", average=0.9), 3).state_dict())
    stepped(again, 3)
    assert again.steps == 6
    torch.testing.assert_close(again.weights(), whole.weights(), rtol=0, atol=0)
