"""SUV of a real PET by hand, and every reason why a header may not say it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from dicom_profiles.suv import SuvError, read_suv_series, suv_scale


def header(**changes: object) -> Dataset:
    """One slice of an FDG PET: 350 MBq, 70 kg, an hour before the scan."""
    item = Dataset()
    item.RadionuclideTotalDose = "350000000"
    item.RadionuclideHalfLife = "6586.2"
    item.RadiopharmaceuticalStartTime = "090000"
    ds = Dataset()
    ds.Modality, ds.Units, ds.DecayCorrection = "PT", "BQML", "START"
    ds.CorrectedImage = ["ATTN", "DECY", "SCAT"]
    ds.PatientWeight = "70"
    ds.SeriesDate, ds.SeriesTime = "20250310", "100000"
    ds.AcquisitionDate, ds.AcquisitionTime = "20250310", "100200"
    ds.RadiopharmaceuticalInformationSequence = Sequence([item])
    for keyword, value in changes.items():
        where = item if keyword.startswith("Radio") else ds
        if value is None:
            where.pop(keyword, None)
        else:
            setattr(where, keyword, value)
    return ds


def test_hand_computed_factor() -> None:
    # 350 MBq after 3600 s: 350e6 * 2 ** (-3600 / 6586.2) = 239.64 MBq; 70 kg are 70000 g
    scale = suv_scale([header()])
    assert scale.factor == pytest.approx(70_000 / 239.62e6, rel=1e-4)
    assert scale.uptake_s == 3600


def test_real_pet_agrees_with_a_calculation_by_hand(shared_data: Path) -> None:
    folder = shared_data / "pet_wholebody_cps_qin0024"
    headers = [pydicom.dcmread(p, stop_before_pixels=True) for p in sorted(folder.glob("*.dcm"))]
    scale = suv_scale(headers)
    # injected 11:39:00, Series Time 13:02:44.678: 5024.678 s; 381.47 MBq; 66.2 kg
    left = 381.47e6 * 2 ** (-5024.678 / 6586.2)
    assert scale.uptake_s == pytest.approx(5024.678)
    assert scale.factor == pytest.approx(66_200 / left, rel=1e-9)
    # Decay Factor of every bed agrees with the middle of its three minutes
    first = headers[0]
    assert float(first.DecayFactor) == pytest.approx(2 ** (1375.97 / 6586.2), rel=1e-3)


def test_real_pet_as_a_volume(shared_data: Path) -> None:
    volume = read_suv_series(shared_data / "pet_wholebody_cps_qin0024")
    assert volume.unit == "SUVbw"
    body = volume.voxels[volume.voxels > 0.2]
    assert 0.4 < np.median(body) < 1.5  # activity is conserved: a body's SUV is near 1
    whole = float(volume.voxels.sum() * np.prod(volume.spacing_mm) / 1e6)  # kg x SUV
    assert 0.4 * 66.2 < whole < 1.1 * 66.2


def test_gml_is_suv_already() -> None:
    scale = suv_scale([header(Units="GML", RadionuclideTotalDose=None, PatientWeight=None)])
    assert scale.factor == 1.0


def test_admin_correction_counts_from_the_injection() -> None:
    assert suv_scale([header(DecayCorrection="ADMIN")]).factor == pytest.approx(70_000 / 350e6)


def test_start_date_time_reaches_over_midnight() -> None:
    late = header(
        RadiopharmaceuticalStartDateTime="20250309233000", SeriesTime="003000",
        AcquisitionTime="003200",
    )  # fmt: skip
    assert suv_scale([late]).uptake_s == 3600


@pytest.mark.parametrize(
    ("injected", "zone"),
    [
        ("20250310080000+0000", "+0100"),
        ("20250310090000+0100", "+0100"),
        ("20250309230000.000-1000", "+0000"),
        ("20250310090000+0100", None),  # the series does not tell: it is that of its clocks
    ],
)
def test_injection_in_another_zone_is_the_same_moment(injected: str, zone: str | None) -> None:
    told = header(RadiopharmaceuticalStartDateTime=injected, TimezoneOffsetFromUTC=zone)
    assert suv_scale([told]).uptake_s == 3600


def test_series_made_anew_later_is_dated_by_its_first_slice() -> None:
    anew = [header(SeriesTime="150000"), header(SeriesTime="150000", AcquisitionTime="101000")]
    scale = suv_scale(anew)
    assert scale.uptake_s == 3720
    assert "earliest slice" in scale.reasons[0]


@pytest.mark.parametrize("frame_s", [180, 1800])
def test_decay_factor_that_agrees(frame_s: int) -> None:
    factor = f"{2 ** ((120 + frame_s / 2) / 6586.2):.6f}"
    right = header(DecayFactor=factor, ActualFrameDuration=str(1000 * frame_s))
    assert suv_scale([right]).uptake_s == 3600


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Units": "CNTS"}, "BQML or GML"),
        ({"Units": None}, "BQML or GML"),
        ({"Modality": "CT"}, "PET series"),
        ({"DecayCorrection": "NONE"}, "not corrected for decay"),
        ({"CorrectedImage": ["DECY"]}, "lacks ATTN."),
        ({"PatientWeight": None}, "Weight (0010,1030) is missing"),
        ({"PatientWeight": "70000"}, "not what a person weighs"),
        ({"PatientWeight": "0.9"}, "not what a person weighs"),
        ({"RadionuclideTotalDose": None}, "Total Dose (0018,1074) is missing"),
        ({"RadionuclideTotalDose": "350"}, "in MBq"),
        ({"RadionuclideTotalDose": "3100000000"}, "not what is injected"),
        ({"RadionuclideHalfLife": None}, "Half Life (0018,1075) is missing"),
        ({"RadiopharmaceuticalStartTime": None}, "time of injection"),
        ({"RadiopharmaceuticalStartTime": "113000"}, "injection is later"),
        ({"RadiopharmaceuticalStartTime": "010000"}, "hours after the injection"),
        ({"AcquisitionTime": None}, "Acquisition Date and Time"),
        ({"DecayFactor": "2.5"}, "Decay Factor"),
        ({"DecayFactor": "1.07"}, "the times make it 1.013"),
        ({"DecayFactor": "0.96"}, "the times make it 1.013"),
        ({"RadionuclideHalfLife": "1.83"}, "Half Life (0018,1075) is too short"),
        (
            {"AcquisitionDate": "99990101", "DecayFactor": "1"},
            "hours from the time of decay correction",
        ),
        (
            {"ActualFrameDuration": "9" * 16, "DecayFactor": "1"},
            "hours from the time of decay correction",
        ),
        ({"RadiopharmaceuticalStartTime": "035959"}, "6.0 hours after the injection"),
        ({"Units": "GML", "SUVType": "LBM"}, "SUV Type"),
        ({"SeriesDate": "6 May"}, "not readable"),
        ({"SeriesDate": None, "AcquisitionDate": None}, "Series Date (0008,0021) is missing"),
        ({"AcquisitionTime": "noon"}, "not readable"),
        ({"RadiopharmaceuticalStartDateTime": "yesterday"}, "(0018,1078) is not readable"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_refusals(change: dict[str, object], words: str) -> None:
    with pytest.raises(SuvError) as caught:
        suv_scale([header(**change)])
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"RadiopharmaceuticalStartTime": "100000"},
        {"RadiopharmaceuticalStartTime": "040000"},
        {"RadionuclideTotalDose": "3000000000"},
        {"RadionuclideTotalDose": "1000000"},
        {"PatientWeight": "400"},
        {"PatientWeight": "1"},
        {"DecayFactor": "1.06"},
    ],
)
def test_what_is_just_believed(change: dict[str, object]) -> None:
    assert suv_scale([header(**change)]).factor > 0


def test_slices_have_to_agree_about_their_units() -> None:
    with pytest.raises(SuvError, match="one Units"):
        suv_scale([header(), header(Units="GML")])


def test_isotope_item_has_to_be_there() -> None:
    bare = header()
    bare.RadiopharmaceuticalInformationSequence = Sequence([])
    with pytest.raises(SuvError, match="1 item, got 0"):
        suv_scale([bare])
