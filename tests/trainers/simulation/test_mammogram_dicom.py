from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from dicom_profiles.reading import open_source
from dicom_profiles.recognition.mg import recognise_low_energy_mammogram
from tests.dicom_profiles.validators import dciodvfy_errors
from tests.mammograms import breast
from trainers.simulation.mammogram_dicom import main


def test_a_simulated_mammogram_is_a_valid_low_energy_image(tmp_path: Path) -> None:
    path = tmp_path / "le.dcm"
    assert main([str(path), "--rows", "192", "--seed", "2"]) == 0
    assert dciodvfy_errors(path) == []
    ds = pydicom.dcmread(path)
    assert recognise_low_energy_mammogram([ds]).kind == "mg_low_energy"
    assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "", "LOW_ENERGY"]
    assert "simulated" in ds.SeriesDescription
    assert "Not acquired" in ds.ImageComments
    assert open_source([path]).shape == (1, 192, 115)


def test_a_repeat_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        main([str(tmp_path / name), "--rows", "128", "--seed", "2"])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(("name", "wall"), [("P3_L_MLO", "left"), ("P3_R_CC", "right")])
def test_an_excerpt_is_wrapped(tmp_path: Path, name: str, wall: str) -> None:
    both = np.zeros((128, 160, 3), np.uint8)
    side = name.split("_")[1]
    both[:, :80, 0] = (breast(128, 80, side) * 200).astype(np.uint8)
    Image.fromarray(both).save(tmp_path / f"{name}.png")
    path = tmp_path / "le.dcm"
    main([str(path), "--excerpt", str(tmp_path / f"{name}.png")])
    assert dciodvfy_errors(path) == []
    ds = pydicom.dcmread(path)
    assert f"{ds.ImageLaterality}_{ds.ViewPosition}" == name[3:]
    pixels = ds.pixel_array
    assert pixels.max() < 4096
    assert ((pixels == 0) == (breast(128, 80, side) <= 0.02)).mean() > 0.99
    assert ds.PatientOrientation[0] == ("A" if wall == "left" else "P")
