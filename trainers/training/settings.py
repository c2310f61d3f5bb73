"""The knobs that every run has, and how a dataclass of knobs becomes command line options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from trainers.training.errors import SettingsError

Value = TypeVar("Value")
Knobs = TypeVar("Knobs", bound="RunSettings")

MEANING = "meaning"


def knob(default: Value, meaning: str) -> Value:
    """A field of a settings dataclass, with what `--help` says about it."""
    return field(default=default, metadata={MEANING: meaning})


@dataclass(frozen=True)
class RunSettings:
    """What every run can be told; a trainer adds its own knobs in a dataclass based on this.

    Attributes:
        LEAST: the smallest value of knobs that are numbers; a trainer adds those of its own knobs.
    """

    LEAST: ClassVar[Mapping[str, int]] = {
        **dict.fromkeys(("steps", "batch", "accumulate", "save_every", "ahead", "drawers"), 1),
        "patience": 0,
    }

    steps: int = knob(6000, "optimiser steps")
    batch: int = knob(8, "images that a process computes at once")
    accumulate: int = knob(1, "batches whose gradients are added up for one optimiser step")
    average: float = knob(0.999, "decay of the averaged weights (EMA), which are shipped; 0: none")
    seed: int = knob(1, "of everything that is random")
    save_every: int = knob(250, "steps between two reports, each with a checkpoint")
    patience: int = knob(0, "early stopping: reports without a better score; 0: never")
    device: str = knob("auto", "auto, cpu, cuda or cuda:N")
    precision: str = knob("auto", "auto (bf16 on a GPU), bf16, fp16, fp32")
    deterministic: bool = knob(False, "the same bits on every repeat, at the price of speed")
    ahead: int = knob(3, "steps whose batches are drawn ahead (prefetch)")
    drawers: int = knob(1, "threads that draw batches (data loading)")

    def __post_init__(self) -> None:
        for name, least in self.LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise SettingsError(f"--{_flag(name)} takes {least} or more, got {value}.")
        if not 0 <= self.average < 1:
            raise SettingsError(f"--average takes a number from 0 to below 1, got {self.average}.")


def add_options(parser: argparse.ArgumentParser, settings: type[RunSettings]) -> None:
    """Make every knob an option but those that are tuples: only a configuration file holds these.

    `settings_from` reads them back.
    """
    for one in fields(settings):
        if isinstance(one.default, tuple):
            parser.set_defaults(**{one.name: one.default})
        else:
            _add_option(parser, one)


def settings_from(options: argparse.Namespace | Mapping[str, Any], kind: type[Knobs]) -> Knobs:
    """The settings among the options of the command line.

    Raises:
        SettingsError: a value that cannot be used.
    """
    given = options if isinstance(options, Mapping) else vars(options)
    return kind(**{one.name: given[one.name] for one in fields(kind)})


def _add_option(parser: argparse.ArgumentParser, one: Field[Any]) -> None:
    if one.default is MISSING:
        raise SettingsError(f"The knob {one.name!r} has no default; give it one.")
    meaning = str(one.metadata.get(MEANING, ""))
    words = f"{meaning} (default {one.default})".lstrip().replace("%", "%%")
    flag = f"--{_flag(one.name)}"
    if isinstance(one.default, bool):
        action = argparse.BooleanOptionalAction
        parser.add_argument(flag, action=action, default=one.default, help=words)
    else:
        parser.add_argument(flag, type=type(one.default), default=one.default, help=words)


def _flag(name: str) -> str:
    return name.replace("_", "-")
