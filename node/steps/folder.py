"""The folder of a job: its input, and what each step left there.

input.json         what is to be done: written once, before the first step
companions/*.npy   further volumes, (slices, rows, columns) on the same grid
translated.npy     (slices, rows, columns) float32 in the output's unit, in source order
record.json        the pipeline's quality record; there when both are complete
derived/*.dcm      derived objects
derived.json       which they are; there when all of them are
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dicom_profiles.encoding.part10 import PART_SUFFIX, write_durable
from dicom_profiles.encoding.ready import ReadySlice
from dicom_profiles.reading import open_source
from dicom_profiles.sources.series import SourceInstance
from dicom_profiles.sources.source import Source
from node.errors import NodeError

JSON = Any
"""What the `json` module can write."""


class StepError(NodeError):
    """A step cannot do its work on this folder."""


class OtherModel(StepError):  # noqa: N818 - says what is wrong
    """The installed model is not the one that the job was made for."""


@dataclass(frozen=True)
class JobInput:
    """What is to be done.

    Attributes:
        job_id: of the job; offline, any word.
        pipeline: name of the pipeline.
        model: name@version that the job was made for; "" takes the installed one.
        weights_sha256: of that model; "" takes the installed one.
        parameters: of the pipeline.
        sources: input key to the paths of its instances; the node's own lie below its data
            directory and are written without it, so that it may be mounted elsewhere.
        created: time of synthesis, with its zone; fixed once, so that a repeat is identical.
        ae_title: of the node.
        ungated: the gate was skipped for research; such objects never leave the node.
    """

    job_id: str
    pipeline: str
    model: str
    weights_sha256: str
    parameters: Mapping[str, JSON]
    sources: Mapping[str, tuple[Path, ...]]
    created: datetime
    ae_title: str
    ungated: bool = False

    def to_json(self) -> dict[str, JSON]:
        """As plain JSON values."""
        sources = {key: [str(path) for path in paths] for key, paths in self.sources.items()}
        return {**asdict(self), "sources": sources, "created": self.created.isoformat()}

    @classmethod
    def from_json(cls, values: Mapping[str, JSON]) -> JobInput:
        """Back from `to_json`."""
        sources = {key: tuple(map(Path, paths)) for key, paths in values["sources"].items()}
        created = datetime.fromisoformat(values["created"])
        return cls(**{**values, "sources": sources, "created": created})


@dataclass(frozen=True)
class WrittenSeries:
    """A derived series in the folder.

    Attributes:
        series_instance_uid: of the series.
        kind: what it is: images, report or label.
        paths: its files, in the order of sending.
        sop_instance_uids: of those files.
    """

    series_instance_uid: str
    kind: str
    paths: tuple[Path, ...]
    sop_instance_uids: tuple[str, ...]


@dataclass
class JobFolder:
    """One job's folder, its sources opened once, and what of its images is ready in memory.

    Args:
        path: of the folder.
        ready: what of its derived images is ready.
        data_dir: below which relative paths of sources lie.
        known: source files whose headers have been read already.
    """

    path: Path
    ready: Mapping[int, ReadySlice] = field(default_factory=dict)
    data_dir: Path = Path()
    known: Mapping[Path, SourceInstance] = field(default_factory=dict)

    def prepare(self, job_input: JobInput) -> None:
        """Make the folder and write `input.json`, unless it is there."""
        (self.path / "derived").mkdir(parents=True, exist_ok=True)
        if not self._file("input.json").exists():
            write_json(self._file("input.json"), job_input.to_json())

    @cached_property
    def input(self) -> JobInput:
        """What is to be done."""
        return JobInput.from_json(self._required("input.json"))

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The sources by input key, opened once (headers only); the first gives the grid."""
        return {
            key: open_source([self.data_dir / path for path in paths], self.known)
            for key, paths in self.input.sources.items()
        }

    @property
    def translated(self) -> Path:
        """Where the network's output lies."""
        return self._file("translated.npy")

    @property
    def companions(self) -> Path:
        """Where further volumes lie, one file each."""
        return self._file("companions")

    @property
    def derived(self) -> Path:
        """Where derived objects lie."""
        return self._file("derived")

    @property
    def record(self) -> dict[str, JSON] | None:
        """The pipeline's quality record, None before the translation is complete."""
        return self._optional("record.json")

    def set_record(self, record: Mapping[str, JSON]) -> None:
        """The translation is complete."""
        write_json(self._file("record.json"), record)

    @property
    def written(self) -> list[WrittenSeries] | None:
        """The derived series in the order of sending, None before all are written."""
        listed = self._optional("derived.json")
        if listed is None:
            return None
        return [_written(self.path, values) for values in listed["series"]]

    def set_written(self, series: list[WrittenSeries]) -> None:
        """All derived objects are there."""
        listed = [
            {**asdict(one), "paths": [str(path.relative_to(self.path)) for path in one.paths]}
            for one in series
        ]
        write_json(self._file("derived.json"), {"series": listed})

    @property
    def is_checked(self) -> bool:
        """Whether the derived objects are there and may leave: see `discard_translated`."""
        return self.written is not None and not self.translated.exists()

    def discard_written(self) -> None:
        """Derived objects that must not leave: the next run writes them again."""
        self._file("derived.json").unlink(missing_ok=True)

    def discard_translated(self) -> None:
        """The network's output is not needed once the derived objects are there and checked.

        Nor is what workers that were killed had begun to write.
        """
        for rest in self.path.rglob(f"*{PART_SUFFIX}"):
            rest.unlink(missing_ok=True)
        self.translated.unlink(missing_ok=True)
        shutil.rmtree(self.companions, ignore_errors=True)

    def _file(self, name: str) -> Path:
        return self.path / name

    def _required(self, name: str) -> dict[str, JSON]:
        values = self._optional(name)
        if values is None:
            raise StepError(f"A job folder needs {name}, {self.path.name} has none.")
        return values

    def _optional(self, name: str) -> dict[str, JSON] | None:
        try:
            return dict(json.loads(self._file(name).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None


def write_json(path: Path, values: Mapping[str, JSON]) -> None:
    """Write a file so that after a crash it is there whole or not at all."""
    write_durable(path, json.dumps(values, indent=1).encode())


def _written(folder: Path, values: Mapping[str, JSON]) -> WrittenSeries:
    return WrittenSeries(
        series_instance_uid=values["series_instance_uid"],
        kind=values["kind"],
        paths=tuple(folder / path for path in values["paths"]),
        sop_instance_uids=tuple(values["sop_instance_uids"]),
    )
