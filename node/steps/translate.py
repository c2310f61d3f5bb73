"""Step 2: the network's output, slice by slice, onto the disk.

Memory stays bounded however many slices there are: each is written and forgotten. `record.json`
comes last, so a file without it is the rest of an attempt that did not finish.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from dicom_profiles.encoding.part10 import part_of
from dicom_profiles.encoding.ready import ReadySlice
from dicom_profiles.preparing import preparing
from node.steps.folder import JSON, JobFolder, OtherModel, StepError
from pipelines import gates
from pipelines.card import ModelCard
from pipelines.contract import Pipeline, Progress, Translation, no_progress

SYNC_EVERY_SLICES = 16
"""So often the output is pushed to the disk, while the network works; little is left at the end."""


def translate_step(
    job: JobFolder, pipeline: Pipeline, progress: Progress = no_progress
) -> dict[str, JSON]:
    """Translate, unless that has been done.

    Args:
        job: the job's folder.
        pipeline: the network, warm.
        progress: called with (slices done, slices in all); what it raises stops the translation.

    Returns:
        The quality record, with the digest of all that the pipeline gave (`output_sha256`).

    Raises:
        OtherModel: the loaded model is not the one that the job was made for.
    """
    done = job.record
    if done is not None:
        return done
    refuse_other_model(job, pipeline.card)
    first = next(iter(job.sources.values()))
    translation = pipeline.translate(job.sources, job.input.parameters, progress)
    digest = hashlib.sha256()
    ready = _keep_slices(job, translation, first.shape, digest)
    companions = translation.companions()
    write_companions(job.companions, companions, first.shape)
    for _, voxels in sorted(companions.items()):
        digest.update(np.ascontiguousarray(voxels).data)
    judged = translation.record().with_remarks(gates.remarks(job.input.pipeline, job.sources))
    record = {**judged.to_json(), "output_sha256": digest.hexdigest()}
    job.set_record(record)
    job.ready = ready
    return record


def _keep_slices(
    job: JobFolder, translation: Translation, shape: tuple[int, int, int], digest: hashlib._Hash
) -> dict[int, ReadySlice]:
    """Stream the output onto the disk; gives what of the derived images is ready in memory.

    Nothing half is left: it is large, and the disk may be full because of it.
    """
    for rest in job.path.glob(f"{job.translated.name}.*"):
        rest.unlink(missing_ok=True)  # of a worker that was killed
    part = part_of(job.translated)
    ready: dict[int, ReadySlice] = {}
    try:
        with closing(translation.slices) as slices, part.open("wb") as file:
            images = preparing(job.input.pipeline, job.sources, slices, ready)
            _write_npy(file, images, shape, digest)
        part.replace(job.translated)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return ready


def translated_slices(path: Path) -> Iterator[npt.NDArray[np.float32]]:
    """The slices of a file of `translate_step`: (rows, columns) float32, mapped one by one."""
    voxels = np.load(path, mmap_mode="r", allow_pickle=False)  # (slices, rows, columns)
    yield from np.asarray(voxels)  # a memmap's own views take milliseconds each


def write_companions(
    folder: Path, companions: Mapping[str, npt.NDArray[Any]], shape: tuple[int, int, int]
) -> None:
    """Keep further volumes of a translation, one synced file each; none makes no folder."""
    for name, voxels in companions.items():
        if voxels.shape != shape:
            raise StepError(f"The companion {name} should be {shape}, got {voxels.shape}.")
        folder.mkdir(exist_ok=True)
        with (folder / f"{name}.npy").open("wb") as file:
            np.save(file, np.ascontiguousarray(voxels), allow_pickle=False)
            file.flush()
            os.fdatasync(file.fileno())


def read_companions(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """The further volumes by name, mapped into memory."""
    return {
        path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
        for path in sorted(folder.glob("*.npy"))
    }


def _write_npy(
    file: IO[bytes],
    slices: Iterator[npt.NDArray[np.float32]],
    shape: tuple[int, int, int],
    digest: hashlib._Hash,
) -> None:
    """Write slices as one array in NumPy's format, version 1.0, and sync it; digest them."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    count = 0
    for image in slices:
        if image.shape != shape[1:]:
            raise StepError(f"A translated slice is {shape[1:]}, got {image.shape}.")
        values = np.ascontiguousarray(image, "<f4").data
        file.write(values)
        digest.update(values)
        count += 1
        if count % SYNC_EVERY_SLICES == 0:
            file.flush()
            os.fdatasync(file.fileno())
    if count != shape[0]:
        raise StepError(f"A translation has as many slices as its source, {shape[0]}, got {count}.")
    file.flush()
    os.fdatasync(file.fileno())


def refuse_other_model(job: JobFolder, card: ModelCard) -> None:
    """A job's id holds its model: another one would give other pixels under the same job.

    Raises:
        OtherModel: the installed model is not the one that the job was made for.
    """
    installed = card.label
    wanted = job.input.model or installed
    digest = job.input.weights_sha256 or card.weights.sha256
    if (wanted, digest) != (installed, card.weights.sha256):
        raise OtherModel(
            f"This job was made for {wanted} ({digest[:16]}), installed is {installed} "
            f"({card.weights.sha256[:16]})."
        )
