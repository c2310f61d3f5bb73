from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.trainers.training.starting import torchrun
from tests.trainers.training.toy import Settings, draw, learner_of, main, score, train
from trainers.training.errors import CheckpointError
from trainers.training.learner import Learner
from trainers.training.randomness import random_of
from trainers.training.run import Run

SETTINGS = Settings(average=0.9)


def trained(settings: Settings, out: Path, stop_after: int | None = None) -> Learner:
    with Run(settings, out) as run:
        learner = learner_of(run, settings)
        train(run, learner, stop_after)
    return learner


def same(one: Path, other: Path) -> bool:
    first, second = load_file(one), load_file(other)
    return all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.mark.parametrize(
    "settings",
    [
        SETTINGS,
        replace(SETTINGS, accumulate=3, drawers=2, ahead=5),
        replace(SETTINGS, precision="fp16"),
        replace(SETTINGS, precision="bf16", average=0.0),
    ],
    ids=["plain", "accumulated", "fp16", "bf16"],
)
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(
    settings: Settings, tmp_path: Path
) -> None:
    trained(settings, tmp_path / "whole")
    trained(settings, tmp_path / "killed", stop_after=7)  # three steps after its checkpoint
    with Run(settings, tmp_path / "killed") as run:
        learner = learner_of(run, settings)
        run.resume()
        assert run.step == learner.steps == 4
        train(run, learner)
    for name in ("weights.safetensors", "best.safetensors"):
        assert same(tmp_path / "whole" / name, tmp_path / "killed" / name)


def test_a_run_learns_and_shows_it(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=200, save_every=50, dropout=0.0)
    with Run(settings, tmp_path) as run:
        learner = learner_of(run, settings)
        before = score(learner)
        train(run, learner)
        assert score(learner) < 0.05 * before
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert {"loss", "score", "images_per_s"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss")] == [50, 100, 150, 200]
    assert all(event.value > 0 for event in events.Scalars("images_per_s"))
    assert events.Tags()["images"]


def test_the_best_weights_are_kept_and_a_score_that_stands_still_ends_it(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=100, save_every=2, patience=3)
    scores = iter([3.0, 2.0, 4.0, 5.0, 6.0, 1.0])
    kept = {}
    with Run(settings, tmp_path) as run:
        learner = learner_of(run, settings)
        for (batch,) in run.steps(draw):
            with learner.step() as backward:
                backward(((learner.networks["line"](batch["x"]) - batch["y"]) ** 2).mean())
            if run.due:
                weights = {name: value.clone() for name, value in learner.weights().items()}
                kept[run.step] = weights
                run.report(weights, score=next(scores))
        assert run.step == 10
    torch.testing.assert_close(load_file(tmp_path / "best.safetensors"), kept[4], rtol=0, atol=0)
    last = load_file(tmp_path / "weights.safetensors")
    torch.testing.assert_close(last, kept[10], rtol=0, atol=0)


def test_the_best_weights_of_another_run_go_with_its_checkpoint(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=2, save_every=2)
    trained(settings, tmp_path)
    assert (tmp_path / "best.safetensors").exists()
    with Run(settings, tmp_path) as run:
        learner = learner_of(run, settings)
        assert (tmp_path / "best.safetensors").exists()  # it may have been started by mistake
        for _ in run.steps(draw):
            run.save(learner.weights())
    assert not (tmp_path / "best.safetensors").exists()


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    with Run(SETTINGS, tmp_path) as run, pytest.raises(CheckpointError, match="--resume"):
        run.resume()


@pytest.mark.parametrize("called", ["line", "other"])
def test_a_checkpoint_of_another_model_is_a_sentence(tmp_path: Path, called: str) -> None:
    trained(SETTINGS, tmp_path)
    with Run(SETTINGS, tmp_path) as run:
        network = torch.nn.Linear(5, 2)
        run.learner(called, network, torch.optim.Adam(network.parameters()))
        with pytest.raises(CheckpointError, match="got another one"):
            run.resume()
        assert run.step == 0


def test_other_settings_are_said_when_a_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(SETTINGS, tmp_path)
    capsys.readouterr()
    with Run(replace(SETTINGS, rate=0.5, steps=20), tmp_path) as run:
        learner_of(run, SETTINGS)
        run.resume()
    shown = capsys.readouterr().out
    assert "rate 0.05 -> 0.5" in shown
    assert "steps" not in shown


def test_deterministic_runs_give_the_same_bits(tmp_path: Path) -> None:
    settings = replace(SETTINGS, deterministic=True)
    trained(settings, tmp_path / "one")
    trained(settings, tmp_path / "other")
    torch.use_deterministic_algorithms(False)
    assert same(tmp_path / "one/weights.safetensors", tmp_path / "other/weights.safetensors")


def test_two_processes_take_the_mean_gradient_stop_and_go_on(tmp_path: Path) -> None:
    torchrun("tests.trainers.training.two_processes", str(tmp_path))  # asserts inside, too
    settings = replace(SETTINGS, dropout=0.0, average=0.0)
    with Run(settings, tmp_path / "alone") as run:
        learner = learner_of(run, settings)
        for step in range(settings.steps):
            with learner.step(parts=2) as backward:
                for rank in (0, 1):
                    batch = draw(random_of(settings.seed, rank, step))
                    made = learner.networks["line"](torch.as_tensor(batch["x"]))
                    backward(((made - torch.as_tensor(batch["y"])) ** 2).mean())
        expected = learner.weights()
    together = load_file(tmp_path / "weights.safetensors")
    torch.testing.assert_close(together, expected, rtol=1e-5, atol=1e-6)


def test_the_command_line_runs_it(tmp_path: Path) -> None:
    main(["--out", str(tmp_path), "--steps", "2"])
    assert (tmp_path / "weights.safetensors").exists()
