"""Train the low-dose CT denoiser that `pipelines/ldct_denoise` serves.

On one CPU or GPU:      python -m trainers.ldct_denoise --train FOLDER... --out runs/a
On several GPUs:        torchrun --nproc-per-node 4 -m trainers.ldct_denoise --train ...
Going on:               the same command with --resume

A training source is a folder of one DICOM series, a NIfTI file, or the root of
LDCT-and-Projection-data with the prefix `ldct:`. `name=weight@path` gives it a weight, `+thick`
after the path adds thicker slices made of thin ones:   --train chest=2@/data/chest+thick
Pairs of the low-dose collection are only read for evaluation: noise is always inserted here.

The script is read from top to bottom: settings, data, one step, the loop.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from pipelines.ldct_denoise.network import DenoisingNetwork
from trainers.losses.adversarial import adversarial_game
from trainers.noise_bank import (
    Patches,
    Stack,
    build_stack,
    draw_patches,
    load_stack,
    save_stack,
    thickened,
)
from trainers.noise_calibration import CalibrationError
from trainers.patch_critic import PatchCritic, average_gradients
from trainers.readers.dicom import read_dicom
from trainers.readers.ldct_projection import read_ldct_projection
from trainers.readers.nifti import read_nifti
from trainers.readers.series import TrainingSeries


@dataclass(frozen=True)
class Settings:
    """Every knob of a run; each is an option of the command line."""

    steps: int = 6000  # optimiser steps
    batch: int = 8  # patches a step and process
    patch: int = 128  # pixels along a side
    rate: float = 1e-3  # highest learning rate; falls along a cosine
    warmup: int = 200  # steps of rising learning rate
    average: float = 0.999  # decay of the averaged weights, which are the ones that are shipped
    draws: int = 4  # noise images a slice
    every: int = 1  # noise for each slice whose index is a multiple
    adversarial: float = 0.0  # weight of the least-squares adversarial term; 0 leaves it out
    seed: int = 1  # of everything that is random
    save_every: int = 250  # steps between two checkpoints
    device: str = "auto"  # auto, cpu, cuda
    precision: str = "auto"  # auto (bf16 on a GPU), bf16, fp32


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


def main() -> None:
    """Read the command line, then train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", nargs="+", required=True, metavar="SOURCE")
    parser.add_argument("--validate", nargs="*", default=[], metavar="SOURCE")
    parser.add_argument("--out", type=Path, required=True, help="weights, checkpoint, TensorBoard")
    parser.add_argument("--start", type=Path, metavar="WEIGHTS", help="start from these weights")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    for name, value in asdict(Settings()).items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(value), default=value, help=f"(default {value})")
    options = vars(parser.parse_args())
    sources, held_out = options.pop("train"), options.pop("validate")
    out, resume, start = options.pop("out"), options.pop("resume"), options.pop("start")
    settings = Settings(**options)
    run = Run(settings, out)
    if resume:
        run.resume()
    elif start:
        run.start_from(start)
    if run.rank != 0:
        distributed.barrier()  # the first process makes the noise, the others find it in the bank
    stacks = read_stacks(sources, settings, out / "bank")
    held_out_stacks = read_stacks(held_out, settings, out / "bank")
    if run.rank == 0 and distributed.is_initialized():
        distributed.barrier()
    train(run, stacks, held_out_stacks)


# --- data ---------------------------------------------------------------------------------------


def read_stacks(sources: list[str], settings: Settings, bank: Path) -> list[Stack]:
    """Read every source and make its noise, or find it in the bank that an earlier run kept."""
    bank.mkdir(parents=True, exist_ok=True)
    stacks = []
    for source in sources:
        head, _, place = source.rpartition("@")
        name, _, weight = head.partition("=")
        thick, place = place.endswith("+thick"), place.removesuffix("+thick")
        every_series = read_source(place, name)
        if thick:
            every_series += [thickened(every_series[0], n, s) for n, s in ((2, 2), (3, 2), (5, 4))]
        share = float(weight or 1) / len(every_series)
        for series in every_series:
            try:
                stacks.append(kept_stack(series, share, settings, bank))
            except CalibrationError as error:
                tqdm.write(f"left out: {series.name}: {error}")
    return stacks


def kept_stack(series: TrainingSeries, weight: float, settings: Settings, bank: Path) -> Stack:
    """The stack of one series: from the bank, or made now and put there."""
    path = bank / f"{series.name}.npz"
    if path.exists():
        return replace(load_stack(path), weight=weight)
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


def learning_rate(step: int, settings: Settings) -> float:
    """Linear rise, then a cosine down to a hundredth."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


class Run:
    """Network, averaged network, optimiser and critic of one run, and how they are saved.

    Args:
        settings: of the run.
        out: folder of the checkpoint and the weights.
    """

    def __init__(self, settings: Settings, out: Path) -> None:
        self.rank = start_process_group(settings)
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(settings.seed)
        self.settings, self.out, self.step = settings, out, 0
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(wanted if settings.device == "auto" else settings.device)
        on_gpu = self.device.type == "cuda"
        self.half = settings.precision == "bf16" or (settings.precision == "auto" and on_gpu)
        self.network = DenoisingNetwork().to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = DenoisingNetwork().to(self.device)
        self.averaged.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.Adam(self.network.parameters(), settings.rate)
        self.critic = PatchCritic().to(self.device) if settings.adversarial else None
        self.critic_optimiser = (
            torch.optim.Adam(self.critic.parameters(), 2e-4, betas=(0.5, 0.999))
            if self.critic
            else None
        )
        self.parallel: nn.Module = self.network
        if distributed.is_initialized():
            self.parallel = nn.parallel.DistributedDataParallel(self.network)

    def update(self, patches: Patches) -> float:
        """One optimiser step; gives the loss."""
        size = zoomed_size(self.settings, self.step)
        low = resized(torch.from_numpy(patches.low).to(self.device), size)
        low = low.contiguous(memory_format=torch.channels_last)
        full = resized(torch.from_numpy(patches.full).to(self.device), size)
        sigma = torch.from_numpy(patches.inserted_sigma).to(self.device)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.settings)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            output = self.parallel(low)
        loss = loss_of(output.float(), full, sigma)
        total = loss + self._adversarial(output.float(), full) if self.critic else loss
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self._average()
        self.step += 1
        return loss.item()

    def _adversarial(self, output: Tensor, full: Tensor) -> Tensor:
        """Train the critic, then give the generator's adversarial term."""
        assert self.critic is not None
        assert self.critic_optimiser is not None
        game = adversarial_game("lsgan")
        judged = game.discriminator(self.critic(full), self.critic(output.detach()))
        self.critic_optimiser.zero_grad(set_to_none=True)
        judged.backward()  # type: ignore[no-untyped-call]
        average_gradients(self.critic)
        self.critic_optimiser.step()
        return self.settings.adversarial * game.generator(self.critic(output))

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for mean, new in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)

    def save(self) -> None:
        """Checkpoint (written aside, then renamed) and the averaged weights."""
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "critic": self.critic.state_dict() if self.critic else None,
            "critic_optimiser": self.critic_optimiser and self.critic_optimiser.state_dict(),
            "settings": asdict(self.settings),
        }
        torch.save(state, self.out / "checkpoint.part")
        (self.out / "checkpoint.part").rename(self.out / "checkpoint.pt")
        averaged = self.averaged.state_dict()
        weights = {key: value.contiguous().cpu() for key, value in averaged.items()}
        save_file(weights, self.out / "weights.safetensors", {"steps": str(self.step)})

    def start_from(self, weights: Path) -> None:
        """Begin with trained weights, at step 0."""
        self.network.load_state_dict(load_file(weights))
        self.averaged.load_state_dict(self.network.state_dict())

    def resume(self) -> None:
        """Go on from the checkpoint; what is random depends on the seed and the step alone."""
        state = torch.load(self.out / "checkpoint.pt", self.device, weights_only=True)
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.critic and self.critic_optimiser:
            self.critic.load_state_dict(state["critic"])
            if state.get("critic_optimiser"):  # earlier checkpoints have none
                self.critic_optimiser.load_state_dict(state["critic_optimiser"])


# --- the loop -----------------------------------------------------------------------------------


def train(run: Run, stacks: list[Stack], held_out: list[Stack]) -> None:
    """Train until `settings.steps`; patches are drawn while the network computes."""
    settings, rank = run.settings, run.rank
    board = SummaryWriter(run.out / "tensorboard") if rank == 0 else None
    bar = tqdm(total=settings.steps, initial=run.step, unit="step", disable=rank != 0)
    recent: list[float] = []
    started, first = time.monotonic(), run.step

    def draw(step: int) -> Patches:
        random = np.random.default_rng([settings.seed, rank, step])
        return draw_patches(stacks, settings.batch, settings.patch, random)

    drawer = ThreadPoolExecutor(1)
    coming = drawer.submit(draw, run.step)
    while run.step < settings.steps:
        patches, coming = coming.result(), drawer.submit(draw, run.step + 1)
        recent.append(run.update(patches))
        bar.update()
        if run.step % settings.save_every == 0 or run.step == settings.steps:
            if board is not None:
                rate = (run.step - first) * settings.batch / (time.monotonic() - started)
                report(run, board, recent, held_out, rate)
                run.save()
            recent.clear()
    bar.close()
    drawer.shutdown()
    if board is not None:
        board.close()
    if distributed.is_initialized():
        distributed.destroy_process_group()


def start_process_group(settings: Settings) -> int:
    """Join the processes of `torchrun`, when there are any; gives our rank."""
    if "RANK" not in os.environ:
        return 0
    on_gpu = settings.device != "cpu" and torch.cuda.is_available()
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return distributed.get_rank()


def report(
    run: Run, board: Any, recent: list[float], held_out: list[Stack], images_per_s: float
) -> None:
    """Loss, gain on held-out patches and sample pictures; one line to the terminal."""
    board.add_scalar("loss/train", float(np.mean(recent)), run.step)
    board.add_scalar("rate", learning_rate(run.step, run.settings), run.step)
    board.add_scalar("patches_per_s", images_per_s, run.step)
    line = f"step {run.step}  loss {np.mean(recent):.4f}  {images_per_s:.1f} patches/s"
    if held_out:
        gain, pictures = validate(run, held_out)
        board.add_scalar("gain_dB/validation", gain, run.step)
        board.add_images("low, denoised, full", pictures, run.step)
        line += f"  validation gain {gain:.3f} dB"
    tqdm.write(line)


@torch.no_grad()
def validate(run: Run, held_out: list[Stack]) -> tuple[float, Tensor]:
    """Mean gain in dB over the input on fixed patches, in the abdominal window; and pictures.

    PSNR of the window centre 50 width 400 HU, data range 400 HU, no mask.
    """
    random = np.random.default_rng(0)
    patches = draw_patches(held_out, 48, 128, random)
    low, full = torch.from_numpy(patches.low), torch.from_numpy(patches.full)
    output = torch.cat([run.averaged(part.to(run.device)).cpu() for part in torch.split(low, 8)])
    window = -150.0, 250.0
    seen = [image.clamp(*window) for image in (low[:, 1:2], output, full)]
    before = ((seen[0] - seen[2]) ** 2).mean(dim=(1, 2, 3))
    after = ((seen[1] - seen[2]) ** 2).mean(dim=(1, 2, 3))
    told = before > 1.0  # patches of air, or without inserted noise, tell nothing
    gain = float((10 * torch.log10(before[told] / after[told])).mean())
    row = torch.cat(seen, dim=3)[:4]
    return gain, functional.interpolate((row - window[0]) / (window[1] - window[0]), scale_factor=2)


if __name__ == "__main__":
    main()
