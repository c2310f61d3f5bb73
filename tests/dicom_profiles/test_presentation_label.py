from __future__ import annotations

import subprocess
from pathlib import Path

import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.presentation_label import write_label
from dicom_profiles.provenance import Derivation
from dicom_profiles.reading import open_series
from tests.dicom_profiles.conftest import Written
from tests.dicom_profiles.validators import dciodvfy_errors, strict_faults
from tests.synthetic import write_ct_series

DCMP2PGM = Path("/usr/bin/dcmp2pgm")


@pytest.fixture
def label(written: Written) -> Dataset:
    return pydicom.dcmread(written.label.paths[0])


def test_validators_find_no_error(written: Written) -> None:
    assert dciodvfy_errors(written.label.paths[0]) == []
    strict_faults(written.label.paths[0])


def test_it_says_synthetic_over_every_image(label: Dataset, written: Written) -> None:
    (annotation,) = label.GraphicAnnotationSequence
    assert annotation.TextObjectSequence[0].UnformattedTextValue == "SYNTHETIC - NOT ACQUIRED"
    applied = (annotation, *label.DisplayedAreaSelectionSequence, *label.SoftcopyVOILUTSequence)
    assert not any("ReferencedImageSequence" in item for item in applied)  # so to all of them
    (series,) = label.ReferencedSeriesSequence
    named = {item.ReferencedSOPInstanceUID for item in series.ReferencedImageSequence}
    assert named == set(written.images.sop_instance_uids)


def test_it_has_the_rescale_and_window_of_the_images(label: Dataset) -> None:
    assert (label.RescaleSlope, label.RescaleIntercept) == (1, -1024)
    window = label.SoftcopyVOILUTSequence[0]
    assert (window.WindowCenter, window.WindowWidth) == (40, 400)


def test_the_overlay_of_the_images_stays_on(label: Dataset, written: Written) -> None:
    image = pydicom.dcmread(written.images.paths[0])
    assert image[0x60001500].value == "SYNTHETIC"  # Overlay Label
    (layer,) = label.GraphicLayerSequence
    assert label[0x60001001].value == layer.GraphicLayer  # PS3.3 C.11.7: else it is switched off


def test_pixels_have_the_shape_of_the_images(tmp_path: Path, derivation: Derivation) -> None:
    source = open_series(write_ct_series(tmp_path, slices=2, PixelSpacing=[0.8, 0.4]))
    images = write_denoised_ct(source, source.slices(), derivation, tmp_path / "d")
    series = write_label({"CT": source}, images, derivation, tmp_path / "d")
    (area,) = pydicom.dcmread(series.paths[0]).DisplayedAreaSelectionSequence
    assert area.PresentationPixelSpacing == [0.8, 0.4]
    assert "PresentationPixelAspectRatio" not in area
    assert dciodvfy_errors(series.paths[0]) == []


def test_of_several_windows_it_has_the_first(tmp_path: Path, derivation: Derivation) -> None:
    paths = write_ct_series(tmp_path, slices=2, WindowCenter=[-600, 40], WindowWidth=[1500, 400])
    source = open_series(paths)
    images = write_denoised_ct(source, source.slices(), derivation, tmp_path / "d")
    series = write_label({"CT": source}, images, derivation, tmp_path / "d")
    (window,) = pydicom.dcmread(series.paths[0]).SoftcopyVOILUTSequence
    assert (window.WindowCenter, window.WindowWidth) == (-600, 1500)


def test_it_was_created_when_the_images_were(label: Dataset) -> None:
    assert (label.PresentationCreationDate, label.PresentationCreationTime) == (
        "20260301",
        "223015",
    )


def test_a_repeat_gives_the_same_bytes(
    tmp_path: Path, written: Written, derivation: Derivation
) -> None:
    again = write_label(written.sources, written.images, derivation, tmp_path)
    assert again.paths[0].read_bytes() == written.label.paths[0].read_bytes()


def test_slices_with_another_rescale_get_a_state_of_their_own(
    tmp_path: Path, derivation: Derivation
) -> None:
    paths = write_ct_series(tmp_path / "s", slices=4)
    ds = pydicom.dcmread(paths[1])
    ds.RescaleIntercept = "-1000"
    ds.save_as(paths[1])
    source = open_series(paths)
    images = write_denoised_ct(source, source.slices(), derivation, tmp_path / "d")
    series = write_label({"CT": source}, images, derivation, tmp_path / "d")
    states = [pydicom.dcmread(path) for path in series.paths]
    named = [len(s.ReferencedSeriesSequence[0].ReferencedImageSequence) for s in states]
    assert named == [3, 1]
    assert [float(s.RescaleIntercept) for s in states] == [-1024, -1000]
    assert all(dciodvfy_errors(path) == [] for path in series.paths)


@pytest.mark.dcmtk
@pytest.mark.skipif(not DCMP2PGM.exists(), reason="DCMTK is not installed")
def test_dcmtk_shows_the_label(tmp_path: Path, written: Written) -> None:
    picture = tmp_path / "picture.pgm"
    image = written.images.paths[0]
    subprocess.run([DCMP2PGM, "-p", written.label.paths[0], image, picture], check=True, timeout=60)
    with Image.open(picture) as shown:
        assert shown.size == (64, 64)
