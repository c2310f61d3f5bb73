"""The pipeline: MR in, synthetic CT out, slice by slice, with its quality record."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipelines import catalog
from pipelines.contract import Progress, Slice, SliceSource, Translation
from pipelines.engines.engine import read_ahead, slabs
from pipelines.errors import InputError, NothingToTranslate
from pipelines.inputs import checked_slices
from pipelines.mr_to_ct.models import Model, load_models
from pipelines.mr_to_ct.outline import outside
from pipelines.mr_to_ct.padding import filled, reach_of
from pipelines.mr_to_ct.quality import (
    BODY_ABOVE,
    Calibration,
    QualityMeter,
    read_calibration,
)
from pipelines.mr_to_ct.scaling import bright_end, scaled
from pipelines.mr_to_ct.stacked import stacked
from pipelines.mr_to_ct.working_grid import WorkingGrid
from pipelines.recording import recorded, with_record
from pipelines.scanner import Scanner

NAME = "mr_to_ct"

SLABS_AHEAD = 4
"""Slabs that a thread reads and decodes while the network runs."""

TWICE = 1.5
"""Of the parameter `answers`: from here on both answers to a slice are averaged."""

SET = 0.5
"""Of the parameter `blank_is_air`: from here on it is so."""

SECOND_ANSWERS = 4
"""Slices, evenly spread, that the network is asked about a second time where one answer will do:
mirrored from left to right, its neighbours in reverse order. Both answers tell how sure it is."""

AIR_HU = np.float32(-1000.0)

FALLBACK = "The opposed phase is missing: the model for the in-phase images alone was used."
SAME_PLACE_MM = 0.1


def load(device: str = "auto", threads: int = 0) -> MrToCt:
    """Load the weights that the card names into the engines that suit the device."""
    card = catalog.card(NAME)
    _, content = catalog.verified_weights(catalog.weights_path(NAME), card.weights.sha256)
    models = load_models(content, device, threads)
    return MrToCt(card, models, read_calibration(catalog.folder(NAME)))


@dataclass(frozen=True, eq=False)
class MrToCt(Scanner):
    """Makes CT of MR.

    Attributes:
        models: by the inputs that they take, which are the card's sets.
        calibration: what their inputs look like.
    """

    models: Mapping[tuple[str, ...], Model]
    calibration: Calibration

    def start(
        self, sources: Mapping[str, SliceSource], values: Mapping[str, float], progress: Progress
    ) -> Translation:
        """Start to translate `{"IP": …, "OOP": …}`, `{"IP": …}` or `{"T1": …}`."""
        given = list(sources.values())
        _refuse_other_grids(given)
        model, total = self.models[tuple(sources)], given[0].shape[0]
        remarks = (FALLBACK,) if model.name == "in_phase" else ()
        meter = QualityMeter(self.calibration.known[model.name], remarks)
        identity = self.card.identity(self.calibration.sha256) | {"network": model.name}
        return with_record(
            _Run(model, given, values, meter).slices(),
            total,
            lambda: recorded(meter, values, identity, model.engine.facts, total),
            progress,
        )


class _Run:
    """One translation under way."""

    def __init__(
        self,
        model: Model,
        sources: list[SliceSource],
        values: Mapping[str, float],
        meter: QualityMeter,
    ) -> None:
        self._model, self._sources, self._values, self._meter = model, sources, values, meter
        first = sources[0]
        self._grid = WorkingGrid.of(first.shape, first.affine, model.design.pixel_mm)
        self._twice = values["answers"] >= TWICE
        total = first.shape[0]
        spread = np.linspace(0, total - 1, min(total, SECOND_ANSWERS), dtype=int)
        self._asked_again = set(spread.tolist())

    def slices(self) -> Generator[Slice, None, None]:
        """The CT slices, as the meter has seen them on the working grid."""
        with closing(self._answers()) as answers:
            for seen, made, other in answers:
                images = self._parted(seen)
                if other is not None:
                    self._meter.add_second_answer(made, other, images[0] > BODY_ABOVE)
                    made = np.float32(0.5) * (made + other) if self._twice else made
                made = np.where(self._outside(images), AIR_HU, made)
                self._meter.add(images, made)
                yield self._grid.to_native(made)

    def _answers(self) -> Generator[tuple[Slice, Slice, Slice | None], None, None]:
        """Every slice as the network sees it, its CT, and the CT of the mirrored slices."""
        engine, context = self._model.engine, self._model.design.context
        under_way: deque[tuple[npt.NDArray[np.float32], bool]] = deque()

        def asked(read: Iterator[npt.NDArray[np.float32]]) -> Iterator[npt.NDArray[np.float32]]:
            first = 0
            for slab in read:
                after = first + len(slab) - 2 * context
                again = self._twice or not self._asked_again.isdisjoint(range(first, after))
                under_way.append((slab, again))
                yield slab
                if again:
                    yield np.ascontiguousarray(slab[::-1, :, ::-1])
                first = after

        ready = read_ahead(slabs(self._seen(), context, engine.batch), SLABS_AHEAD)
        with closing(ready), closing(engine.run(asked(ready))) as batches:
            for outputs in batches:
                slab, again = under_way.popleft()
                mirrored = next(batches)[::-1, :, ::-1] if again else [None] * len(outputs)
                for index, (made, other) in enumerate(zip(outputs, mirrored, strict=True)):
                    yield slab[index + context], made, other

    def _outside(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Where there is nothing but air, (rows, columns)."""
        blank_is_air = self._values["blank_is_air"] >= SET
        return outside(images, self._grid.pixel_mm, self._values["outline_mm"], blank_is_air)

    def _seen(self) -> Iterator[Slice]:
        """The modalities as the network sees them, one tall image a slice."""
        # one bright end for all: the ratio of the phases is what tells water from fat
        end = bright_end(checked_slices(self._sources[0]))
        if end <= 0.0:
            raise NothingToTranslate("The images are empty: no pixel is above 0.")
        reach = reach_of(float(np.linalg.norm(self._sources[0].affine[:3, 0])))
        full = [filled(checked_slices(source), reach) for source in self._sources]
        yield from stacked(
            [(self._grid.to_working(scaled(one, end)) for one in slices) for slices in full]
        )

    def _parted(self, tall: Slice) -> npt.NDArray[np.float32]:
        """(modalities, rows, columns) of one tall image."""
        return tall.reshape(len(self._sources), -1, tall.shape[1])


def _refuse_other_grids(sources: list[SliceSource]) -> None:
    """All modalities have to lie on one grid."""
    first, *others = sources
    for other in others:
        if other.shape != first.shape:
            raise InputError(f"The phases should have one shape, got {first.shape}, {other.shape}.")
        corner = np.array([*other.shape, 1], np.float64)
        apart = np.abs((other.affine - first.affine) @ corner).max()
        apart = max(float(apart), float(np.abs(other.affine[:3, 3] - first.affine[:3, 3]).max()))
        if apart > SAME_PLACE_MM:
            raise InputError(
                f"The phases should lie on one grid, got grids up to {apart:.2f} mm apart."
            )
