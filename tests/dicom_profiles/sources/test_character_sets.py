from __future__ import annotations

from pathlib import Path

import pytest
from pydicom.charset import python_encoding

from dicom_profiles.reading import read_header
from dicom_profiles.sources.character_sets import defined_term, defined_terms
from tests.synthetic import write_ct_series

NAME = "Müller^Jürg"


@pytest.mark.parametrize("term", sorted(set(python_encoding) - {""}))
def test_a_defined_term_stays(term: str) -> None:
    assert defined_term(term) == term


@pytest.mark.parametrize(
    ("written", "term"),
    [
        ("ISO_IR_192", "ISO_IR 192"),
        ("ISO IR 100", "ISO_IR 100"),
        ("ISO-IR 101", "ISO_IR 101"),
        ("iso_ir 144", "ISO_IR 144"),
        ("ISO_2022_IR_87", "ISO 2022 IR 87"),
        ("UTF-8", "ISO_IR 192"),
        ("utf8", "ISO_IR 192"),
        ("Latin1", "ISO_IR 100"),
        ("ISO-8859-1", "ISO_IR 100"),
        ("KLINGON", "KLINGON"),
    ],
)
def test_what_was_meant(written: str, term: str) -> None:
    assert defined_term(written) == term


def test_each_value_by_itself() -> None:
    assert defined_terms(["", "ISO-2022-IR-149"]) == ["", "ISO 2022 IR 149"]


@pytest.mark.parametrize(
    ("codec", "right", "written"),
    [
        ("utf-8", b"ISO_IR 192", b"ISO_IR_192"),
        ("utf-8", b"ISO_IR 192", b"UTF-8     "),
        ("latin-1", b"ISO_IR 100", b"ISO-IR 100"),
        ("latin-1", b"ISO_IR 100", b"ISO_IR 100"),
    ],
)
@pytest.mark.filterwarnings("ignore:(Unknown encoding|Incorrect value for Specific)")
def test_names_are_read_as_they_were_meant(
    tmp_path: Path, codec: str, right: bytes, written: bytes
) -> None:
    (path,) = write_ct_series(
        tmp_path, slices=1, SpecificCharacterSet=right.decode(), PatientName=NAME
    )
    content = path.read_bytes()
    assert NAME.encode(codec) in content
    path.write_bytes(content.replace(right, written, 1))
    header = read_header(path)
    assert header.SpecificCharacterSet == right.decode()
    assert str(header.PatientName) == NAME


@pytest.mark.filterwarnings("ignore:Incorrect value for Specific")
def test_one_of_several(tmp_path: Path) -> None:
    right = ["", "ISO 2022 IR 87"]
    (path,) = write_ct_series(
        tmp_path, slices=1, SpecificCharacterSet=right, PatientName="Yamada^Tarou=山田^太郎"
    )
    content = path.read_bytes()
    path.write_bytes(content.replace(b"ISO 2022 IR 87", b"ISO_2022_IR_87", 1))
    header = read_header(path)
    assert header.SpecificCharacterSet == right
    assert header.PatientName.ideographic == "山田^太郎"
