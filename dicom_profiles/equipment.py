"""Who made an object: the node, its models, and the scanner behind the source.

PS3.3 C.7.5.1 (General Equipment) describes who made *this* object: the node. The
scanner that took the source moves to Contributing Equipment (C.12.1), and each
model version has a Device UID of its own there (IHE AIR 6.5.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_profiles.codes import ACQUISITION_EQUIPMENT, SYNTHESIZING_EQUIPMENT, code_sequence
from dicom_profiles.uids import derive_uid

MANUFACTURER = "Virtual Scanner"
MODEL_NAME = "VSCANNER"
DEVICE_SERIAL_NUMBER = "0"
"""Software has no serial number, but Enhanced General Equipment wants one (C.7.5.2, type 1)."""
SOFTWARE_VERSION = f"virtual-scanner {version('virtual-scanner')}"
INSTANCE_CREATOR_UID = derive_uid("instance creator")
NODE_DEVICE_UID = derive_uid("device", MODEL_NAME)
IMPLEMENTATION_CLASS_UID = derive_uid("implementation", "virtual-scanner")
IMPLEMENTATION_VERSION_NAME = "VSCANNER_1"

# Attributes of General Equipment (PS3.3 C.7.5.1) that an item of (0018,A001) takes over.
_EQUIPMENT_KEYWORDS = (
    "Manufacturer",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "InstitutionalDepartmentName",
    "ManufacturerModelName",
    "DeviceSerialNumber",
    "DeviceUID",
    "SoftwareVersions",
    "SpatialResolution",
    "DateOfLastCalibration",
    "TimeOfLastCalibration",
)


@dataclass(frozen=True)
class ModelIdentity:
    """Which model, to the bit.

    Attributes:
        name: of the pipeline, for example "ldct_denoise".
        version: of the model.
        weights_sha256: of the weights file, 64 hexadecimal digits.
        trained_on_simulation: whether simulated pairs taught the network that made the object;
            then the object says so.
    """

    name: str
    version: str
    weights_sha256: str
    trained_on_simulation: bool

    @property
    def device_uid(self) -> str:
        """Device UID of this very model; another version or other weights have another."""
        return derive_uid("model device", self.name, self.version, self.weights_sha256)

    @property
    def label(self) -> str:
        """Name and version in one word."""
        return f"{self.name}@{self.version}"


def is_own_device(device_uid: str) -> bool:
    """Whether this Device UID is the node's."""
    return device_uid == NODE_DEVICE_UID


def own_equipment(model: ModelIdentity, station_name: str) -> Dataset:
    """General Equipment of an object that the node makes (PS3.3 C.7.5.1)."""
    ds = Dataset()
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = MODEL_NAME
    ds.StationName = station_name
    ds.DeviceSerialNumber = DEVICE_SERIAL_NUMBER
    ds.DeviceUID = NODE_DEVICE_UID
    ds.SoftwareVersions = [SOFTWARE_VERSION, f"{model.name} {model.version}"]
    return ds


def contributing_equipment(source: Dataset, model: ModelIdentity, station_name: str) -> Sequence:
    """Items of (0018,A001): the scanner, the node with the model, then what the source had."""
    earlier = source.get("ContributingEquipmentSequence") or []
    return Sequence([_scanner(source), _synthesizer(model, station_name), *earlier])


def _scanner(source: Dataset) -> Dataset:
    item = Dataset()
    for keyword in _EQUIPMENT_KEYWORDS:
        if source.get(keyword):
            item[keyword] = source[keyword]
    if "Manufacturer" not in item:
        item.Manufacturer = "UNKNOWN"  # type 1 in the item, type 2 in the source
    item.PurposeOfReferenceCodeSequence = code_sequence([ACQUISITION_EQUIPMENT])
    return item


def _synthesizer(model: ModelIdentity, station_name: str) -> Dataset:
    item = own_equipment(model, station_name)
    item.ManufacturerModelName = f"{MODEL_NAME} {model.name}"[:64]
    item.DeviceUID = model.device_uid
    simulated = "; trained on simulated pairs" if model.trained_on_simulation else ""
    item.ContributionDescription = f"{model.label} weights sha256 {model.weights_sha256}{simulated}"
    item.PurposeOfReferenceCodeSequence = code_sequence([SYNTHESIZING_EQUIPMENT])
    return item
