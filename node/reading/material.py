"""Folders of DICOM to candidates: each one image stack, its truth proven from its headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset

from dicom_profiles.errors import ProfileError
from dicom_profiles.reading import group_series, read_instances
from dicom_profiles.recognition.series import is_synthetic, without_localizers
from dicom_profiles.sources.series import SourceInstance
from dicom_profiles.sources.source import Source, source_of
from node.assembling.stacks import split_series
from node.reading.errors import UnfitMaterial
from node.reading.key import Truth

SHOWN_CLASSES = {
    uid.CTImageStorage: "CT",
    uid.MRImageStorage: "MR",
    uid.PositronEmissionTomographyImageStorage: "PT",
    uid.DigitalMammographyXRayImageStorageForPresentation: "MG",
    uid.DigitalMammographyXRayImageStorageForProcessing: "MG",
}
"""SOP classes that can be a case; reports, labels and masks beside them are passed over."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Images that could become a case.

    Attributes:
        source: the images; pixels are decoded when asked for.
        truth: real or synthetic, as the folder says and the headers confirm.
        patient: whom they show; only to keep the same person from being seen twice.
    """

    source: Source
    truth: Truth
    patient: str

    @property
    def modality(self) -> str:
        """Modality (0008,0060)."""
        return SHOWN_CLASSES[self.source.headers[0].SOPClassUID]

    @property
    def series(self) -> str:
        """Series Instance UID (0020,000E)."""
        return self.source.series_instance_uid


def find_candidates(real: Sequence[Path], synthetic: Sequence[Path]) -> list[Candidate]:
    """Every image stack of the folders.

    Raises:
        UnfitMaterial: a folder has no images, images that cannot be read or are given twice, or
            images whose headers say the opposite.
    """
    found = [one for folder in real for one in _of_folder(folder, "real")]
    found += [one for folder in synthetic for one in _of_folder(folder, "synthetic")]
    images = [uid for one in found for uid in one.source.sop_instance_uids]
    if len(set(images)) < len(images):
        raise UnfitMaterial("Some images are given twice; name each folder once, and none in it.")
    return found


def _of_folder(folder: Path, truth: Truth) -> list[Candidate]:
    if not folder.exists():
        raise UnfitMaterial(f"There is no folder {folder}.")
    contents = read_instances(folder)
    if contents.unreadable:
        raise UnfitMaterial(f"{folder}: {contents.unreadable[0][1]}")
    shown = [one for one in contents.instances if one.header.SOPClassUID in SHOWN_CLASSES]
    if not shown:
        kinds = ", ".join(sorted(set(SHOWN_CLASSES.values())))
        raise UnfitMaterial(f"{folder} holds no images of {kinds}; name a folder of DICOM series.")
    stacks = (stack for series in group_series(shown).values() for stack in _stacks(series))
    return [_candidate(stack, truth) for stack in stacks]


def _stacks(series: Sequence[SourceInstance]) -> Iterable[tuple[SourceInstance, ...]]:
    slices, _ = without_localizers(series)
    return (stack.instances for stack in split_series(slices))


def _candidate(instances: Sequence[SourceInstance], truth: Truth) -> Candidate:
    header = instances[0].header
    uid_of_series = header.SeriesInstanceUID
    for instance in instances:
        _refuse_unfit(instance.header, truth)
    try:
        source = source_of(instances)
    except ProfileError as error:
        raise UnfitMaterial(f"Series {uid_of_series} cannot be a case: {error}") from error
    return Candidate(source, truth, _patient(header))


def _refuse_unfit(header: Dataset, truth: Truth) -> None:
    """Headers that contradict the folder, or pixels that may carry words."""
    series = header.SeriesInstanceUID
    if is_synthetic(header) and truth == "real":
        raise UnfitMaterial(f"Series {series} is given as real, but its headers say synthetic.")
    if not is_synthetic(header) and truth == "synthetic":
        raise UnfitMaterial(
            f"Series {series} is given as synthetic, but nothing in its headers says so; use the "
            "series that the node wrote."
        )
    if str(header.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        raise UnfitMaterial(f"Series {series} has words burned into its pixels (0028,0301).")


def _patient(header: Dataset) -> str:
    """The patient, or where no Patient ID is given the study."""
    patient = str(header.get("PatientID", "")).strip()
    issuer = str(header.get("IssuerOfPatientID", "")).strip()
    return f"{issuer}/{patient}" if patient else str(header.StudyInstanceUID)
