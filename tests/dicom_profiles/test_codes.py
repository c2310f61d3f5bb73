from __future__ import annotations

from pydicom.sr.coding import Code
from pydicom.uid import UID

from dicom_profiles import codes
from pipelines import catalog


def own_codes() -> list[Code]:
    named = [value for value in vars(codes).values() if isinstance(value, Code)]
    figures = [name for each in catalog.names() for name in catalog.card(each).measurements]
    measured = [codes.measurement_code(name) for name in ("input_distance", *figures)]
    return [*named, *codes.VERDICTS.values(), *measured]


def test_codes_fit_their_value_representations() -> None:
    for code in own_codes():
        assert 0 < len(code.value) <= 16
        assert 0 < len(code.meaning) <= 64
        assert code.meaning.isascii()


def test_one_value_of_our_scheme_has_one_meaning() -> None:
    own = {(c.value, c.meaning) for c in own_codes() if c.scheme_designator == "99VSCAN"}
    assert len({value for value, _ in own}) == len(own)


def test_a_measurement_without_a_code_gets_one_of_its_name() -> None:
    code = codes.measurement_code("a_long_name_of_a_new_figure_hu")
    assert (code.value, code.scheme_designator) == ("A_LONG_NAME_OF_A", "99VSCAN")
    assert code.meaning == "a long name of a new figure hu"
    assert codes.measurement_code("noise_after_hu").value == "NOISE_OUT"


def test_every_scheme_that_we_use_is_declared() -> None:
    items = {i.CodingSchemeDesignator: i for i in codes.coding_scheme_identification()}
    assert set(items) == {"DCM", "99VSCAN"}
    assert all(UID(item.CodingSchemeUID).is_valid for item in items.values())


def test_a_code_becomes_an_item() -> None:
    (item,) = codes.code_sequence([codes.DENOISED])
    assert (item.CodeValue, item.CodingSchemeDesignator) == ("DEN", "99VSCAN")
