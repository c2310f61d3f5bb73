"""What a translation can say only after its last slice: its quality record, companions."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Generic, Protocol, TypeVar

from pipelines.contract import EngineFacts, Progress, QualityRecord, Slice, Translation
from pipelines.errors import RecordNotReady

Value = TypeVar("Value")


class AfterLastSlice(Generic[Value]):
    """A value that is there once the translation has come to its end; called, it is given.

    Args:
        name: what it is, as a sentence begins: "The quality record".
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._values: list[Value] = []

    def set(self, value: Value) -> None:
        """The end is reached."""
        self._values = [value]

    def __call__(self) -> Value:
        """The value.

        Raises:
            RecordNotReady: the last slice was not handed out yet.
        """
        if not self._values:
            raise RecordNotReady(f"{self._name} is there only after the last slice.")
        return self._values[0]


def with_record(
    images: Generator[Slice, None, None],
    total: int,
    judged: Callable[[], QualityRecord],
    progress: Progress,
) -> Translation:
    """A translation whose quality record is there before its last image is handed out.

    Args:
        images: the output, in order.
        total: how many there are.
        judged: makes the record when all of them are made.
        progress: is told of each.
    """
    record: AfterLastSlice[QualityRecord] = AfterLastSlice("The quality record")

    def handed_out() -> Generator[Slice, None, None]:
        with closing(images):
            for done, image in enumerate(images, start=1):
                if done == total:
                    record.set(judged())
                progress(done, total)
                yield image

    return Translation(handed_out(), record)


class Meter(Protocol):
    """What a pipeline measures while slices go through."""

    def verdict(self) -> tuple[str, tuple[str, ...]]:
        """GREEN, AMBER or RED, and a sentence for everything that is not green."""

    def input_distance(self) -> float:
        """How far the input is from what the model knows."""

    def measurements(self) -> dict[str, float]:
        """Figures by name, unit in the name."""


def recorded(
    meter: Meter,
    parameters: Mapping[str, float],
    model: Mapping[str, str],
    engine: EngineFacts,
    slices: int,
) -> QualityRecord:
    """The record of slices that have gone through a meter.

    Args:
        meter: has seen all of them.
        parameters: every parameter of the model.
        model: which model ran.
        engine: what ran its network.
        slices: how many there were.
    """
    verdict, reasons = meter.verdict()
    return QualityRecord(
        verdict=verdict,
        reasons=reasons,
        input_distance=round(meter.input_distance(), 4),
        measurements=meter.measurements(),
        parameters=dict(parameters),
        model=model,
        engine=engine,
        slices=slices,
    )
