"""A gathered data set made by hand: de-identified phantoms of several patients."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom

from dicom_profiles.deidentification.data_set import DataSet, KeptSeries, digest_of, write_data_set
from dicom_profiles.deidentification.image import METHOD, deidentified, encoded
from dicom_profiles.deidentification.pseudonyms import Pseudonyms
from dicom_profiles.reading import read_header
from tests.dicom_profiles.whole_body import write_pet
from tests.mammograms import write_mammogram
from tests.synthetic import write_ct_series

PSEUDONYMS = Pseudonyms(b"s" * 32)


def gathered(folder: Path, splits: tuple[str, ...], slices: int = 4) -> DataSet:
    """A set with one CT of one patient for each of these sides of the split."""
    kept = []
    for number, split in enumerate(splits):
        paths = write_ct_series(
            folder.parent / f"in{number}", slices=slices, rows=96, columns=96, seed=number,
            PatientID=f"PATIENT-{number}", PatientName="Nobody^Here",
        )  # fmt: skip
        done = [deidentified(pydicom.dcmread(path), PSEUDONYMS) for path in paths]
        first = done[0]
        uids = str(first.StudyInstanceUID), str(first.SeriesInstanceUID)
        place = Path(str(first.PatientID), *uids, "CT")
        (folder / place).mkdir(parents=True)
        for ds in done:
            (folder / place / f"{ds.SOPInstanceUID}.dcm").write_bytes(encoded(ds))
        digest = digest_of(list((folder / place).iterdir()))
        facts = (str(first.PatientID), split, *uids, "CT", "CT", slices, digest)
        kept.append(KeptSeries(*facts, folder=place.as_posix()))
    data_set = DataSet("ldct_denoise", tuple(kept), {}, METHOD)
    write_data_set(data_set, folder)
    return data_set


def _kept(folder: Path, role: str, place: str, split: str) -> KeptSeries:
    """One series of P1, which lies there already."""
    files = list((folder / place).glob("*.dcm"))
    facts = ("P1", split, "2.25.1", f"2.25.{role}", role, role, len(files), digest_of(files))
    return KeptSeries(*facts, place)


def gathered_ct_and_pet(folder: Path, split: str) -> None:
    """A set with one CT and PET of one study."""
    written = write_pet(folder, slices=16)
    (folder / "pet").mkdir()
    for path in written.paths:
        if read_header(path).Modality == "PT":
            shutil.copy(path, folder / "pet")
    kept = _kept(folder, "CT", "source", split), _kept(folder, "PT", "pet", split)
    write_data_set(DataSet("ct_to_pet", kept, {}, METHOD), folder)


def gathered_mammograms(folder: Path, split: str) -> None:
    """A set with a low-energy and a recombined image of one breast."""
    kept = []
    for role in ("LE", "REC"):
        (folder / role).mkdir(parents=True)
        write_mammogram(folder / role / "a.dcm")
        kept.append(_kept(folder, role, role, split))
    write_data_set(DataSet("cesm_vce", tuple(kept), {}, METHOD), folder)
