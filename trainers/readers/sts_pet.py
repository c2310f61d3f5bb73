"""Registered CT and FDG PET of the sarcomas, as `ibsi_validation` publishes them.

Files `STS_004_CT.nii.gz`, `STS_004_PET.nii.gz` (SUVbw) and `STS_004_GTV.nii.gz` in one folder, CT
and PET each on a grid of its own in one world frame (10.7937/K9/TCIA.2015.7GO2GSKS). Thighs, pelves
and some arms, cut out 5 cm around the tumour: a network can learn from where a cut-out ends that
its middle is hot, which is no knowledge about patients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from trainers.readers.ct_pet import CtPetPair, read_volume


def read_sts_pet(root: Path, only: Sequence[str] = ()) -> Iterator[CtPetPair]:
    """Every patient, in the order of their names.

    Args:
        root: the folder of the files.
        only: patients to read; all when empty.
    """
    for path in sorted(root.glob("STS_*_PET.nii.gz")):
        patient = path.name.removesuffix("_PET.nii.gz")
        if not only or patient in only:
            yield CtPetPair(
                patient,
                read_volume(root / f"{patient}_CT.nii.gz", "HU"),
                read_volume(path, "SUVbw"),
                read_volume(root / f"{patient}_GTV.nii.gz", "1"),
            )
