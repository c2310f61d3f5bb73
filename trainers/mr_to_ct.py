"""Train the MR to CT models: the multimodal CycleGAN, or supervised where pairs exist.

One CPU or GPU:  python -m trainers.mr_to_ct --configuration t1 --train sts:FOLDER --out runs/t1
Going on:        the same command with --resume

`--configuration` is a file or the name of one in `configurations/mr_to_ct`; it says what goes in,
which generator, and which mode. `--width 16` and the like change one line of it. Sources:

    sts:FOLDER             registered T1 and CT of the sarcoma collection; `sts:FOLDER!A,B` leaves
                           patients A and B out, `sts:FOLDER=A,B` takes only these
    chaos:FOLDER           CHAOS in its published layout: CT, and MR by phase, unpaired
    simulated:CT           a CT (NIfTI file or DICOM folder) and the dual echo simulated from it;
                           `simulated:CT*4` four times; `prepared:FOLDER` finds them kept by
                           `trainers.simulation.dual_echo`
    ct:CT                  a CT alone (the other side of an unpaired game)
    t1:FOLDER              a T1-weighted series of DICOM alone
    set:FOLDER:train       a side of a gathered data set (`--data FOLDER` takes both), unpaired

Unpaired sources can only play the CycleGAN's game. Several GPUs: `torchrun --nproc-per-node 4 -m
trainers.mr_to_ct …`. Read from top to bottom: settings, data, the two modes, the loop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from pipelines.mr_to_ct.generators import BackwardGenerator
from pipelines.mr_to_ct.networks import Design, build
from pipelines.mr_to_ct.scaling import CENTRE_HU, SCALE_HU
from trainers.critics.patch_critic import PatchCritic
from trainers.losses.adversarial import adversarial_game
from trainers.losses.cycle import cycle_loss
from trainers.losses.grid import grid_loss
from trainers.losses.replay import ReplayBuffer
from trainers.mr_ct.patches import BODY_ABOVE_HU, Stack, check_sides, draw, every_slice, stack_of
from trainers.mr_ct.sources import read_source
from trainers.readers.data_set import with_data
from trainers.readers.patients import refuse_shared
from trainers.training.card import write_card
from trainers.training.checkpoint import load_weights
from trainers.training.errors import SettingsError, SourceError
from trainers.training.feeding import Batch, Drawn
from trainers.training.learner import Learner
from trainers.training.rates import flat_then_linear, warm_cosine
from trainers.training.run import WEIGHTS, Run
from trainers.training.script import exit_code, parser_of
from trainers.training.settings import RunSettings, knob, settings_from

CONFIGURATIONS = Path(__file__).parent / "configurations" / "mr_to_ct"
SETTINGS = "settings.yaml"
"""File in the folder of a run: what `trainers.publishing.mr_to_ct` builds the network from."""

VALIDATE_EVERY = 3
"""Every third slice of a held-out patient is enough to follow a run."""

GRID_PIXELS = 4
"""The paper's generator enlarges twice by two."""

BODY_WEIGHT = 0.99
"""Errors that count as much lie in the body: weights are drawn between pixels."""

GRID_MOST_HU = 100.0
"""Errors beyond it are borders of bone and body, which have no grid."""

SHOWN_HU = (-200.0, 800.0)
"""Window of the sample pictures."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """Every knob of a run; a configuration file sets some, the command line any but the tuples."""

    LEAST: ClassVar = {**RunSettings.LEAST, "patch": 1, "rate": 0, "warmup": 0}

    title: str = knob("", "the configuration's name, as the paper writes it")
    mode: str = knob("supervised", "supervised, cyclegan")
    generator: str = knob("residual_unet", "residual_unet, single, multi")
    inputs: tuple[str, ...] = knob(("T1",), "what the generator gets at a time")
    samples: tuple[tuple[str, ...], ...] = knob((("T1",),), "what makes one sample each")
    context: int = knob(0, "neighbouring slices on each side")
    width: int = knob(64, "features of the stem, or of the U-Net's first level")
    norm: str = knob("instance", "instance, none; single and multi")
    merge: str = knob("concat", "concat, sum; multi")
    pixel_mm: float = knob(1.0, "working distance of pixels")
    steps: int = knob(1500, "optimiser steps")
    batch: int = knob(16, "patches a step")
    patch: int = knob(128, "pixels along a side")
    rate: float = knob(1e-3, "highest learning rate")
    warmup: int = knob(50, "steps of rising learning rate")
    average: float = knob(0.995, "decay of the averaged weights, which are the ones that are kept")
    cycle: float = knob(10.0, "weight of the cycle losses")
    pool: int = knob(50, "earlier images that a critic is shown again")
    window_hu: tuple[float, float] = knob((-1000.0, 1000.0), "CT that the CycleGAN sees")
    at_bone: float = knob(0.0, "share of patches that are centred on bone; supervised")
    anywhere: float = knob(
        0.1, "share that lies anywhere: who never saw air far from a body takes it for tissue"
    )
    evenness: float = knob(0.0, "weight of the loss against a grid of four pixels; supervised")
    contrast: str = knob("either", "CT with or without contrast medium, for people")


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, then train."""
    parser = parser_of("mr_to_ct", __doc__, Settings)
    parser.add_argument("--configuration", required=True, help="a name, or a YAML file")
    named, _ = parser.parse_known_args(argv)
    parser.set_defaults(**configured(named.configuration))
    given = parser.parse_args(argv)
    train_on, validate_on = with_data(given.train, given.validate, given.data)
    if not train_on:
        parser.error("there is nothing to train on; name --train SOURCE or --data DIR")
    settings = settings_from(given, Settings)
    if settings.mode not in ("supervised", "cyclegan"):
        parser.error(f"--mode is supervised or cyclegan, got {settings.mode!r}")
    stacks, held_out = read_stacks(train_on, settings), read_stacks(validate_on, settings)
    if not stacks:
        raise SourceError(f"No image of {given.configuration} was found in {', '.join(train_on)}.")
    check_sides(stacks, paired=settings.mode == "supervised")
    refuse_shared((one.patient for one in stacks), (one.patient for one in held_out))
    with Run(settings, given.out) as run:
        mode = make_mode(run, settings)
        if given.resume:
            run.resume()
        elif given.start:
            mode.learner.start_from(load_weights(given.start), "network")
        train(run, mode, stacks, held_out)
        if given.data and run.processes.first:
            write_card("mr_to_ct", given.out, given.out / WEIGHTS, given.data, given.start)


def configured(configuration: str) -> dict[str, Any]:
    """What a configuration file says.

    Args:
        configuration: a name in `configurations/mr_to_ct`, or a path.

    Raises:
        SettingsError: there is no such configuration, or a key of it is no setting.
    """
    path = CONFIGURATIONS / f"{configuration}.yaml"
    path = path if path.exists() else Path(configuration)
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in CONFIGURATIONS.glob("*.yaml")))
        raise SettingsError(f"--configuration is a file or one of {known}, got {configuration!r}.")
    try:
        values: dict[str, Any] = dict(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise SettingsError(f"{path} should hold settings as YAML, `name: value`.") from error
    unknown = sorted(set(values) - {one.name for one in fields(Settings)})
    if unknown:
        raise SettingsError(f"{path.name} has {unknown[0]!r}, which is no setting; see --help.")
    if "samples" in values:
        values["samples"] = tuple(tuple(sample) for sample in values["samples"])
    for key in ("inputs", "window_hu"):
        if key in values:
            values[key] = tuple(values[key])
    return values


def read_settings(configuration: str, changes: Mapping[str, Any]) -> Settings:
    """The settings of a configuration, with changes."""
    return Settings(**{**configured(configuration), **changes})


def design_of(settings: Settings) -> Design:
    """The generator that the settings describe."""
    return Design(
        generator=settings.generator,  # type: ignore[arg-type]
        inputs=settings.inputs,
        context=settings.context,
        pixel_mm=settings.pixel_mm,
        width=settings.width,
        norm=settings.norm,  # type: ignore[arg-type]
        merge=settings.merge,  # type: ignore[arg-type]
    )


def read_stacks(sources: Sequence[str], settings: Settings) -> list[Stack]:
    """Every patient of every source, once for each sample that the configuration makes of it."""
    stacks = []
    for source in sources:
        for series in read_source(source, settings.seed):
            for sample in settings.samples:
                if not series.mr or set(sample) <= set(series.mr):
                    stacks.append(stack_of(series, sample, settings.pixel_mm))
                if not series.mr:  # a CT alone is one stack, whatever the samples
                    break
    return stacks


# --- the two modes ------------------------------------------------------------------------------


class Mode(Protocol):
    """What the loop asks of a mode; its learner holds the generator as `network`."""

    learner: Learner

    def draw(self, stacks: Sequence[Stack], random: np.random.Generator) -> Drawn:
        """A batch: `mr` (B, planes, H, W), `ct` (B, 1, H, W) in HU, and what else it needs."""

    def update(self, batches: Sequence[Batch]) -> None:
        """One step; tells its losses to the run."""


class Supervised:
    """Mean absolute error in HU on registered pairs, in the body above all."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run, self.settings = run, settings
        self.network = network_of(run, settings)
        adam = torch.optim.Adam(self.network.parameters(), settings.rate)
        rate = warm_cosine(settings.rate, settings.warmup, settings.steps)
        self.learner = run.learner("network", self.network, adam, rate=rate, clip=1.0)

    def draw(self, stacks: Sequence[Stack], random: np.random.Generator) -> Drawn:
        """A batch with the weight of each pixel's error."""
        settings = self.settings
        shape = settings.batch, settings.patch, settings.context
        return vars(draw(stacks, *shape, random, settings.at_bone, settings.anywhere))

    def update(self, batches: Sequence[Batch]) -> None:
        """One step."""
        with self.learner.step(len(batches)) as backward:
            for batch in batches:
                with self.run.autocast():
                    made = self.network(batch["mr"].contiguous(memory_format=torch.channels_last))
                error = (made.float() - batch["ct"]).abs() * batch["weight"]
                loss = error.sum() / batch["weight"].sum()
                self.run.tell(mae_hu=loss)
                if self.settings.evenness:
                    grid = self._grid(made, batch)
                    self.run.tell(grid_hu=grid)
                    loss = loss + self.settings.evenness * grid
                backward(loss / SCALE_HU)

    def _grid(self, made: Tensor, batch: Batch) -> Tensor:
        """Height of a grid in tissue, HU."""
        inside = (batch["weight"] > BODY_WEIGHT) & (batch["ct"] > BODY_ABOVE_HU)
        return grid_loss((made.float() - batch["ct"]) * inside, GRID_PIXELS, GRID_MOST_HU)


class CycleGan:
    """The multimodal CycleGAN: no pairs, one critic for CT and one for each MR modality.

    L = sum over modalities of L_GAN(F_m, D_m) + L_GAN(G, D_CT)
        + cycle x (|G(F(ct)) - ct| + mean over modalities of |F_m(G(mr)) - mr_m|)
    """

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run, self.settings = run, settings
        count = 1 + len(settings.inputs)
        self.network = network_of(run, settings)
        self.backward = BackwardGenerator(len(settings.inputs), design_of(settings).shape)
        self.backward.to(run.device)
        start_from_air(self.network, settings)
        self.critics = nn.ModuleList(PatchCritic(settings.width).layers for _ in range(count))
        self.critics.to(run.device)
        rate = flat_then_linear(settings.rate, settings.steps // 2, settings.steps)
        generators = {"network": self.network, "backward": self.backward}
        adam = _adam([*self.network.parameters(), *self.backward.parameters()], settings)
        self.learner = run.learner("generators", generators, adam, rate=rate)
        adam = _adam([*self.critics.parameters()], settings)
        self.judge = run.learner("critics", self.critics, adam, rate=rate, average=0.0)
        self.pools = [ReplayBuffer(settings.pool, seed=index) for index in range(count)]
        self.game = adversarial_game("lsgan")

    def draw(self, stacks: Sequence[Stack], random: np.random.Generator) -> Drawn:
        """MR of some patients and CT of others."""
        settings = self.settings
        shape = settings.batch, settings.patch, settings.context
        mr = draw([stack for stack in stacks if stack.mr is not None], *shape, random).mr
        ct = draw([stack for stack in stacks if stack.ct is not None], *shape, random).ct
        return {"mr": mr, "ct": ct}

    def update(self, batches: Sequence[Batch]) -> None:
        """One step of the generators, then one of the critics."""
        pairs = []
        with self.learner.step(len(batches)) as backward, self.judge.frozen():
            for batch in batches:
                ct = (batch["ct"].clamp(*self.settings.window_hu) - CENTRE_HU) / SCALE_HU
                loss, fakes = self._generators(batch["mr"], ct)
                backward(loss)
                pairs.append(([ct, *_channels(batch["mr"])], fakes))
        with self.judge.step(len(batches)) as backward:
            for reals, fakes in pairs:
                backward(self._judged(reals, fakes))

    def _generators(self, mr: Tensor, ct: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Loss, and the images made: CT, then each modality; all in the generators' units."""
        forward: nn.Module = self.network.correction  # type: ignore[assignment]
        with self.run.autocast():
            made_ct, made_mr = forward(mr), self.backward(ct)
            back_mr, back_ct = self.backward(made_ct), forward(made_mr)
        fakes = [made_ct.float(), *_channels(made_mr.float())]
        pairs = zip(self.critics, fakes, strict=True)
        game = torch.stack([self.game.generator(critic(fake)) for critic, fake in pairs]).sum()
        cycle = cycle_loss([back_ct.float()], [ct])
        cycle = cycle + cycle_loss(_channels(back_mr.float()), _channels(mr))
        self.run.tell(game=game, cycle=cycle)
        return game + self.settings.cycle * cycle, [fake.detach() for fake in fakes]

    def _judged(self, reals: Sequence[Tensor], fakes: Sequence[Tensor]) -> Tensor:
        """Loss of all critics, each shown earlier images too."""
        losses = []
        for critic, pool, real, fake in zip(self.critics, self.pools, reals, fakes, strict=True):
            (earlier,) = pool.exchange(fake)
            losses.append(self.game.discriminator(critic(real), critic(earlier)))
        loss = torch.stack(losses).sum()
        self.run.tell(critics=loss)
        return loss


def make_mode(run: Run, settings: Settings) -> Mode:
    """The mode that the settings name."""
    return Supervised(run, settings) if settings.mode == "supervised" else CycleGan(run, settings)


def network_of(run: Run, settings: Settings) -> nn.Module:
    """The generator, on the run's device."""
    network = build(design_of(settings)).to(run.device)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def start_from_air(network: nn.Module, settings: Settings) -> None:
    """Let an untrained generator draw air everywhere, which is its 0 in MR and the lowest of CT.

    Begun at 0 HU, flesh, the strong features of flesh are what is turned into air: the game then
    settles on a CT with its contrast upside down, and the cycle keeps it there.
    """
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
    assert last.bias is not None
    nn.init.constant_(last.bias, (settings.window_hu[0] - CENTRE_HU) / SCALE_HU)


def _adam(parameters: list[nn.Parameter], settings: Settings) -> torch.optim.Adam:
    return torch.optim.Adam(parameters, settings.rate, (0.5, 0.999))


def _channels(images: Tensor) -> tuple[Tensor, ...]:
    """(B, modalities, H, W) as one (B, 1, H, W) for each modality."""
    return torch.chunk(images, images.shape[1], dim=1)


# --- the loop -----------------------------------------------------------------------------------


def train(run: Run, mode: Mode, stacks: Sequence[Stack], held_out: Sequence[Stack]) -> None:
    """Train until `settings.steps`; patches are drawn while the network computes."""
    settings = run.settings
    assert isinstance(settings, Settings)
    plain = json.loads(json.dumps(asdict(settings)))  # YAML would mark tuples as Python's
    (run.out / SETTINGS).write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    for batches in run.steps(lambda random: mode.draw(stacks, random)):
        mode.update(batches)
        if not run.due:
            continue
        score, network = None, mode.learner.best("network")
        if held_out and run.processes.first:
            score = float(np.mean([validate(network, one, settings.context) for one in held_out]))
        weights = mode.learner.weights(network="")
        run.report(weights, score=score, pictures=pictures(network, batches[-1]))


@torch.no_grad()
def validate(network: nn.Module, stack: Stack, context: int) -> float:
    """Mean absolute error in the body of one patient, HU."""
    device = next(network.parameters()).device
    total, count = 0.0, 0
    for planes, ct in list(every_slice(stack, context))[::VALIDATE_EVERY]:
        made = network(planes.to(device))[0, 0].cpu().numpy()
        body = ct > BODY_ABOVE_HU
        total += float(np.abs(made - ct)[body].sum())
        count += int(np.count_nonzero(body))
    return total / max(1, count)


@torch.no_grad()
def pictures(network: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The middle plane of the MR, the CT that is made of it, a CT of the batch; (4, 1, H, W)."""
    low, high = SHOWN_HU
    mr, ct = batch["mr"][:4], batch["ct"][:4]
    middle = mr[:, mr.shape[1] // 2 :][:, :1]
    made = network(mr)
    shown = {"mr": middle, "made": (made - low) / (high - low), "ct": (ct - low) / (high - low)}
    return {name: image.clamp(0.0, 1.0) for name, image in shown.items()}


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
