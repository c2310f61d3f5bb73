"""Pairs of CT and PET of a gathered data set (roles `CT`, `PT`)."""

from __future__ import annotations

from collections.abc import Iterator

from dicom_profiles.reading import read_series
from dicom_profiles.suv import read_suv_series
from trainers.readers.ct_pet import CtPetPair
from trainers.readers.data_set import name_of, read_side


def read_gathered_ct_pet(where: str) -> Iterator[tuple[str, CtPetPair]]:
    """Every study of one side that has both: whose it is, and the pair, called as its CT is.

    Args:
        where: `FOLDER:SPLIT`.
    """
    side = read_side(where)
    for ct, pet in side.studies("CT", "PT"):
        images = read_series(side.place(ct)), read_suv_series(side.place(pet))
        yield ct.patient, CtPetPair(name_of(ct), *images)
