from __future__ import annotations

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    BreastTomosynthesisImageStorage,
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
)

from dicom_profiles import storage


def test_every_storage_class_is_one() -> None:
    assert all(uid.name.endswith(("Storage", "Presentation", "Processing"))
               for uid in storage.STORAGE_CLASSES)  # fmt: skip
    assert CTImageStorage in storage.STORAGE_CLASSES
    # a study with tomosynthesis, or a letter, comes in whole: a PACS gives up at the first refused
    assert BreastTomosynthesisImageStorage in storage.STORAGE_CLASSES
    assert EncapsulatedPDFStorage in storage.STORAGE_CLASSES


def test_every_transfer_syntax_is_one_and_listed_once() -> None:
    uids = storage.ACCEPTED_TRANSFER_SYNTAXES
    assert all(uid.is_transfer_syntax for uid in uids)
    assert len(set(uids)) == len(uids)
    assert uids[0] == ExplicitVRLittleEndian


def test_the_named_decoders_are_installed() -> None:
    for row in storage.TRANSFER_SYNTAXES:
        if row.decoder:
            assert row.decoder in get_decoder(row.uid).available_plugins
            assert storage.decoder_of(row.uid) == row.decoder


def test_the_decoder_that_ends_the_process_is_left_where_no_other_is() -> None:
    by_gdcm = {row.uid for row in storage.TRANSFER_SYNTAXES if row.decoder == "gdcm"}
    assert by_gdcm == {JPEGLossless, JPEGLosslessSV1}


def test_lossless_jpeg_can_be_decoded_and_12_bit_lossy_cannot() -> None:
    assert storage.can_decode(JPEGLosslessSV1)
    assert not storage.is_lossy(JPEGLosslessSV1)
    assert not storage.can_decode(JPEGExtended12Bit)
    assert storage.lossy_method(JPEGExtended12Bit) == "ISO_10918_1"
    assert "JPEG Extended" in storage.why_not_decodable(JPEGExtended12Bit)


def test_an_unknown_syntax_cannot_be_decoded() -> None:
    assert not storage.can_decode("1.2.3")
    assert not storage.is_lossy("1.2.3")
