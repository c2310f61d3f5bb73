"""What we say of ourselves whenever an association is negotiated (PS3.7 D.3.3.1, D.3.3.2)."""

from __future__ import annotations

from typing import TypeAlias

from pynetdicom.pdu_primitives import (
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)

from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

UserInformation: TypeAlias = tuple[
    MaximumLengthNotification,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
]


def our_information(max_pdu_bytes: int) -> UserInformation:
    """Our items of user information: the largest PDU that we take, and which software we are."""
    length = MaximumLengthNotification()
    length.maximum_length_received = max_pdu_bytes
    uid = ImplementationClassUIDNotification()
    uid.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    name = ImplementationVersionNameNotification()
    name.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return length, uid, name
