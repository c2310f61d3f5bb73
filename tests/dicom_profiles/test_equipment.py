from __future__ import annotations

from dataclasses import replace

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_profiles.equipment import (
    NODE_DEVICE_UID,
    ModelIdentity,
    contributing_equipment,
    is_own_device,
    own_equipment,
)
from tests.synthetic import write_ct_dataset

MODEL = ModelIdentity("ldct_denoise", "1.0", "ab" * 32, trained_on_simulation=True)


def test_each_model_version_and_its_weights_are_a_device_of_their_own() -> None:
    models = [MODEL, replace(MODEL, version="1.1"), replace(MODEL, weights_sha256="cd" * 32)]
    assert len({model.device_uid for model in models} | {NODE_DEVICE_UID}) == 4


def test_the_node_made_it() -> None:
    ds = own_equipment(MODEL, "VSCANNER")
    assert ds.Manufacturer == "Virtual Scanner"
    assert ds.SoftwareVersions[1] == "ldct_denoise 1.0"
    assert is_own_device(ds.DeviceUID)


def test_the_scanner_and_the_model_contributed() -> None:
    scanner, model = contributing_equipment(write_ct_dataset(), MODEL, "VSCANNER")
    assert scanner.Manufacturer == "PHANTOM WORKS"
    assert scanner.InstitutionName == "Phantom Hospital"
    assert scanner.PurposeOfReferenceCodeSequence[0].CodeValue == "109101"
    assert model.DeviceUID == MODEL.device_uid
    assert MODEL.weights_sha256 in model.ContributionDescription
    assert "simulated" in model.ContributionDescription
    assert model.PurposeOfReferenceCodeSequence[0].CodeValue == "109100"


def test_a_model_trained_on_real_pairs_says_nothing_of_simulation() -> None:
    real = replace(MODEL, trained_on_simulation=False)
    assert (
        "simulated" not in contributing_equipment(Dataset(), real, "A")[1].ContributionDescription
    )


def test_earlier_equipment_is_kept() -> None:
    source = write_ct_dataset()
    earlier = Dataset()
    earlier.Manufacturer = "Gateway"
    source.ContributingEquipmentSequence = Sequence([earlier])
    items = contributing_equipment(source, MODEL, "VSCANNER")
    assert [item.Manufacturer for item in items] == ["PHANTOM WORKS", "Virtual Scanner", "Gateway"]


def test_an_unnamed_scanner_is_still_an_item() -> None:
    assert contributing_equipment(Dataset(), MODEL, "A")[0].Manufacturer == "UNKNOWN"
