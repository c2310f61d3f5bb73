"""Train the low-dose CT denoiser that `pipelines/ldct_denoise` serves.

On one CPU or GPU:      python -m trainers.ldct_denoise --train FOLDER... --out runs/a
On several GPUs:        torchrun --nproc-per-node 4 -m trainers.ldct_denoise --train ...
Going on:               the same command with --resume

From one's own PACS:    vscanner train ldct_denoise --from PEER --data DIR --out runs/a

A training source is a folder of one DICOM series, a NIfTI file, or the root of
LDCT-and-Projection-data with the prefix `ldct:`, or a side of a gathered data set as
`set:DIR:train` (`--data DIR` takes both sides). `name=weight@path` gives it a weight, `+thick`
after the path adds thicker slices made of thin ones:   --train chest=2@/data/chest+thick
Pairs of the low-dose collection are only read for evaluation: noise is always inserted here.

The script is read from top to bottom: settings, data, one step, the loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from pipelines.ldct_denoise.network import DenoisingNetwork
from trainers.critics.patch_critic import PatchCritic
from trainers.losses.adversarial import adversarial_game
from trainers.readers.data_set import PREFIX, read_ct_side, with_data
from trainers.readers.dicom import read_dicom
from trainers.readers.ldct_projection import read_ldct_projection
from trainers.readers.nifti import read_nifti
from trainers.readers.series import TrainingSeries
from trainers.simulation.noise_bank import (
    Stack,
    build_stack,
    draw_patches,
    fits,
    load_stack,
    save_stack,
    thickened,
)
from trainers.simulation.noise_calibration import CalibrationError
from trainers.training.card import write_card
from trainers.training.checkpoint import load_weights
from trainers.training.errors import SourceError
from trainers.training.feeding import Batch, Drawn
from trainers.training.learner import Learner
from trainers.training.rates import warm_cosine
from trainers.training.run import WEIGHTS, Run
from trainers.training.script import exit_code, parser_of
from trainers.training.settings import RunSettings, knob, settings_from
from trainers.training.sources import weight_of


@dataclass(frozen=True)
class Settings(RunSettings):
    """The knobs beside those of every run; each is an option of the command line."""

    LEAST: ClassVar = {
        **RunSettings.LEAST,
        "patch": 8,
        "rate": 0,
        "warmup": 0,
        "draws": 3,
        "every": 1,
    }

    patch: int = knob(128, "pixels along a side")
    rate: float = knob(1e-3, "highest learning rate; falls along a cosine")
    warmup: int = knob(200, "steps of rising learning rate")
    draws: int = knob(4, "noise images a slice, for it and its two neighbours")
    every: int = knob(1, "noise for each slice whose index is a multiple")
    adversarial: float = knob(0.0, "weight of the adversarial term; 0 leaves it out")


IMPORTANT_HU = (-200.0, 300.0)
"""Soft tissue: errors here count fully."""

OTHER_SHARE = 0.25
"""Weight of an error elsewhere (lung, bone)."""

AIR_HU, AIR_SHARE = -950.0, 0.02
"""Below this is air around the patient, which hardly counts."""

ZOOMS = (0.8, 1.0, 1.0, 1.25)
"""Patches are zoomed by one of these."""

NOISE_FLOOR_HU = 6.0
"""Added to the inserted noise when a patch's loss is scaled by it, so that a clean patch counts."""


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, then train."""
    parser = parser_of("ldct_denoise", __doc__, Settings)
    given = parser.parse_args(argv)
    train_on, validate_on = with_data(given.train, given.validate, given.data)
    if not train_on:
        parser.error("there is nothing to train on; name --train SOURCE or --data DIR")
    settings = settings_from(given, Settings)
    with Run(settings, given.out, higher_is_better=True) as run:
        players = Players.of(run, settings)
        if given.resume:
            run.resume()
        elif given.start:
            players.denoiser.start_from(load_weights(given.start))
        with run.processes.first_goes_first():  # the others find the noise in the bank
            stacks = read_stacks(train_on, settings, given.out / "bank")
            held_out = read_stacks(validate_on, settings, given.out / "bank", stacks)
        if not stacks:
            raise SystemExit(
                "None of the series can be trained on; each was named with its reason."
            )
        train(run, players, stacks, held_out)
        if given.data and run.processes.first:
            write_card("ldct_denoise", given.out, given.out / WEIGHTS, given.data, given.start)


# --- data ---------------------------------------------------------------------------------------


def read_stacks(
    sources: list[str], settings: Settings, bank: Path, others: Sequence[Stack] = ()
) -> list[Stack]:
    """Read every source and make its noise, or find it in the bank that an earlier run kept.

    Args:
        sources: see the top of this file.
        settings: of the run.
        bank: folder of the stacks.
        others: of the run, whose names are taken.

    Raises:
        SourceError: two series have one name, so that one would be taken for the other.
    """
    bank.mkdir(parents=True, exist_ok=True)
    stacks: list[Stack] = []
    for source in sources:
        head, _, place = source.rpartition("@")
        name, _, weight = head.partition("=")
        thick, place = place.endswith("+thick"), place.removesuffix("+thick")
        every_series = read_source(place, name)
        if thick and every_series:
            every_series += [thickened(every_series[0], n, s) for n, s in ((2, 2), (3, 2), (5, 4))]
        share = weight_of(weight, source, "name=2@PLACE") / max(1, len(every_series))
        for series in every_series:
            if any(series.name == known.name for known in (*others, *stacks)):
                raise SourceError(
                    f"Every series needs a name of its own, {series.name!r} comes twice, the "
                    f"second time from {place}: name each source once, and give folders of "
                    "different patients different names."
                )
            try:
                stacks.append(kept_stack(series, share, settings, bank))
            except CalibrationError as error:
                tqdm.write(f"left out: {series.name}: {error}")
    return stacks


def kept_stack(series: TrainingSeries, weight: float, settings: Settings, bank: Path) -> Stack:
    """The stack of one series: from the bank where it fits, or made now and put there."""
    path = bank / f"{series.name}.npz"
    if path.exists():
        stack = load_stack(path)
        if fits(stack, series, settings.every, settings.draws):
            return replace(stack, weight=weight)
    count = math.ceil(len(series.slices) / settings.every)
    with tqdm(total=count, desc=series.name, unit="slice", leave=False) as bar:
        stack = build_stack(
            series,
            every=settings.every,
            draws=settings.draws,
            weight=weight,
            random=np.random.default_rng([settings.seed, *series.name.encode()]),
            tick=bar.update,
        )
    save_stack(stack, path)
    return stack


def read_source(place: str, name: str) -> list[TrainingSeries]:
    """One series from a file or a folder of DICOM; several from NIfTI files or a collection."""
    if place.startswith("ldct:"):
        every_series = read_ldct_projection(Path(place.removeprefix("ldct:")))
        return [replace(series, name=series.patient, low=None) for series in every_series]
    if place.startswith(PREFIX):
        return read_ct_side(place)
    path = Path(place)
    if path.is_file():
        return [read_nifti(path)]
    nifti = sorted(path.glob("*.nii*"))
    return [read_nifti(file) for file in nifti] if nifti else [read_dicom(path, name or None)]


# --- one step -----------------------------------------------------------------------------------


def loss_of(output: Tensor, full: Tensor, inserted_sigma: Tensor) -> Tensor:
    """Weighted mean square error, each patch relative to the noise that it was given.

    Args:
        output: (B, 1, H, W), HU.
        full: (B, 1, H, W), HU, as acquired.
        inserted_sigma: (B,), HU.
    """
    soft = (full > IMPORTANT_HU[0]) & (full < IMPORTANT_HU[1])
    weight = torch.where(soft, 1.0, torch.where(full < AIR_HU, AIR_SHARE, OTHER_SHARE))
    error = (weight * (output - full) ** 2).mean(dim=(1, 2, 3))
    return (error / (inserted_sigma + NOISE_FLOOR_HU) ** 2).mean()


def zoomed_size(settings: Settings, step: int) -> int:
    """Side of this step's patches after zooming: other pixel sizes, and grain of other widths."""
    factor = np.random.default_rng([settings.seed, step]).choice(ZOOMS)
    return int(8 * round(factor * settings.patch / 8))


def resized(images: Tensor, size: int) -> Tensor:
    """(B, C, H, W) to (B, C, size, size), bicubic."""
    if images.shape[-1] == size:
        return images
    return functional.interpolate(images, (size, size), mode="bicubic", antialias=True)


@dataclass(frozen=True)
class Players:
    """The denoiser, and the critic where there is an adversarial term.

    Attributes:
        settings: of the run.
        denoiser: learner of the network that is shipped.
        critic: learner of the critic.
    """

    settings: Settings
    denoiser: Learner
    critic: Learner | None

    @classmethod
    def of(cls, run: Run, settings: Settings) -> Players:
        """Build the networks and their optimisers."""
        network = DenoisingNetwork().to(run.device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        adam = torch.optim.Adam(network.parameters(), settings.rate)
        rate = warm_cosine(settings.rate, settings.warmup, settings.steps)
        denoiser = run.learner("denoiser", network, adam, rate=rate, clip=1.0)
        if not settings.adversarial:
            return cls(settings, denoiser, None)
        judge = PatchCritic().to(run.device)
        adam = torch.optim.Adam(judge.parameters(), 2e-4, betas=(0.5, 0.999))
        return cls(settings, denoiser, run.learner("critic", judge, adam, average=0.0))

    @property
    def network(self) -> nn.Module:
        """The network that learns."""
        return self.denoiser.networks["denoiser"]

    @property
    def averaged(self) -> nn.Module:
        """The network that is shipped."""
        return self.denoiser.best("denoiser")


def update(run: Run, players: Players, batches: Sequence[Batch]) -> None:
    """One optimiser step of each player."""
    size = zoomed_size(players.settings, players.denoiser.steps)
    with players.denoiser.step(len(batches)) as backward:
        for batch in batches:
            low = resized(batch["low"], size).contiguous(memory_format=torch.channels_last)
            full = resized(batch["full"], size)
            with run.autocast():
                output = players.network(low)
            loss = loss_of(output.float(), full, batch["inserted_sigma"])
            run.tell(loss=loss)
            backward(loss + adversarial_term(players, output.float(), full))


def adversarial_term(players: Players, output: Tensor, full: Tensor) -> Tensor:
    """Train the critic on one batch, then give the denoiser's part of the game."""
    if players.critic is None:
        return output.new_zeros(())
    game, critic = adversarial_game("lsgan"), players.critic.networks["critic"]
    with players.critic.step() as backward:
        backward(game.discriminator(critic(full), critic(output.detach())))
    return players.settings.adversarial * game.generator(critic(output))


# --- the loop -----------------------------------------------------------------------------------


def train(run: Run, players: Players, stacks: list[Stack], held_out: list[Stack]) -> None:
    """Train until `settings.steps`; patches are drawn while the network computes."""
    settings = players.settings

    def draw(random: np.random.Generator) -> Drawn:
        return vars(draw_patches(stacks, settings.batch, settings.patch, random))

    for batches in run.steps(draw):
        update(run, players, batches)
        if run.due:
            report(run, players, held_out)


def report(run: Run, players: Players, held_out: list[Stack]) -> None:
    """Loss, gain on held-out patches and sample pictures; weights and checkpoint."""
    rate = {"rate": players.denoiser.optimiser.param_groups[0]["lr"]}
    gain, pictures = None, {}
    if held_out and run.processes.first:
        gain, pictures["low, denoised, full"] = validate(run, players.averaged, held_out)
    run.report(players.denoiser.weights(), score=gain, scalars=rate, pictures=pictures)


@torch.no_grad()
def validate(run: Run, network: nn.Module, held_out: list[Stack]) -> tuple[float, Tensor]:
    """Mean gain in dB over the input on fixed patches, in the abdominal window; and pictures.

    PSNR of the window centre 50 width 400 HU, data range 400 HU, no mask.
    """
    random = np.random.default_rng(0)
    patches = draw_patches(held_out, 48, 128, random)
    low, full = torch.from_numpy(patches.low), torch.from_numpy(patches.full)
    output = torch.cat([network(part.to(run.device)).cpu() for part in torch.split(low, 8)])
    window = -150.0, 250.0
    seen = [image.clamp(*window) for image in (low[:, 1:2], output, full)]
    before = ((seen[0] - seen[2]) ** 2).mean(dim=(1, 2, 3))
    after = ((seen[1] - seen[2]) ** 2).mean(dim=(1, 2, 3))
    told = before > 1.0  # patches of air, or without inserted noise, tell nothing
    gain = float((10 * torch.log10(before[told] / after[told])).mean())
    row = torch.cat(seen, dim=3)[:4]
    return gain, functional.interpolate((row - window[0]) / (window[1] - window[0]), scale_factor=2)


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
