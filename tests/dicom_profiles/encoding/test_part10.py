from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
import pytest
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian

from dicom_profiles import inherited
from dicom_profiles.encoding.part10 import (
    FILES_IN_FLIGHT,
    ElementEncoder,
    FileEncoder,
    FolderWriter,
    encode_dataset,
)
from tests.synthetic import write_ct_dataset, write_ct_series


def test_a_data_set_comes_back_as_it_was() -> None:
    ds = write_ct_dataset(padding_value=-2000)
    back = pydicom.dcmread(io.BytesIO(encode_dataset(ds, "VSCANNER")))
    assert back == ds
    assert back.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert back.file_meta.SourceApplicationEntityTitle == "VSCANNER"


def test_the_same_data_set_gives_the_same_bytes() -> None:
    ds = write_ct_dataset()
    assert encode_dataset(ds, "A") == encode_dataset(ds, "A")


@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian])
def test_copies_keep_every_string(tmp_path: Path, touched: bool, syntax: str | None) -> None:
    strings = ["-175.000", "+1.50E1", " 0.333333333333"]
    attributes = {"transfer_syntax": syntax} if syntax else {}
    path = write_ct_series(tmp_path, slices=1, **attributes)[0]  # type: ignore[arg-type]
    ds = pydicom.dcmread(path)
    ds.ImagePositionPatient = strings
    ds.save_as(path)
    source = pydicom.dcmread(path)
    if touched:
        assert len(source.ImagePositionPatient) == 3
        assert str(source.PatientName) == "Phantom^Jürgen"
    encoder = ElementEncoder(source.SpecificCharacterSet)
    elements = encoder.copy(source, inherited.SLICE_TAGS | inherited.STUDY_TAGS)
    content = FileEncoder(CTImageStorage, "A").encode(elements, "1.2.3")
    back = pydicom.dcmread(io.BytesIO(content))
    raw = back.get_item("ImagePositionPatient")
    assert raw is not None
    assert [s.strip() for s in bytes(raw.value).decode().split("\\")] == [
        s.strip() for s in strings
    ]
    assert back.PatientName == "Phantom^Jürgen"


@pytest.mark.parametrize("touched", [False, True])
def test_code_strings_are_copied_in_upper_case(tmp_path: Path, touched: bool) -> None:
    with pydicom.config.disable_value_validation():  # it warns of small letters
        paths = write_ct_series(
            tmp_path, slices=1, BodyPartExamined="Chest ÿ", ScanOptions=["a", "Bß"]
        )
        source = pydicom.dcmread(paths[0])
        if touched:
            assert source.BodyPartExamined == "Chest ÿ"
            assert list(source.ScanOptions) == ["a", "Bß"]
    elements = ElementEncoder(None).copy(source, inherited.SLICE_TAGS)
    back = pydicom.dcmread(io.BytesIO(FileEncoder(CTImageStorage, "A").encode(elements, "1.2.3")))
    assert (back.BodyPartExamined, list(back.ScanOptions)) == ("CHEST ÿ", ["A", "Bß"])


def test_files_are_whole_or_absent(tmp_path: Path) -> None:
    with FolderWriter(tmp_path / "new") as files:
        paths = [files.write(f"{i}.dcm", bytes([i]) * 1000) for i in range(3 * FILES_IN_FLIGHT)]
    assert sorted(paths) == sorted((tmp_path / "new").iterdir())
    assert all(path.read_bytes() == bytes([i]) * 1000 for i, path in enumerate(paths))


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "0.dcm").mkdir()
    with pytest.raises(IsADirectoryError), FolderWriter(tmp_path) as files:
        files.write("0.dcm", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["0.dcm"]


def test_writing_again_replaces(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        with FolderWriter(tmp_path) as files:
            files.write("0.dcm", content)
    assert (tmp_path / "0.dcm").read_bytes() == b"new"


def test_every_file_and_the_folder_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    monkeypatch.setattr(os, "fsync", fsync)
    with FolderWriter(tmp_path / "new") as files:
        files.write("0.dcm", b"a")
        files.write("1.dcm", b"b")
    assert sorted(name[:6] + name[-4:] for name in synced[:-1]) == ["0.dcm.part", "1.dcm.part"]
    assert synced[-1] == "new"


def test_nested_items_are_encoded_as_pydicom_encodes_them() -> None:
    ds = write_ct_dataset()
    inner, outer = Dataset(), Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.345"
    inner.PurposeOfReferenceCodeSequence = Sequence([Dataset()])
    outer.ReferencedInstanceSequence = Sequence([inner, Dataset()])
    outer.TextValue, outer.PersonName = "Größe", "Phantom^Jürgen"
    ds.SourceImageSequence = Sequence([outer])
    ds.ReferencedSeriesSequence = Sequence([])
    encodings = convert_encodings(ds.SpecificCharacterSet)
    for tag, encoded in ElementEncoder(ds.SpecificCharacterSet).encode(ds).items():
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, ds[tag], encodings)
        assert encoded == buffer.getvalue()


def test_pixels_given_apart_make_the_same_file() -> None:
    ds = write_ct_dataset()
    elements = ElementEncoder(ds.SpecificCharacterSet).encode(ds)
    whole = FileEncoder(CTImageStorage, "A").encode(elements, "1.2.3")
    del elements[0x7FE00010]
    assert FileEncoder(CTImageStorage, "A").encode(elements, "1.2.3", ds.PixelData) == whole


def test_what_is_kept_is_made_once() -> None:
    encoder, ds, made = ElementEncoder("ISO_IR 192"), write_ct_dataset(), []

    def make() -> Dataset:
        made.append(1)
        return ds

    assert encoder.kept("a", make) is encoder.kept("a", make)
    assert encoder.kept(("b", 1), make) == encoder.kept("a", make)
    assert len(made) == 2


def test_two_writers_of_the_same_files_do_not_meet(tmp_path: Path) -> None:
    content = bytes(200_000)

    def write(_part: int) -> None:
        for number in range(20):
            with FolderWriter(tmp_path) as writer:
                writer.write(f"{number}.dcm", content)

    with ThreadPoolExecutor(4) as pool:  # a worker that was taken for dead, and its successor
        list(pool.map(write, range(4)))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{n}.dcm" for n in range(20))
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {content}
