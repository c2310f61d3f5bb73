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
                           `trainers.dual_echo`
    ct:CT                  a CT alone (the other side of an unpaired game)
    t1:FOLDER              a T1-weighted series of DICOM alone
    set:FOLDER:train       a side of a gathered data set (`--data FOLDER` takes both), unpaired

Unpaired sources can only play the CycleGAN's game. Read from top to bottom: settings, data, the
two modes' steps, the loop.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from pipelines.mr_to_ct.generators import BackwardGenerator
from pipelines.mr_to_ct.networks import Design, build
from pipelines.mr_to_ct.scaling import CENTRE_HU, SCALE_HU
from trainers.losses.adversarial import adversarial_game
from trainers.losses.cycle import cycle_loss
from trainers.losses.replay import ReplayBuffer
from trainers.mr_ct_patches import BODY_ABOVE_HU, Patches, Stack, draw, every_slice, stack_of
from trainers.mr_ct_sources import read_source
from trainers.patch_critic import PatchCritic
from trainers.readers.data_set import add_data_option, with_data
from trainers.training.card import write_card

CONFIGURATIONS = Path(__file__).parent / "configurations" / "mr_to_ct"

VALIDATE_EVERY = 3
"""Every third slice of a held-out patient is enough to follow a run."""


@dataclass(frozen=True)
class Settings:
    """Every knob of a run; a configuration file sets some, the command line any."""

    title: str = ""  # the configuration's name, as the paper writes it
    mode: str = "supervised"  # supervised, cyclegan
    generator: str = "residual_unet"  # residual_unet, single, multi
    inputs: tuple[str, ...] = ("T1",)  # what the generator gets at a time
    samples: tuple[tuple[str, ...], ...] = (("T1",),)  # what of a patient makes one sample each
    context: int = 0  # neighbouring slices on each side
    width: int = 64  # features of the stem, or of the U-Net's first level
    norm: str = "instance"  # instance, none; single and multi
    merge: str = "concat"  # concat, sum; multi
    pixel_mm: float = 1.0  # working distance of pixels
    steps: int = 1500  # optimiser steps
    batch: int = 16  # patches a step
    patch: int = 128  # pixels along a side
    rate: float = 1e-3  # highest learning rate
    warmup: int = 50  # steps of rising learning rate
    average: float = 0.995  # decay of the averaged weights, which are the ones that are kept
    cycle: float = 10.0  # weight of the cycle losses
    pool: int = 50  # earlier images that a critic is shown again
    window_hu: tuple[float, float] = (-1000.0, 1000.0)  # CT that the CycleGAN sees
    contrast: str = "either"  # CT with or without contrast medium, for people
    seed: int = 1  # of everything that is random
    save_every: int = 100  # steps between two checkpoints
    device: str = "auto"  # auto, cpu, cuda


def main() -> None:
    """Read the command line, then train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--configuration", required=True, help="a name, or a YAML file")
    parser.add_argument("--train", nargs="+", default=[], metavar="SOURCE")
    parser.add_argument("--validate", nargs="*", default=[], metavar="SOURCE")
    parser.add_argument("--out", type=Path, required=True, help="weights, checkpoint, TensorBoard")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="start from these weights")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    for knob in fields(Settings):
        if isinstance(knob.default, (int, float, str)):
            flag = f"--{knob.name.replace('_', '-')}"
            parser.add_argument(flag, type=type(knob.default), help=f"(default {knob.default})")
    add_data_option(parser)
    options = vars(parser.parse_args())
    train_on, validate_on = with_data(options["train"], options["validate"], options["data"])
    names = {knob.name for knob in fields(Settings)}
    given = {key: value for key, value in options.items() if key in names and value is not None}
    settings = read_settings(options["configuration"], given)
    torch.manual_seed(settings.seed)
    run: Run = Supervised(settings) if settings.mode == "supervised" else CycleGan(settings)
    out: Path = options["out"]
    out.mkdir(parents=True, exist_ok=True)
    if options["resume"]:
        run.resume(torch.load(out / "checkpoint.pt", run.device, weights_only=True))
    elif options["start"]:
        run.start_from(load_file(options["start"]))
    stacks = read_stacks(train_on, settings)
    if not stacks:
        parser.error("there is nothing to train on; name --train SOURCE or --data DIR")
    train(run, stacks, read_stacks(validate_on, settings), out)
    if options["data"]:
        write_card("mr_to_ct", out, out / "weights.safetensors", options["data"], None)


def read_settings(configuration: str, given: dict[str, Any]) -> Settings:
    """The configuration file with what the command line changes; an unknown key is an error."""
    path = CONFIGURATIONS / f"{configuration}.yaml"
    path = path if path.exists() else Path(configuration)
    values = {**yaml.safe_load(path.read_text(encoding="utf-8")), **given}
    unknown = sorted(set(values) - {knob.name for knob in fields(Settings)})
    if unknown:
        raise ValueError(f"{path.name} has no setting {unknown[0]!r}; see Settings.")
    if "samples" in values:
        values["samples"] = tuple(tuple(sample) for sample in values["samples"])
    for key in ("inputs", "window_hu"):
        if key in values:
            values[key] = tuple(values[key])
    return Settings(**values)


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


class Run:
    """One mode's networks and its step.

    Args:
        settings: of the run.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.step = settings, 0
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(wanted if settings.device == "auto" else settings.device)
        design = design_of(settings)
        self.network = build(design).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = build(design).to(self.device)
        self.averaged.load_state_dict(self.network.state_dict())
        self.modules: dict[str, nn.Module] = {"network": self.network, "averaged": self.averaged}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}

    def update(self, stacks: Sequence[Stack], random: np.random.Generator) -> dict[str, float]:
        """One optimiser step; gives the losses by name."""
        raise NotImplementedError

    def patches(self, stacks: Sequence[Stack], random: np.random.Generator) -> Patches:
        """A batch on the device."""
        settings = self.settings
        drawn = draw(stacks, settings.batch, settings.patch, settings.context, random)
        mr, ct, weight = (part.to(self.device) for part in (drawn.mr, drawn.ct, drawn.weight))
        return Patches(mr.contiguous(memory_format=torch.channels_last), ct, weight)

    @torch.no_grad()
    def average(self) -> None:
        """Move the averaged weights towards the new ones."""
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for mean, new in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Begin with the generator of an earlier run."""
        for network in (self.network, self.averaged):
            network.load_state_dict(weights)

    def state(self) -> dict[str, Any]:
        """All that a later run needs to go on; replay pools start anew."""
        return {
            "step": self.step,
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimisers": {name: one.state_dict() for name, one in self.optimisers.items()},
            "settings": asdict(self.settings),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state; what is random depends on the seed and the step alone."""
        self.step = state["step"]
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])


class Supervised(Run):
    """Mean absolute error in HU on registered pairs, in the body above all."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.optimiser = torch.optim.Adam(self.network.parameters(), settings.rate)
        self.optimisers = {"network": self.optimiser}

    def update(self, stacks: Sequence[Stack], random: np.random.Generator) -> dict[str, float]:
        """One step; the loss is in HU."""
        patches = self.patches(stacks, random)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.settings)
        error = (self.network(patches.mr) - patches.ct).abs() * patches.weight
        loss = error.sum() / patches.weight.sum()
        self.optimiser.zero_grad(set_to_none=True)
        (loss / SCALE_HU).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.average()
        self.step += 1
        return {"mae_hu": loss.item()}


class CycleGan(Run):
    """The multimodal CycleGAN: no pairs, one critic for CT and one for each MR modality.

    L = sum over modalities of L_GAN(F_m, D_m) + L_GAN(G, D_CT)
        + cycle x (|G(F(ct)) - ct| + mean over modalities of |F_m(G(mr)) - mr_m|)
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        design = design_of(settings)
        self.modalities = len(settings.inputs)
        self.backward = BackwardGenerator(self.modalities, design.shape).to(self.device)
        self.critics = nn.ModuleList(
            PatchCritic(settings.width).layers for _ in range(1 + self.modalities)
        ).to(self.device)
        both = [*self.network.parameters(), *self.backward.parameters()]
        betas = (0.5, 0.999)
        self.optimiser = torch.optim.Adam(both, settings.rate, betas)
        self.critic_optimiser = torch.optim.Adam(self.critics.parameters(), settings.rate, betas)
        self.modules |= {"backward": self.backward, "critics": self.critics}
        self.optimisers = {"generators": self.optimiser, "critics": self.critic_optimiser}
        self.pools = [
            ReplayBuffer(settings.pool, seed=index) for index in range(1 + self.modalities)
        ]
        self.game = adversarial_game("lsgan")

    def forward_units(self, mr: Tensor) -> Tensor:
        """MR to CT in the generators' units: HU = CENTRE_HU + SCALE_HU x unit."""
        output: Tensor = self.network.correction(mr)
        return output

    def update(self, stacks: Sequence[Stack], random: np.random.Generator) -> dict[str, float]:
        """One step of the generators, then one of the critics; MR and CT are drawn apart."""
        mr = self.patches([stack for stack in stacks if stack.mr is not None], random).mr
        ct = self.patches([stack for stack in stacks if stack.ct is not None], random).ct
        ct = (ct.clamp(*self.settings.window_hu) - CENTRE_HU) / SCALE_HU
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(self.step, self.settings)
        made_ct, made_mr = self.forward_units(mr), self.backward(ct)
        fakes = [made_ct, *_channels(made_mr)]
        game = torch.stack(
            [self.game.generator(d(fake)) for d, fake in zip(self.critics, fakes, strict=True)]
        ).sum()
        back_mr, back_ct = self.backward(made_ct), self.forward_units(made_mr)
        round_trip = cycle_loss([back_ct], [ct]) + cycle_loss(_channels(back_mr), _channels(mr))
        self.optimiser.zero_grad(set_to_none=True)
        (game + self.settings.cycle * round_trip).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        judged = self._judge([ct, *_channels(mr)], fakes)
        self.average()
        self.step += 1
        return {"game": game.item(), "cycle": round_trip.item(), "critics": judged}

    def _judge(self, reals: Sequence[Tensor], fakes: Sequence[Tensor]) -> float:
        """One step of all critics, each shown earlier images too."""
        losses = []
        for critic, pool, real, fake in zip(self.critics, self.pools, reals, fakes, strict=True):
            (earlier,) = pool.exchange(fake)
            losses.append(self.game.discriminator(critic(real), critic(earlier)))
        loss = torch.stack(losses).sum()
        self.critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.critic_optimiser.step()
        return loss.item()


def _channels(images: Tensor) -> tuple[Tensor, ...]:
    """(B, modalities, H, W) as one (B, 1, H, W) for each modality."""
    return torch.chunk(images, images.shape[1], dim=1)


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


def learning_rate(step: int, settings: Settings) -> float:
    """Supervised: a linear rise, then a cosine. CycleGAN: level, then linearly down to nothing."""
    done = step / max(1, settings.steps)
    if settings.mode == "cyclegan":
        return settings.rate * min(1.0, 2.0 * (1.0 - done))
    rise = min(1.0, (step + 1) / max(1, settings.warmup))
    return settings.rate * rise * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


# --- the loop -----------------------------------------------------------------------------------


def train(run: Run, stacks: Sequence[Stack], held_out: Sequence[Stack], out: Path) -> None:
    """Train until `settings.steps`, saving as it goes."""
    settings = run.settings
    board = SummaryWriter(out / "tensorboard")
    bar = tqdm(total=settings.steps, initial=run.step, unit="step")
    recent: list[dict[str, float]] = []
    while run.step < settings.steps:
        random = np.random.default_rng([settings.seed, run.step])
        recent.append(run.update(stacks, random))
        bar.update()
        if run.step % settings.save_every == 0 or run.step == settings.steps:
            report(run, board, recent, held_out)
            save(run, out)
            recent.clear()
    bar.close()
    board.close()


def report(
    run: Run, board: SummaryWriter, recent: Sequence[dict[str, float]], held_out: Sequence[Stack]
) -> None:
    """Losses and the error on held-out patients; one line to the terminal."""
    figures = {name: float(np.mean([one[name] for one in recent])) for name in recent[0]}
    if held_out:
        figures["validation_mae_hu"] = float(np.mean([validate(run, one) for one in held_out]))
    for name, value in figures.items():
        board.add_scalar(name, value, run.step)
    line = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
    tqdm.write(f"step {run.step}  {line}")


@torch.no_grad()
def validate(run: Run, stack: Stack) -> float:
    """Mean absolute error in the body of one patient, HU, by the averaged weights."""
    total, count = 0.0, 0
    for planes, ct in list(every_slice(stack, run.settings.context))[::VALIDATE_EVERY]:
        made = run.averaged(planes.to(run.device))[0, 0].cpu().numpy()
        body = ct > BODY_ABOVE_HU
        total += float(np.abs(made - ct)[body].sum())
        count += int(np.count_nonzero(body))
    return total / max(1, count)


def save(run: Run, out: Path) -> None:
    """Checkpoint (written aside, then renamed), averaged weights, and the settings beside them."""
    torch.save(run.state(), out / "checkpoint.part")
    (out / "checkpoint.part").rename(out / "checkpoint.pt")
    weights = {key: value.contiguous().cpu() for key, value in run.averaged.state_dict().items()}
    save_file(weights, out / "weights.safetensors", {"steps": str(run.step)})
    settings = yaml.safe_dump(asdict(run.settings), sort_keys=False)
    (out / "settings.yaml").write_text(settings, encoding="utf-8")


if __name__ == "__main__":
    main()
