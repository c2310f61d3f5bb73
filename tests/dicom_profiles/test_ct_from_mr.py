from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_profiles import inherited
from dicom_profiles.checks.check import check_derived
from dicom_profiles.ct_from_mr import stored_values, write_synthetic_ct
from dicom_profiles.derived import DerivedSeries
from dicom_profiles.errors import DerivedObjectError
from dicom_profiles.presentation_label import write_label
from dicom_profiles.provenance import Derivation
from dicom_profiles.qc_report import write_qc_report
from dicom_profiles.reading import open_series
from dicom_profiles.recognition.series import synthetic_signs
from dicom_profiles.sources.series import SourceSeries
from dicom_profiles.writers import writer_for
from tests.dicom_profiles.conftest import DERIVATION
from tests.dicom_profiles.validators import dcentvfy_errors, dciodvfy_errors, strict_faults
from tests.dual_echo import write_dual_echo

DOSE_AND_MR = (
    *("CTDIvol", "Exposure", "IrradiationEventUID", "ConvolutionKernel"),
    *("MagneticFieldStrength", "EchoTime", "ScanningSequence"),
)


@dataclass(frozen=True)
class WrittenCt:
    """Two echoes and what was made of them."""

    sources: dict[str, SourceSeries]
    paths: list[Path]
    output: npt.NDArray[np.float32]
    series: DerivedSeries
    folder: Path

    @property
    def images(self) -> list[Dataset]:
        """The derived images."""
        return [pydicom.dcmread(path) for path in self.series.paths]


@pytest.fixture(scope="module")
def written_ct(tmp_path_factory: pytest.TempPathFactory) -> WrittenCt:
    folder = tmp_path_factory.mktemp("sct")
    paths = write_dual_echo(folder / "mr", slices=5, size=64)
    sources = {key: open_series(paths[key]) for key in ("IP", "OOP")}
    random = np.random.default_rng(0)
    output = random.uniform(-1024, 2500, sources["IP"].shape).astype(np.float32)
    derivation = replace(DERIVATION, model=replace(DERIVATION.model, name="mr_to_ct"))
    (series,) = writer_for("mr_to_ct")(sources, iter(output), {}, derivation, folder / "out")
    write_qc_report(sources, [series], derivation, folder / "out")
    write_label(sources, series, derivation, folder / "out")
    return WrittenCt(sources, [*paths["IP"], *paths["OOP"]], output, series, folder / "out")


def test_validators_find_no_error(written_ct: WrittenCt) -> None:
    for path in sorted(written_ct.folder.glob("*.dcm")):
        assert dciodvfy_errors(path) == []
        strict_faults(path)


def test_sources_and_outputs_agree(written_ct: WrittenCt) -> None:
    outputs = sorted(written_ct.folder.glob("*.dcm"))
    assert dcentvfy_errors([*written_ct.paths, *outputs]) == []


def test_the_own_check_finds_nothing(written_ct: WrittenCt) -> None:
    assert check_derived(written_ct.sources, written_ct.folder) == []


def test_values_come_back_in_hu_on_the_grid_of_the_first_input(written_ct: WrittenCt) -> None:
    series = open_series(written_ct.series.paths)
    assert series.unit == "HU"
    np.testing.assert_allclose(series.load().voxels, written_ct.output, atol=0.51)
    np.testing.assert_array_equal(series.affine, written_ct.sources["IP"].affine)


def test_nobody_was_exposed(written_ct: WrittenCt) -> None:
    for ds in written_ct.images:
        assert "KVP" in ds
        assert ds.KVP is None
        assert (ds.Modality, ds.RescaleType) == ("CT", "HU")
        assert not [keyword for keyword in DOSE_AND_MR if keyword in ds]


def test_geometry_is_copied_string_by_string(written_ct: WrittenCt) -> None:
    for ds, header in zip(written_ct.images, written_ct.sources["IP"].headers, strict=True):
        for tag in inherited.tags(inherited.PLACE):
            if tag in header:
                assert str(ds[tag].value) == str(header[tag].value)


def test_a_negative_distance_and_a_thickness_of_nothing_are_left_out(tmp_path: Path) -> None:
    paths = write_dual_echo(tmp_path / "mr", slices=3, size=64)
    for path in paths["IP"]:
        ds = pydicom.dcmread(path)
        ds.SpacingBetweenSlices = "-5.5"
        ds.SliceThickness = "0"
        ds.save_as(path)
    sources = {key: open_series(paths[key]) for key in ("IP", "OOP")}
    output = np.zeros(sources["IP"].shape, np.float32)
    derivation = replace(DERIVATION, model=replace(DERIVATION.model, name="mr_to_ct"))
    (series,) = writer_for("mr_to_ct")(sources, iter(output), {}, derivation, tmp_path / "out")
    for path in series.paths:
        assert dciodvfy_errors(path) == []
        ds = pydicom.dcmread(path)
        assert "SpacingBetweenSlices" not in ds
        assert ds["SliceThickness"].is_empty
    assert check_derived(sources, list(series.paths)) == []


def test_each_slice_names_both_echoes(written_ct: WrittenCt) -> None:
    for index, ds in enumerate(written_ct.images):
        named = [item.ReferencedSOPInstanceUID for item in ds.SourceImageSequence]
        assert named == [s.sop_instance_uids[index] for s in written_ct.sources.values()]
        assert len(ds.ReferencedSeriesSequence) == 2
        assert len(ds.RelatedSeriesSequence) == 2


def test_it_is_labelled(written_ct: WrittenCt) -> None:
    for ds in written_ct.images:
        assert len(synthetic_signs(ds)) == 5
        assert list(ds.ImageType) == [
            "DERIVED",
            "SECONDARY",
            "AXIAL",
            "",
            "SYNTHETIC",
            "SCT_FROM_MR",
        ]
        assert ds.SeriesDescription.startswith("SYNTHETIC CT from MR")
        assert ds.DerivationCodeSequence[0].CodeValue == "SCT"
        assert ds.SeriesNumber > 92_000


def test_a_repeat_gives_the_same_bytes(written_ct: WrittenCt, tmp_path: Path) -> None:
    derivation = replace(DERIVATION, model=replace(DERIVATION.model, name="mr_to_ct"))
    again = write_synthetic_ct(written_ct.sources, iter(written_ct.output), derivation, tmp_path)
    for first, second in zip(written_ct.series.paths, again.paths, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_one_input_is_enough(written_ct: WrittenCt, derivation: Derivation, tmp_path: Path) -> None:
    sources = {"IP": written_ct.sources["IP"]}
    series = write_synthetic_ct(sources, iter(written_ct.output), derivation, tmp_path)
    assert series.series_instance_uid != written_ct.series.series_instance_uid
    assert check_derived(sources, list(series.paths)) == []


@pytest.mark.parametrize("count", [4, 6])
def test_other_counts_are_refused(
    written_ct: WrittenCt, derivation: Derivation, tmp_path: Path, count: int
) -> None:
    output = np.zeros((count, 64, 64), np.float32)
    with pytest.raises(DerivedObjectError, match="should have 5 slices"):
        write_synthetic_ct(written_ct.sources, iter(output), derivation, tmp_path)


def test_values_that_are_no_ct_numbers_are_refused() -> None:
    with pytest.raises(DerivedObjectError, match="up to 64511 HU"):
        stored_values(np.full((2, 2), np.nan, np.float32))
    with pytest.raises(DerivedObjectError):
        stored_values(np.full((2, 2), 70_000, np.float32))
    assert stored_values(np.array([[-3000.0, -1024.0, 0.4]], np.float32)).tolist() == [[0, 0, 1024]]
