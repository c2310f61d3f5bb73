from __future__ import annotations

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEGExtended12Bit, JPEGLosslessSV1

from dicom_profiles import storage


def test_every_storage_class_is_one() -> None:
    assert all(uid.name.endswith(("Storage", "Presentation", "Processing"))
               for uid in storage.STORAGE_CLASSES)  # fmt: skip
    assert CTImageStorage in storage.STORAGE_CLASSES


def test_every_transfer_syntax_is_one_and_listed_once() -> None:
    uids = storage.ACCEPTED_TRANSFER_SYNTAXES
    assert all(uid.is_transfer_syntax for uid in uids)
    assert len(set(uids)) == len(uids)
    assert uids[0] == ExplicitVRLittleEndian


def test_encapsulated_is_what_the_standard_says() -> None:
    for row in storage.TRANSFER_SYNTAXES:
        assert row.encapsulated == row.uid.is_encapsulated


def test_lossless_jpeg_can_be_decoded_and_12_bit_lossy_cannot() -> None:
    assert storage.can_decode(JPEGLosslessSV1)
    assert not storage.is_lossy(JPEGLosslessSV1)
    assert not storage.can_decode(JPEGExtended12Bit)
    assert storage.lossy_method(JPEGExtended12Bit) == "ISO_10918_1"
    assert "JPEG Extended" in storage.why_not_decodable(JPEGExtended12Bit)


def test_an_unknown_syntax_cannot_be_decoded() -> None:
    assert not storage.can_decode("1.2.3")
    assert not storage.is_lossy("1.2.3")
