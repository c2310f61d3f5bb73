"""What every pipeline offers: gate, translate, call; and what comes back.

A pipeline gets its inputs by key (`CT`, `IP`, `LE` …, see its model card). The node streams:
`translate` hands slices out one by one. A researcher holds volumes: `scanner({"CT": volume})`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_profiles.volume import Volume
from pipelines.card import ModelCard
from pipelines.lights import AMBER, GREEN

if TYPE_CHECKING:
    from dicom_profiles.sources.source import Source

Slice: TypeAlias = npt.NDArray[np.float32]
"""(rows, columns) float32, in the unit of the input, one slice of a series."""

Companion: TypeAlias = npt.NDArray[Any]
"""(slices, rows, columns) on the grid of the first input: masks, uncertainty."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (slices done, slices in all) as work goes on, parts of the work counted as slices."""

Parameters: TypeAlias = Mapping[str, object]
"""Parameters by name, as the model card lists them."""


class SliceSource(Protocol):
    """A stack of slices that may be read again and again, as every `Source` is."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """(4, 4); maps (slice, row, column, 1) to LPS millimetres."""

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID, or ""."""

    def slices(self) -> Iterator[Slice]:
        """The slices in order, decoded one by one."""


@dataclass(frozen=True)
class VolumeSource:
    """A volume in memory, read as a stack of slices."""

    volume: Volume

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        slices, rows, columns = self.volume.voxels.shape
        return slices, rows, columns

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """(4, 4); maps (slice, row, column, 1) to LPS millimetres."""
        return self.volume.affine

    @property
    def frame_of_reference(self) -> str:
        """Frame of Reference UID, or ""."""
        return self.volume.frame_of_reference

    def slices(self) -> Iterator[Slice]:
        """The slices in order."""
        return (np.asarray(image, dtype=np.float32) for image in self.volume.voxels)


@dataclass(frozen=True)
class GateVerdict:
    """Whether a pipeline takes these series.

    Attributes:
        accepted: it does.
        reason: one sentence for a technologist when it does not, else "".
        reasons: every reason against it; the first is `reason`.
    """

    accepted: bool
    reason: str
    reasons: tuple[str, ...]

    @classmethod
    def from_reasons(cls, reasons: tuple[str, ...]) -> GateVerdict:
        """Accepted exactly when there is no reason against it."""
        return cls(accepted=not reasons, reason=reasons[0] if reasons else "", reasons=reasons)


@dataclass(frozen=True)
class EngineFacts:
    """What ran the network: enough to run it so again.

    Attributes:
        name: `torch` or `openvino`.
        device: `cpu`, `cuda:0`.
        hardware: the processor's or the GPU's name.
        precision: arithmetic of the convolutions, `fp32` or `bf16`.
        versions: the libraries and their versions.
        largest_difference: from the reference engine on the trial at load, in the output's
            unit; 0 for the reference itself.
    """

    name: str
    device: str
    hardware: str
    precision: str
    versions: Mapping[str, str]
    largest_difference: float


@dataclass(frozen=True)
class QualityRecord:
    """What was done to a series and how well it seems to have gone; no times, no patient.

    Attributes:
        verdict: GREEN, AMBER or RED; RED is held for a person.
        reasons: a sentence for everything that is not green.
        input_distance: how far the input is from what the model knows (Mahalanobis); its limits
            stand in `measurements` as `amber_input_distance` and `red_input_distance`.
        measurements: figures by name, unit in the name.
        parameters: every parameter of the model, defaults included.
        model: name, version, weights_sha256, calibration_sha256.
        engine: what ran the network.
        slices: how many slices were translated.
    """

    verdict: str
    reasons: tuple[str, ...]
    input_distance: float
    measurements: Mapping[str, float]
    parameters: Mapping[str, float]
    model: Mapping[str, str]
    engine: EngineFacts
    slices: int

    def with_remarks(self, remarks: tuple[str, ...]) -> QualityRecord:
        """The same with what the gate wants looked at, and then not green."""
        verdict = AMBER if remarks and self.verdict == GREEN else self.verdict
        return replace(self, verdict=verdict, reasons=(*self.reasons, *remarks))

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        record = asdict(self)
        record["reasons"] = list(self.reasons)
        return record


def no_companions() -> Mapping[str, Companion]:
    """Nothing beside the images."""
    return {}


@dataclass(frozen=True)
class Translation:
    """A translation under way.

    Attributes:
        slices: (rows, columns) float32 in the output's unit, lazily, in the order of the
            source; memory stays bounded by a few batches. Close it to stop early.
        record: gives the quality record after the last slice, `RecordNotReady` before.
        companions: gives further volumes by name after the last slice: (slices, rows, columns)
            on the grid of the first input, `{"districts": uint8}` say.
    """

    slices: Generator[Slice, None, None]
    record: Callable[[], QualityRecord]
    companions: Callable[[], Mapping[str, Companion]] = no_companions


@dataclass(frozen=True)
class Result:
    """What a researcher gets.

    Attributes:
        volume: the output on the grid of the input.
        companions: further volumes by name (masks, uncertainty).
        record: parameters, digests, quality.
    """

    volume: Volume
    companions: Mapping[str, Volume]
    record: QualityRecord


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


class Pipeline(Protocol):
    """One virtual scanner, its network loaded and warm."""

    @property
    def card(self) -> ModelCard:
        """The model card."""

    def gate(self, inputs: Mapping[str, Source]) -> GateVerdict:
        """Whether these series are in the model's scope, from their headers alone."""

    def translate(
        self,
        inputs: Mapping[str, SliceSource],
        parameters: Parameters | None = None,
        progress: Progress = no_progress,
    ) -> Translation:
        """Start to translate; work happens while the slices are taken.

        Raises:
            InputError: an input is missing or unknown.
            ParameterError: a parameter is unknown or out of its range.
        """

    def __call__(
        self, inputs: Mapping[str, Volume], parameters: Parameters | None = None
    ) -> Result:
        """Translate volumes in memory.

        Raises:
            InputError: an input is missing, unknown or in the wrong unit.
            ParameterError: a parameter is unknown or out of its range.
        """
