"""Train the virtual contrast enhancement that `pipelines/cesm_vce` serves.

On one CPU or GPU:   python -m trainers.cesm_vce --train simulated:700 --out runs/a
On several GPUs:     torchrun --nproc-per-node 4 -m trainers.cesm_vce --train ... --out runs/a
Going on:            the same command with --resume

Sources are `simulated:COUNT`, `null:COUNT`, `cdd:ROOT` (CDD-CESM as published) and
`excerpt:FOLDER`; `@WEIGHT` after each gives its part of a batch: see `trainers.cesm.pairs`.

Five methods, by --method, the last four after Rofena et al. (arXiv 2308.00471, 2505.03018):

    folded_unet      the shipped one: a small residual U-Net, square error in the breast
    autoencoder      residual U-Net, L1; Adam 1e-3, weight decay 1e-5
    pix2pix          U-Net of 8 levels and a critic of pairs; cross entropy + 100 L1; Adam 2e-4
    cyclegan         two generators, two critics; least squares + 10 cycle + 5 identity; Adam 1e-5
    lesion_cyclegan  the same + 10 times the terms inside lesions (weights are our choice: the
                     publication gives none)

`--square 64 --width 8` trains narrower networks of the papers on smaller squares, for a comparison
(docs/comparison_of_systems.md); serving takes the published size only.

The script is read from top to bottom: settings, the methods, the loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from trainers.cesm.critic import DisplayCritic
from trainers.cesm.generators import Size, facts_of, generator_of, kind_of, way_back
from trainers.cesm.pairs import Pairs, draw_batch, patients_of, read_source, seen_of
from trainers.losses.adversarial import adversarial_game
from trainers.losses.cycle import cycle_loss, identity_loss
from trainers.losses.replay import ReplayBuffer
from trainers.readers.data_set import with_data
from trainers.readers.patients import refuse_shared, refuse_unknown
from trainers.training.card import write_card
from trainers.training.checkpoint import load_weights
from trainers.training.learner import Learner
from trainers.training.rates import Rate, warm_cosine
from trainers.training.run import WEIGHTS, Run
from trainers.training.script import exit_code, parser_of
from trainers.training.settings import RunSettings, knob, settings_from

METHODS = ("folded_unet", "autoencoder", "pix2pix", "cyclegan", "lesion_cyclegan")

RATES = {
    "folded_unet": 2e-3,
    "autoencoder": 1e-3,
    "pix2pix": 2e-4,
    "cyclegan": 1e-5,
    "lesion_cyclegan": 1e-5,
}
"""Highest learning rate of each method."""


@dataclass(frozen=True)
class Settings(RunSettings):
    """Every knob of a run; each is an option of the command line."""

    LEAST: ClassVar = {**RunSettings.LEAST, "patch": 0, "rate": 0, "warmup": 0}

    method: str = knob("folded_unet", f"one of {', '.join(METHODS)}")
    square: int = knob(256, "pixels along a side of the whole breast's square; 256 in the papers")
    width: int = knob(0, "features of the papers' generators' first level; 0: as published")
    critic_width: int = knob(64, "features of the critics' first level")
    patch: int = knob(0, "pixels along a side of a patch of it; 0 is the whole square")
    rate: float = knob(0.0, "highest learning rate; 0 takes the method's own")
    warmup: int = knob(50, "steps of rising learning rate")
    average: float = knob(0.99, "decay of the averaged weights, which are shipped; 0: no average")
    reconstruct: float = knob(100.0, "weight of L1 in pix2pix")
    cycle: float = knob(10.0, "weight of the round trip")
    identity: float = knob(5.0, "weight of leaving alone what already is recombined")
    lesion: float = knob(10.0, "weight of the terms inside lesions")
    paired: bool = knob(True, "CycleGAN's batches hold pairs, as its authors load them")
    pool: int = knob(50, "earlier images that the critics see again")

    @property
    def size(self) -> Size:
        """Of the generators."""
        return Size(self.width, self.square)


def main() -> None:
    """Read the command line, then train."""
    parser = parser_of("cesm_vce", __doc__, Settings)
    parser.add_argument("--hold-out", nargs="*", default=[], metavar="PATIENT",
                        help="patients of the sources that are not trained on")  # fmt: skip
    parser.add_argument("--kept", type=Path, help="folder of prepared pairs (default OUT/pairs)")
    given = parser.parse_args()
    train_on, validate_on = with_data(given.train, given.validate, given.data)
    if not train_on:
        parser.error("there is nothing to train on; name --train SOURCE or --data DIR")
    settings = settings_from(given, Settings)
    if settings.method not in METHODS:
        parser.error(f"--method is one of {', '.join(METHODS)}, got {settings.method!r}")
    if settings.method == "lesion_cyclegan" and not settings.paired:
        parser.error("lesion_cyclegan compares lesions with their own truth; leave --paired as is")
    kept = given.kept or given.out / "pairs"
    every = [read_source(source, kept) for source in train_on]
    wanted = "Patients of the sources are wanted after --hold-out"
    refuse_unknown(given.hold_out, patients_of(every), wanted)
    sources = [source.of(given.hold_out, without=True) for source in every]
    held_out = [read_source(source, kept, seed=9) for source in validate_on]
    refuse_shared(patients_of(sources), patients_of(held_out))
    sources, held_out = ([one.shrunk(settings.square) for one in x] for x in (sources, held_out))
    with Run(settings, given.out) as run:
        method = make_method(run, settings)
        run.facts |= facts_of(kind_of(settings.method), settings.size)
        if given.start:
            method.learner.start_from(load_weights(given.start), "generator")
        if given.resume:
            run.resume()
        train(run, settings, method, sources, held_out)
        if given.data and run.processes.first:
            write_card("cesm_vce", given.out, given.out / WEIGHTS, given.data, given.start)


# --- the methods --------------------------------------------------------------------------------

Batch = Mapping[str, Tensor]
"""`seen`, `wanted`, `lesions`: (B, 1, side, side) each, 0 to 1."""


class Method(Protocol):
    """What the loop asks of a method; its learner holds the network `generator`."""

    learner: Learner

    def update(self, batches: tuple[Batch, ...]) -> Tensor:
        """One step; tells its losses to the run and gives the last image made."""


class Supervised:
    """One network and the error of what it makes."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run = run
        self.loss = breast_loss if settings.method == "folded_unet" else l1_loss
        self.network = generator_of(settings.method, settings.size).to(run.device)
        decay = 1e-5 if settings.method == "autoencoder" else 0.0
        adam = torch.optim.Adam(self.network.parameters(), rate_of(settings), weight_decay=decay)
        self.learner = run.learner(
            "generators", {"generator": self.network}, adam, clip=1.0, rate=schedule(settings)
        )

    def update(self, batches: tuple[Batch, ...]) -> Tensor:
        """One step."""
        with self.learner.step(len(batches)) as backward:
            for batch in batches:
                with self.run.autocast():
                    made: Tensor = self.network(batch["seen"])
                loss = self.loss(made.float(), batch)
                backward(loss)
                self.run.tell(loss=loss)
        return made.detach()


def l1_loss(made: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error, every pixel."""
    return (made - batch["wanted"]).abs().mean()


def breast_loss(made: Tensor, batch: Batch) -> Tensor:
    """Root mean square error in the breast: the pipeline blackens the air, and the mean is wanted.

    Iodine that the low-energy image does not tell of is noise to the network; the square error
    asks for its mean.
    """
    breast = batch["seen"] > 0
    square = torch.where(breast, (made - batch["wanted"]) ** 2, 0.0)
    return (square.sum() / breast.sum().clamp(min=1) + 1e-6).sqrt()


class Pix2Pix:
    """A generator against a critic that sees both images of a pair."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run, self.settings = run, settings
        self.generator = generator_of("pix2pix", settings.size).to(run.device)
        self.critic = DisplayCritic(2, nn.BatchNorm2d, settings.critic_width).to(run.device)
        self.learner = run.learner(
            "generators", {"generator": self.generator}, adam_of(self.generator, settings)
        )
        self.judge = run.learner(
            "critics", self.critic, adam_of(self.critic, settings), average=0.0
        )

    def update(self, batches: tuple[Batch, ...]) -> Tensor:
        """One step of the critic, then one of the generator."""
        game = adversarial_game("bce")
        images = [(batch, self._made(batch)) for batch in batches]
        with self.judge.step(len(batches)) as backward:
            for batch, made in images:
                real = self.critic(batch["seen"], batch["wanted"])
                backward(game.discriminator(real, self.critic(batch["seen"], made.detach())))
        with self.learner.step(len(batches)) as backward, self.judge.frozen():
            for batch, made in images:
                l1 = (made - batch["wanted"]).abs().mean()
                deceived = game.generator(self.critic(batch["seen"], made))
                backward(deceived + self.settings.reconstruct * l1)
                self.run.tell(l1=l1, adversarial=deceived)
        return made.detach()

    def _made(self, batch: Batch) -> Tensor:
        with self.run.autocast():
            made: Tensor = self.generator(batch["seen"])
        return made.float()


class CycleGan:
    """Two generators and two critics; inside lesions every term may count again."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run, self.settings = run, settings
        self.forth = generator_of("cyclegan", settings.size).to(run.device)
        self.back = way_back(settings.size).to(run.device)
        self.critics = nn.ModuleDict(
            {name: DisplayCritic(width=settings.critic_width) for name in ("wanted", "seen")}
        )
        self.critics.to(run.device)
        both = nn.ModuleList([self.forth, self.back])
        self.learner = run.learner(
            "generators", {"generator": self.forth, "back": self.back}, adam_of(both, settings)
        )
        self.judge = run.learner(
            "critics", self.critics, adam_of(self.critics, settings), average=0.0
        )
        self.pools = {name: ReplayBuffer(settings.pool, settings.seed) for name in self.critics}

    def update(self, batches: tuple[Batch, ...]) -> Tensor:
        """One step of the generators, then one of the critics."""
        game = adversarial_game("lsgan")
        made: list[tuple[Batch, dict[str, Tensor]]] = []
        with self.learner.step(len(batches)) as backward, self.judge.frozen():
            for batch in batches:
                loss, fakes = self._generators(batch)
                backward(loss)
                made.append((batch, fakes))
        with self.judge.step(len(batches)) as backward:
            for batch, fakes in made:
                losses = []
                for name, critic in self.critics.items():
                    (earlier,) = self.pools[name].exchange(fakes[name])
                    losses.append(game.discriminator(critic(batch[name]), critic(earlier)))
                backward(torch.stack(losses).sum())
        return made[-1][1]["wanted"]

    def _generators(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        game, settings = adversarial_game("lsgan"), self.settings
        seen, wanted = batch["seen"], batch["wanted"]
        with self.run.autocast():
            there, back = self.forth(seen), self.back(wanted)
            rounds = [self.back(there), self.forth(back)]
            same = [self.back(seen), self.forth(wanted)]
        fakes = {"wanted": there.float(), "seen": back.float()}
        deceived = torch.stack([game.generator(self.critics[k](v)) for k, v in fakes.items()]).sum()
        cycle = 2 * cycle_loss([image.float() for image in rounds], [seen, wanted])
        identity = identity_loss(same[0].float(), seen) + identity_loss(same[1].float(), wanted)
        loss = deceived + settings.cycle * cycle + settings.identity * identity
        if settings.method == "lesion_cyclegan":
            inside = batch["lesions"]
            terms = [
                (fakes["wanted"], wanted),
                (rounds[0].float(), seen),
                (same[1].float(), wanted),
            ]
            lesion = torch.stack([inside_loss(a, b, inside) for a, b in terms]).sum()
            loss = loss + settings.lesion * lesion
            self.run.tell(lesion=lesion)
        self.run.tell(adversarial=deceived, cycle=cycle, identity=identity)
        return loss, {name: image.detach() for name, image in fakes.items()}


def inside_loss(made: Tensor, wanted: Tensor, inside: Tensor) -> Tensor:
    """Mean absolute error inside lesions; 0 where there is none."""
    return (inside * (made - wanted).abs()).sum() / inside.sum().clamp(min=1.0)


def make_method(run: Run, settings: Settings) -> Method:
    """The method that the settings name."""
    if settings.method == "pix2pix":
        return Pix2Pix(run, settings)
    if "cyclegan" in settings.method:
        return CycleGan(run, settings)
    return Supervised(run, settings)


def rate_of(settings: Settings) -> float:
    """Highest learning rate."""
    return settings.rate or RATES[settings.method]


def adam_of(network: nn.Module, settings: Settings) -> torch.optim.Adam:
    """Adam as GANs use it."""
    return torch.optim.Adam(network.parameters(), rate_of(settings), betas=(0.5, 0.999))


def schedule(settings: Settings) -> Rate:
    """Linear rise, then a cosine."""
    return warm_cosine(rate_of(settings), settings.warmup, settings.steps)


# --- the loop -----------------------------------------------------------------------------------


def train(
    run: Run, settings: Settings, method: Method, sources: list[Pairs], held_out: list[Pairs]
) -> None:
    """Train until `settings.steps`; pairs are drawn and varied while the network computes."""
    paired = settings.paired or "cyclegan" not in settings.method

    def draw(random: np.random.Generator) -> dict[str, np.ndarray]:
        side = settings.patch or settings.square
        drawn = draw_batch(sources, settings.batch, random, paired=paired, side=side)
        return dict(drawn)

    for batches in run.steps(draw):
        made = method.update(batches)
        if not run.due:
            continue
        network = method.learner.best("generator")
        score = validate(network, held_out) if held_out and run.processes.first else None
        pictures = {"seen": batches[-1]["seen"], "made": made, "wanted": batches[-1]["wanted"]}
        run.report(method.learner.weights(generator=""), score=score, pictures=pictures)


@torch.no_grad()
def validate(network: nn.Module, held_out: list[Pairs]) -> float:
    """Mean absolute error on pairs as they are, the air black as in serving, every pixel."""
    network.eval()
    device = next(network.parameters()).device
    errors = []
    for source in held_out:
        for low, wanted in zip(source.low, source.recombined, strict=True):
            made = network(torch.from_numpy(seen_of(low))[None, None].to(device))
            shown = np.where(low > 0, made[0, 0].cpu().numpy(), 0.0)
            errors.append(float(np.abs(shown - wanted).mean()))
    network.train()
    return float(np.mean(errors))


if __name__ == "__main__":
    raise SystemExit(exit_code(main))
