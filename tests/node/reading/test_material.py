from __future__ import annotations

from pathlib import Path

import pytest

from node.reading.errors import UnfitMaterial
from node.reading.material import find_candidates
from tests.node.reading.patients import patients, write_real
from tests.synthetic import write_ct_series


def test_each_series_is_one_candidate(tmp_path: Path) -> None:
    found = find_candidates(*([folder] for folder in patients(tmp_path, 2)))
    assert [(one.truth, one.patient, one.modality) for one in found] == [
        *(("real", "/PHANTOM-0", "CT"), ("real", "/PHANTOM-1", "CT")),
        *(("synthetic", "/PHANTOM-0", "CT"), ("synthetic", "/PHANTOM-1", "CT")),
    ]


def test_headers_must_say_what_the_folder_says(tmp_path: Path) -> None:
    real, synthetic = patients(tmp_path, 1)
    with pytest.raises(UnfitMaterial, match="given as real, but its headers say synthetic"):
        find_candidates([synthetic], [real])
    with pytest.raises(UnfitMaterial, match="given as synthetic, but nothing"):
        find_candidates([real], [real])


def test_a_scout_is_a_stack_of_its_own_and_a_localizer_none(tmp_path: Path) -> None:
    folder = write_real(tmp_path, "P1", series_uid="1.2.3", frame_of_reference="1.2.4")
    write_ct_series(
        folder / "scout",
        slices=1,
        series_uid="1.2.3",
        study_uid="1.2.5",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    )
    found = find_candidates([folder], [])
    assert [one.source.shape[0] for one in found] == [6]


def test_a_patient_without_an_id_is_the_study(tmp_path: Path) -> None:
    folder = write_real(tmp_path, "P1", PatientID="", study_uid="1.2.5")
    (one,) = find_candidates([folder], [])
    assert one.patient == "1.2.5"


def test_what_is_not_whole_is_refused(tmp_path: Path) -> None:
    folder = write_real(tmp_path / "P1", "P1")
    paths = sorted(folder.glob("*.dcm"))
    paths[2].unlink()
    with pytest.raises(UnfitMaterial, match="cannot be a case"):
        find_candidates([folder], [])
    paths[3].write_bytes(paths[3].read_bytes()[:400])
    with pytest.raises(UnfitMaterial, match="P1: "):
        find_candidates([folder], [])


def test_words_in_the_pixels_are_refused(tmp_path: Path) -> None:
    folder = write_real(tmp_path, "P1", BurnedInAnnotation="YES")
    with pytest.raises(UnfitMaterial, match="burned into its pixels"):
        find_candidates([folder], [])


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnfitMaterial, match="holds no images"):
        find_candidates([tmp_path], [])
    with pytest.raises(UnfitMaterial, match="There is no folder"):
        find_candidates([tmp_path / "nowhere"], [])


def test_images_count_once(tmp_path: Path) -> None:
    write_real(tmp_path / "P1", "P1")
    with pytest.raises(UnfitMaterial, match="given twice"):
        find_candidates([tmp_path, tmp_path / "P1"], [])
