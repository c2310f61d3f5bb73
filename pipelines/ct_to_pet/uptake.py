"""From a CT on cubes to its uptake: body, districts, networks, stitching."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipelines.contract import EngineFacts, Progress, no_progress
from pipelines.ct_to_pet.body import Mask, body_mask
from pipelines.ct_to_pet.districts import Districts, DistrictSegmenter
from pipelines.ct_to_pet.geometric_districts import GeometricSegmenter
from pipelines.ct_to_pet.grid import Cubes
from pipelines.ct_to_pet.input_distance import body_features
from pipelines.ct_to_pet.network import CHANNELS, channels
from pipelines.ct_to_pet.outside_segmenters import SEGMENTERS
from pipelines.ct_to_pet.patches import Patches, Run, translated
from pipelines.ct_to_pet.quality import Made
from pipelines.ct_to_pet.stitching import district_weights, stitched
from pipelines.ct_to_pet.weights import SINGLE, StoredNetwork
from pipelines.engines.patch_engine import PatchEngine, choose_patch_engine

TRIAL_CUBES = 32
"""Side of the patch on which an engine is made and tried: engines take any size afterwards."""


@dataclass(frozen=True, eq=False)
class Uptake:
    """What became of a CT.

    Attributes:
        suv: (z, y, x) float32, SUVbw.
        districts: (z, y, x) labels.
        judged: what the quality record is made of.
        segmenter: name and version of what told the districts.
    """

    suv: Cubes
    districts: Districts
    judged: Made
    segmenter: str


class UptakeModel:
    """The networks, each in an engine that is made when it is first needed.

    Args:
        networks: by district, and the single one.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        threads: processor threads; 0 takes every core.
    """

    def __init__(
        self, networks: Mapping[str, StoredNetwork], device: str = "auto", threads: int = 0
    ) -> None:
        self.networks = networks
        self._device, self._threads = device, threads
        self._engines: dict[str, PatchEngine] = {}
        self._engine(SINGLE)

    @property
    def facts(self) -> EngineFacts:
        """What ran the networks, with the largest difference of all that were used."""
        largest = max(engine.facts.largest_difference for engine in self._engines.values())
        return replace(self._engine(SINGLE).facts, largest_difference=largest)

    def uptake(
        self,
        averages: Cubes,
        values: Mapping[str, float],
        progress: Progress = no_progress,
    ) -> Uptake:
        """Work out the uptake.

        Args:
            averages: (3, z, y, x), see `network.quantities`.
            values: parameters of the card.
            progress: called with (windows done, windows in all); what it raises stops the work.
        """
        seen, body = channels(averages), body_mask(averages[0])
        segmenter = _segmenter(values)
        districts = segmenter.districts(averages[0], body)
        weights = district_weights(districts, values["feather_mm"])
        masks = {SINGLE: body, **{name: weight > 0 for name, weight in weights.items()}}
        made = self._made(seen, masks, progress)
        by_single = made.pop(SINGLE)
        by_districts = stitched(made, weights) if made else np.zeros_like(by_single)
        share = np.float32(values["district_share"])
        suv = by_single + share * (by_districts - by_single)
        judged = Made(
            suv, by_single if share >= 0.5 else by_districts, body, districts,
            body_features(seen, body),
            [name for name, one in self.networks.items() if one.facts.simulated_only],
        )  # fmt: skip
        return Uptake(suv, districts, judged, f"{segmenter.name} {segmenter.version}")

    def _made(self, seen: Cubes, masks: Mapping[str, Mask], progress: Progress) -> dict[str, Cubes]:
        """What each network makes of its mask, by name."""
        tilings = {name: self.networks[name].facts.tiling for name in masks}
        total = sum(len(tilings[name].windows(mask)) for name, mask in masks.items())
        done = 0

        def running(name: str) -> Run:
            def run(batches: Iterable[Patches]) -> Iterator[Patches]:
                nonlocal done
                progress(done, total)
                for made in self._engine(name).run(batches):
                    done += len(made)
                    progress(done, total)
                    yield made

            return run

        return {
            name: translated(seen, mask, tilings[name], running(name), self._engine(name).batch)
            for name, mask in masks.items()
        }

    def _engine(self, name: str) -> PatchEngine:
        if name not in self._engines:
            one = self.networks[name]
            shape = (CHANNELS, *[min(one.facts.patch, TRIAL_CUBES)] * 3)
            self._engines[name] = choose_patch_engine(
                one.network, shape, self._device, self._threads
            )
        return self._engines[name]


def _segmenter(values: Mapping[str, float]) -> DistrictSegmenter:
    number = int(values["segmenter"])
    return SEGMENTERS[number]() if number else GeometricSegmenter()
