from __future__ import annotations

import copy
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_profiles.checks.kinds import own_findings
from dicom_profiles.checks.pet_from_ct import FORBIDDEN
from tests.dicom_profiles.whole_body import WrittenPet, write_pet


@pytest.fixture(scope="module")
def pet(tmp_path_factory: pytest.TempPathFactory) -> WrittenPet:
    """Three slices and everything that is made of them; read only."""
    return write_pet(tmp_path_factory.mktemp("pet"), slices=3)


@pytest.fixture(scope="module")
def image(pet: WrittenPet) -> Dataset:
    return pydicom.dcmread(pet.series["SPET"].paths[0])


@pytest.mark.parametrize(
    ("keyword", "value", "sentence"),
    [
        ("Modality", "CT", "Modality should be PT"),
        ("Units", "BQML", "Units should be GML"),
        ("SUVType", "LBM", "SUVType should be BW"),
        ("ImageType", ["ORIGINAL", "PRIMARY"], "Image Type should be"),
        ("RadiopharmaceuticalInformationSequence", [Dataset()], "none was given"),
        ("RescaleSlope", "1", "Rescale should be"),
        ("RescaleIntercept", "-1024", "Rescale should be"),
        ("NumberOfSlices", 4, "Number of Slices should be"),
        *((keyword, None, f"{keyword} should be absent") for keyword in FORBIDDEN),
    ],
)
def test_each_fault_is_found(
    pet: WrittenPet, image: Dataset, keyword: str, value: Any, sentence: str
) -> None:
    ds = copy.deepcopy(image)
    assert own_findings(ds, {"CT": pet.source}) == []
    setattr(ds, keyword, value)
    (finding,) = own_findings(ds, {"CT": pet.source})
    assert sentence in finding
