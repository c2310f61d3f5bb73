"""What lies on the node must not tell real from synthetic, whoever looks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import PositronEmissionTomographyImageStorage

from dicom_profiles.reading import open_series
from node.reading.errors import ReadingError, UnfitMaterial
from node.reading.folder import ReadingFolder
from node.reading.key import open_key
from node.reading.making import Wish, make_reading
from node.reading.material import find_candidates
from tests.node.reading.conftest import Made
from tests.node.reading.patients import reading_of, write_real, write_synthetic

SAMPLE = Path(__file__).parents[3] / "demo" / "samples" / "low_dose_chest"


def test_nothing_in_the_folder_tells_the_truth(made: Made, dicom: Path) -> None:
    folder = made.reading.folder
    words = {"real", "synthetic"}
    for path in dicom.rglob("*.dcm"):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        words |= {header.SeriesInstanceUID, header.SOPInstanceUID, header.PatientID}
        words |= {str(header.SeriesDescription), header.StudyInstanceUID}
    study = json.loads((folder / "study.json").read_text())
    said = json.dumps({name: study[name] for name in study if name not in ("tags", "question")})
    assert not [word for word in words if word in said]
    assert {path.name for path in folder.iterdir()} == {"study.json", "cases", "answers"}
    assert {path.name for path in (folder / "cases").iterdir()} == set(study["cases"])


def test_a_key_without_a_place_is_told_before_the_work(tmp_path: Path) -> None:
    """Afterwards the images of the cases would lie about."""
    wish = Wish(name="r", title="r", readers=1)
    (tmp_path / "old.key").write_text("of another reading")
    with pytest.raises(ReadingError, match="never overwritten"):
        make_reading(tmp_path / "readings", tmp_path / "old.key", [], wish)
    with pytest.raises(ReadingError, match="no folder"):
        make_reading(tmp_path / "readings", tmp_path / "none" / "new.key", [], wish)
    assert not (tmp_path / "readings").exists()


def test_a_reading_that_cannot_be_made_leaves_no_images(tmp_path: Path) -> None:
    folder = write_real(tmp_path / "in" / "real" / "P1", "P1")
    write_synthetic(folder, tmp_path / "in" / "synthetic" / "P1")
    for path in folder.glob("*.dcm"):
        ds = pydicom.dcmread(path)
        ds.PixelData = ds.PixelData[:-100]
        ds.save_as(path)
    root = tmp_path / "readings"
    (root / ".chest-1.part" / "cases").mkdir(parents=True)  # of one that was killed
    with pytest.raises(UnfitMaterial, match="cannot be shown"):
        reading_of(tmp_path / "in", root, tmp_path / "r.key", pairs=True)
    assert list(root.iterdir()) == []


def test_all_cases_have_one_size_and_one_time(made: Made) -> None:
    facts = [path.stat() for path in (made.reading.folder / "cases").iterdir()]
    assert {fact.st_size for fact in facts} == {6 * 64 * 64 * 2}
    assert {fact.st_mode for fact in facts} == {facts[0].st_mode}
    assert len({fact.st_mtime_ns for fact in facts}) == 1


def test_cases_are_written_in_an_order_that_tells_nothing(made: Made) -> None:
    folder = made.reading.folder / "cases"
    written = sorted(made.reading.study.cases, key=lambda case: (folder / case).stat().st_ctime_ns)
    assert written == sorted(written)


def test_pixels_are_those_of_the_source_in_full_range(made: Made, dicom: Path) -> None:
    key = open_key(made.key, made.reading.study)
    sources = {}
    for folder in sorted(dicom.glob("*/*")):
        source = open_series(sorted(folder.glob("*.dcm")))
        sources[source.series_instance_uid] = source.load().voxels
    for token, case in key.cases.items():
        raw = (made.reading.folder / "cases" / token).read_bytes()
        hu = np.frombuffer(raw, dtype="<u2").reshape(6, 64, 64).astype(int) - 1024
        wanted = np.clip(np.rint(sources[case.series]), -1024, 3071)
        assert np.array_equal(hu, wanted)
        third = np.frombuffer(made.reading.slice_pixels(token, 3), dtype="<u2")
        assert np.array_equal(third.astype(int) - 1024, wanted[2].ravel())


def test_a_shorter_case_may_begin_anywhere(tmp_path: Path, dicom: Path) -> None:
    made = reading_of(dicom, tmp_path / "r", tmp_path / "key", slices=2, pairs=True)
    key = open_key(tmp_path / "key", made.study)
    firsts = {case.first_slice for case in key.cases.values()}
    assert firsts <= set(range(5))
    assert len(firsts) > 1


def test_names_are_taken_once_and_lead_nowhere_else(
    made: Made, dicom: Path, tmp_path: Path
) -> None:
    root = made.reading.folder.parent
    with pytest.raises(ReadingError, match="a reading chest-1 already"):
        reading_of(dicom, root, tmp_path / "again.key")
    for name in ("../chest", "chest-2\n", "-chest", "c" * 64):
        with pytest.raises(ReadingError, match="small letters"):
            reading_of(dicom, root, tmp_path / "out.key", name=name)
    assert not (tmp_path / "again.key").exists()


def test_no_reading_without_its_key(made: Made, dicom: Path) -> None:
    with pytest.raises(ReadingError, match="never overwritten"):
        reading_of(dicom, made.reading.folder.parent, made.key, name="chest-2")
    assert not (made.reading.folder.parent / "chest-2").exists()
    assert ReadingFolder(made.reading.folder).study == made.made.study


def test_the_wanted_window_comes_first(dicom: Path, tmp_path: Path) -> None:
    made = reading_of(dicom, tmp_path, tmp_path / "lung.key", window="lung")
    first, *others = made.study.values.windows
    assert (first.label, len(others)) == ("Lung", 3)
    with pytest.raises(ReadingError, match="A window of CT is one of soft, lung"):
        reading_of(dicom, tmp_path, tmp_path / "x.key", name="x", window="brain")
    assert not (tmp_path / "x").exists()


def test_other_modalities_have_values_without_a_unit(tmp_path: Path) -> None:
    pet = {"SOPClassUID": PositronEmissionTomographyImageStorage, "Modality": "PT"}
    write_real(tmp_path / "real", "PHANTOM-1", RescaleIntercept="0", **pet)
    write_real(
        tmp_path / "synthetic",
        "PHANTOM-2",
        RescaleIntercept="0",
        RescaleSlope="0.25",
        SyntheticData="YES",
        **pet,
    )
    found = find_candidates([tmp_path / "real"], [tmp_path / "synthetic"])
    wish = Wish(name="pet", title="PET", readers=1)
    made = make_reading(tmp_path / "r", tmp_path / "pet.key", found, wish)
    values = made.study.values
    assert (made.study.modality, values.unit, values.offset, values.inverted) == (
        "PT",
        "1",
        0,
        True,
    )
    for case in made.study.cases:
        pixels = np.fromfile(tmp_path / "r" / "pet" / "cases" / case, dtype="<u2")
        # 12 bits of both: steps of 4 in 16384, and one scale whatever the rescale slope.
        assert set(np.unique(pixels % 4)) == {0}
        assert np.percentile(pixels[pixels > 0], 99.5) == pytest.approx(16_384, rel=1e-3)


def test_a_scanners_images_and_what_was_made_of_them_look_alike(tmp_path: Path) -> None:
    """Real files: the lattice of the values, their ends and their padding do not tell."""
    derived = write_synthetic(SAMPLE, tmp_path / "derived")
    found = find_candidates([SAMPLE], [derived])
    wish = Wish(name="sample", title="Sample", readers=1, pairs=True)
    made = make_reading(tmp_path / "r", tmp_path / "key", found, wish)
    folder = tmp_path / "r" / "sample" / "cases"
    cases = [np.fromfile(folder / case, dtype="<u2") for case in made.study.cases]
    assert len(cases) == 2
    assert made.study.shape == (16, 512, 512)
    assert {int(np.gcd.reduce(np.unique(case))) for case in cases} == {1}
    assert len({int(case.min()) for case in cases}) == 1
    assert max(int(case.max()) for case in cases) <= 4095
