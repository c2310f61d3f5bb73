"""A gathered data set made by hand: de-identified phantoms of several patients."""

from __future__ import annotations

from pathlib import Path

import pydicom

from dicom_profiles.data_set import DataSet, KeptSeries, digest_of, write_data_set
from dicom_profiles.deidentification import METHOD, deidentified, encoded
from dicom_profiles.pseudonyms import Pseudonyms
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
