"""Train the networks that `pipelines/ct_to_pet` serves: CT to FDG uptake, a model a district.

A district's model:   python -m trainers.ct_to_pet --train sts:FOLDER 10=simulated:16
                          --district legs --out runs/legs
The single model:     the same with --district all
On several GPUs:      torchrun --nproc-per-node 4 -m trainers.ct_to_pet ...
Going on:             the same command with --resume
Into one file:        python -m trainers.publishing.ct_to_pet legs=runs/legs ... --out FILE

Sources are `sts:FOLDER`, `autopet:FOLDER` (FDG-PET-CT-Lesions), `set:DIR:train` (a side of a
gathered data set; `--data DIR` takes both) and `simulated:COUNT`; a number and `=` before one sets
how often it is drawn. Three methods:

    residual_unet   L1 in SUV: what is shipped. Its best guess is the median, so it is never bold.
                    Beside it the same features have to tell outlined lesions (`--lesion`).
    pix2pix         3-D Pix2Pix as published: LSGAN and lambda x L1 on patches of 32 cubes;
                    with `--adversarial 0` its generator by L1 alone, to compare.
    cyclegan        3-D CycleGAN: two generators, two critics, cycles of weight 10, unpaired.

The script is read from top to bottom: settings, data, one step of each method, the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor, nn

from pipelines.ct_to_pet.districts import LABELS
from pipelines.ct_to_pet.network import (
    SUV_RANGE,
    GeneratedUptake,
    PatchGenerator,
    UptakeNetwork,
    unfolded,
)
from pipelines.ct_to_pet.patches import Patches, Tiling, translated
from pipelines.ct_to_pet.weights import GRANULE
from trainers.critics.patch_critic_3d import PatchCritic3d
from trainers.ct_pet.bank import Bank, read_bank
from trainers.ct_pet.patches import Cutting, district_mask, draw_patches
from trainers.losses.adversarial import adversarial_game
from trainers.losses.cycle import cycle_loss
from trainers.losses.replay import ReplayBuffer
from trainers.readers.data_set import with_data
from trainers.readers.patients import refuse_unknown
from trainers.training.card import write_card
from trainers.training.checkpoint import load_weights
from trainers.training.errors import SettingsError, SourceError
from trainers.training.feeding import Batch
from trainers.training.learner import Learner
from trainers.training.rates import warm_cosine
from trainers.training.run import WEIGHTS, Run
from trainers.training.script import exit_code, parser_of
from trainers.training.settings import RunSettings, knob, settings_from

NEARLY_AIR = -1.5
"""Before tanh: -910 HU, from where a network still learns."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """Every knob of a run; each is an option of the command line."""

    LEAST: ClassVar = {**RunSettings.LEAST, "patch": 1, "rate": 0, "warmup": 0}

    steps: int = knob(1200, "optimiser steps")
    batch: int = knob(2, "patches a step and process")
    average: float = knob(0.99, "decay of the averaged weights, which are shipped")
    save_every: int = knob(200, "steps between two reports")
    district: str = knob("all", "legs, trunk, head, arms, several joined by +, or all")
    method: str = knob("residual_unet", "residual_unet, pix2pix or cyclegan")
    patch: int = knob(48, "cubes of 4 mm along a side; the GANs take 32")
    widths: str = knob("24,48,64,64", "features of the residual U-Net at each level")
    width: int = knob(64, "features of the GANs' first level; 64 in the paper")
    rate: float = knob(1e-3, "highest learning rate; 2e-4 for the GANs")
    warmup: int = knob(50, "steps of rising learning rate")
    decay: float = knob(1e-3, "weight decay of the residual U-Net")
    dropout: float = knob(0.0, "share of the residual U-Net's deeper features that is left out")
    lesion: float = knob(0.0, "weight of telling outlined lesions, beside L1 (residual U-Net)")
    cut: float = knob(0.3, "share of patches that are shown as if the scan ended earlier")
    adversarial: float = knob(1.0, "weight of the critic's term (Pix2Pix); 0: L1 alone, no critic")
    lambda_l1: float = knob(100.0, "weight of L1 beside the adversarial term (Pix2Pix)")
    lambda_cycle: float = knob(10.0, "weight of the cycles (CycleGAN)")
    pool: int = knob(50, "earlier fakes that a critic is shown as well")

    @property
    def granule(self) -> int:
        """What sides of patches are multiples of; 0 for generators of one size."""
        return GRANULE if self.method == "residual_unet" else 0


OVERLAP = 16
"""Cubes that neighbouring patches share when a whole scan is translated, as in the paper."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, then train."""
    parser = parser_of("ct_to_pet", __doc__, Settings, validate="PATIENT")
    parser.add_argument("--leave-out", nargs="*", default=[], metavar="PATIENT")
    parser.add_argument("--bank", type=Path, help="pairs on cubes are kept here (default OUT/bank)")
    given = parser.parse_args(arguments)
    train_on, measured = with_data(given.train, (), given.data)
    if not train_on:
        parser.error("there is nothing to train on; name --train SOURCE or --data DIR")
    settings = settings_from(given, Settings)
    known = {*LABELS, "all"}
    if not known.issuperset(settings.district.split("+")) or settings.method not in METHODS:
        parser.error(f"--district is of {sorted(known)}, --method one of {tuple(METHODS)}")
    folder = given.bank or given.out / "bank"
    kept_out = [*given.leave_out, *given.validate]
    bank = read_bank(train_on, folder, kept_out)
    wanted = "Patients of the sources are wanted after --leave-out and --validate"
    refuse_unknown(kept_out, (pair.patient for pair in bank.left_out), wanted)
    if not bank.pairs:
        raise SourceError(f"No pair of CT and PET is left to train on in {', '.join(train_on)}.")
    held_out = [pair for pair in bank.left_out if pair.patient not in given.leave_out]
    held_out += read_bank(measured, folder).pairs
    with Run(settings, given.out) as run:
        method = METHODS[settings.method](run, settings)
        if given.start:
            method.learner.start_from(load_weights(given.start), "uptake")
        if given.resume:
            run.resume()
        train(run, method, bank, Bank(tuple(held_out), np.ones(len(held_out))))
        if given.data and run.processes.first:
            write_card("ct_to_pet", given.out, given.out / WEIGHTS, given.data, given.start)


# --- one step of each method --------------------------------------------------------------------


def weighted_l1(made: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error in SUV over what counts: made and truth (B, 1, D, H, W)."""
    weight = batch["weight"]
    return ((made - batch["suv"]).abs() * weight).sum() / weight.sum()


def lesions_told(logits: Tensor, batch: Batch) -> Tensor:
    """Cross entropy of outlined lesions, where they are known: logits (B, 1, D, H, W)."""
    weight = batch["outlined"]
    wrong = F.binary_cross_entropy_with_logits(logits, batch["lesion"], reduction="none")
    return (wrong * weight).sum() / weight.sum().clamp(min=1.0)


def widths_of(text: str) -> list[int]:
    """The features of each level, from `24,48,64`.

    Raises:
        SettingsError: there is something else among them.
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise SettingsError(f"--widths takes numbers with commas, as 24,48,64,64; got {text!r}.")
    return [int(part) for part in parts]


class ResidualUnet:
    """Plain regression; a second head, which is not shipped, tells lesions.

    Args:
        run: its device and precision are used.
        settings: of the run.
    """

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run = run
        widths = widths_of(settings.widths)
        network = UptakeNetwork(widths, settings.dropout)
        tells = nn.Conv3d(widths[0], 8, 3, padding=1)
        both = nn.ModuleList([network, tells])
        both.to(run.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        adam = torch.optim.AdamW(both.parameters(), settings.rate, weight_decay=settings.decay)
        self.learner: Learner = run.learner(
            "uptake", {"uptake": network, "lesion": tells}, adam, clip=1.0,
            rate=warm_cosine(settings.rate, settings.warmup, settings.steps),
        )  # fmt: skip
        self.network, self.tells, self.share = network, tells, settings.lesion

    def step(self, batches: Sequence[Batch]) -> None:
        """One optimiser step."""
        with self.learner.step(len(batches)) as backward:
            for batch in batches:
                seen = batch["seen"].contiguous(memory_format=torch.channels_last_3d)
                with self.run.autocast():
                    features = self.network.features(seen)
                    made, logits = self.network.uptake_of(features), unfolded(self.tells(features))
                l1, lesion = weighted_l1(made.float(), batch), lesions_told(logits.float(), batch)
                backward(l1 + self.share * lesion)
                self.run.tell(l1=l1, lesion=lesion)


class Pix2Pix:
    """Generator against a critic that sees CT and PET together; lambda x L1 holds it to the truth.

    With `--adversarial 0` the critic neither plays nor learns: the same generator by L1 alone.

    Args:
        run: its device and precision are used.
        settings: of the run.
    """

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run, self.settings = run, settings
        self.uptake = GeneratedUptake(settings.width).to(run.device)
        self.critic = PatchCritic3d(settings.width, inputs=4).to(run.device)
        self.learner = run.learner(
            "uptake", {"uptake": self.uptake}, gan_adam(settings, self.uptake)
        )
        self.judge = run.learner(
            "critic", self.critic, gan_adam(settings, self.critic), average=0.0
        )
        self.pool = ReplayBuffer(settings.pool, settings.seed)
        self.game = adversarial_game("lsgan")

    def step(self, batches: Sequence[Batch]) -> None:
        """The critic's step, then the generator's."""
        for batch in batches:
            seen, real = batch["seen"], batch["suv"].clamp(0, SUV_RANGE) / SUV_RANGE
            with self.run.autocast():
                made = self.uptake.generator(seen)
            made = made.float()
            if self.settings.adversarial:
                self._learn_to_judge(seen, real, made)
            with self.learner.step() as backward, self.judge.frozen():
                l1 = (made - real).abs().mean()
                loss = self.settings.lambda_l1 * l1
                if self.settings.adversarial:
                    fooled = self.game.generator(self.critic(torch.cat([seen, made], dim=1)))
                    loss = loss + self.settings.adversarial * fooled
                    self.run.tell(fooled=fooled)
                backward(loss)
            self.run.tell(l1=SUV_RANGE * l1)

    def _learn_to_judge(self, seen: Tensor, real: Tensor, made: Tensor) -> None:
        shown = self.pool.exchange(torch.cat([seen, made], dim=1))[0]
        with self.judge.step() as backward:
            judged = self.critic(torch.cat([seen, real], dim=1)), self.critic(shown)
            loss = self.game.discriminator(*judged)
            backward(loss)
        self.run.tell(critic=loss)


class CycleGan:
    """CT to PET and back, each with a critic; the PET of a batch is of other patches than its CT.

    Args:
        run: its device and precision are used.
        settings: of the run.
    """

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run, self.settings = run, settings
        width = settings.width
        self.uptake = GeneratedUptake(width).to(run.device)
        self.back = PatchGenerator(width, inputs=1, outputs=1).to(run.device)
        start_from_air(self.back)
        self.critics = nn.ModuleDict(
            {name: PatchCritic3d(width, inputs=1) for name in ("pet", "ct")}
        ).to(run.device)
        both = nn.ModuleList([self.uptake, self.back])
        networks = {"uptake": self.uptake, "back": self.back}
        self.learner = run.learner("uptake", networks, gan_adam(settings, both))
        self.judge = run.learner(
            "critics", self.critics, gan_adam(settings, self.critics), average=0.0
        )
        self.pools = {name: ReplayBuffer(settings.pool, settings.seed) for name in ("pet", "ct")}
        self.game = adversarial_game("lsgan")

    def step(self, batches: Sequence[Batch]) -> None:
        """The generators' step, then the critics'."""
        for batch in batches:
            seen = batch["seen"]
            ct = seen[:, :1].clamp(-1, 1)
            pet = batch["suv"].roll(1, 0).clamp(0, SUV_RANGE) / SUV_RANGE  # another patch
            with self.learner.step() as backward, self.judge.frozen():
                made_pet, made_ct = self.uptake.generator(seen), self.back(pet)
                fooled = self.game.generator(self.critics["pet"](made_pet)) + self.game.generator(
                    self.critics["ct"](made_ct)
                )
                there_and_back = self.back(made_pet), self.uptake.generator(as_seen(made_ct))
                cycle = cycle_loss(there_and_back, (ct, pet))
                backward(fooled + 2 * self.settings.lambda_cycle * cycle)
            with self.judge.step() as backward:
                backward(self._judged("pet", pet, made_pet) + self._judged("ct", ct, made_ct))
            self.run.tell(cycle=cycle, fooled=fooled)

    def _judged(self, name: str, real: Tensor, made: Tensor) -> Tensor:
        critic, shown = self.critics[name], self.pools[name].exchange(made)[0]
        return self.game.discriminator(critic(real), critic(shown))


def start_from_air(back: PatchGenerator) -> None:
    """Let the untrained way back draw a CT of air, as the way there begins with a PET of nothing.

    Begun at 0, water, it turns what is warm into air: the game then settles on a CT with its
    contrast upside down, the cycle keeps it there, and the PET is turned with it.
    """
    bias = back.up[-1].bias
    assert isinstance(bias, Tensor)
    nn.init.constant_(bias, NEARLY_AIR)


def as_seen(ct: Tensor) -> Tensor:
    """A CT that was made (first channel only) as a network is shown one, without texture."""
    return torch.cat([ct, ((ct * 1000).clamp(-200, 300) - 20) / 100, torch.zeros_like(ct)], dim=1)


def gan_adam(settings: Settings, networks: nn.Module) -> torch.optim.Optimizer:
    """Adam as all these GANs have it."""
    return torch.optim.Adam(networks.parameters(), settings.rate, betas=(0.5, 0.999))


Method = ResidualUnet | Pix2Pix | CycleGan
METHODS: dict[str, Callable[[Run, Settings], Method]] = {
    "residual_unet": ResidualUnet,
    "pix2pix": Pix2Pix,
    "cyclegan": CycleGan,
}


# --- the loop -----------------------------------------------------------------------------------


def train(run: Run, method: Method, bank: Bank, held_out: Bank) -> None:
    """Train until `settings.steps`; reports measure the patients that are held out."""
    settings = run.settings
    assert isinstance(settings, Settings)

    cutting = Cutting(settings.district, settings.patch, settings.granule, settings.cut)

    def draw(random: np.random.Generator) -> dict[str, np.ndarray]:
        return dict(draw_patches(bank, cutting, settings.batch, random))

    for batches in run.steps(draw):
        method.step(batches)
        if run.due:
            score = validated(method.learner.best("uptake"), held_out, settings, run.device)
            run.report(method.learner.weights(uptake=""), score=score)
            if score is not None:
                run.board.say(f"step {run.step}: held-out L1 {score:.4f} SUV")


@torch.no_grad()
def validated(
    network: nn.Module, held_out: Bank, settings: Settings, device: torch.device
) -> float | None:
    """Mean over patients of the mean absolute error in the body (district), run as it is served."""
    tiling = Tiling(settings.patch, OVERLAP, settings.method == "residual_unet", settings.granule)

    def run(batches: Iterable[Patches]) -> Iterator[Patches]:
        for batch in batches:
            yield network(torch.from_numpy(batch).to(device)).float().cpu().numpy()

    network.eval()
    errors = []
    for pair in held_out.pairs:
        inside = district_mask(pair, settings.district)
        if inside.any():
            made = translated(pair.seen.astype(np.float32), inside, tiling, run, batch=1)
            errors.append(float(np.abs(made - pair.suv)[inside].mean()))
    network.train()
    return float(np.mean(errors)) if errors else None


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
