from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from dicom_profiles.deidentification.data_set import DataSet, changed_series, read_data_set
from dicom_profiles.deidentification.pseudonyms import Pseudonyms
from node.config import Config, RouteSettings
from node.gathering.archive import Question, SeriesSummary
from node.gathering.errors import GatherError
from node.gathering.gather import Gathering, Places
from node.gathering.wanted import choose, wanted_for
from tests.dual_echo import write_dual_echo
from tests.mammograms import write_mammogram
from tests.synthetic import write_ct_series
from trainers.readers.gathered_mammograms import read_gathered_mammograms

VIEWS = (("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"))
ALSO = ["LE={ImageType: LOW_ENERGY}", "REC={SeriesDescription: Recombined}"]
"""As further roles, so that the test depends on no pipeline for mammograms."""


def a_study(folder: Path) -> None:
    """A contrast mammogram: four low-energy images in one series, recombined ones in another."""
    for number, (side, view) in enumerate(VIEWS):
        shared = {"StudyInstanceUID": "1.2.3", "PatientID": "MRN-1", "BurnedInAnnotation": "NO"}
        low = shared | {"SeriesInstanceUID": "1.2.3.1", "SOPInstanceUID": f"1.2.3.1.{number}"}
        write_mammogram(folder / f"low{number}.dcm", side, view, **low)
        made = shared | {"SeriesInstanceUID": "1.2.3.2", "SOPInstanceUID": f"1.2.3.2.{number}"}
        made["SeriesDescription"] = "Recombined"
        image_type = ["DERIVED", "PRIMARY", "", "RECOMBINED"]
        write_mammogram(folder / f"made{number}.dcm", side, view, ImageType=image_type, **made)


class FolderArchive:
    """An archive of one study in a folder: what a PACS would send."""

    finds_by = fetches_by = "files"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def studies(self, question: Question) -> Iterator[str]:
        yield "1.2.3"

    def series(self, study_instance_uid: str) -> list[SeriesSummary]:
        return [SeriesSummary("1.2.3", "1.2.3.1", Dataset())]

    def fetch(self, series: SeriesSummary, folder: Path) -> int:
        paths = sorted(self.folder.glob("*.dcm"))
        for path in paths:
            (folder / path.name).write_bytes(path.read_bytes())
        return len(paths)


def gather_into(
    folder: Path, archive: FolderArchive, tell: Callable[[str], None] = lambda _: None
) -> DataSet:
    """Gather what there is into `set`."""
    wanted = wanted_for("ldct_denoise", Config(), ALSO, unpaired=True)
    places = Places(folder / "set", folder / "node" / "aside")
    gathering = Gathering(archive, wanted, Pseudonyms(b"s" * 32), places)
    return gathering.gather(Question(), 0, tell)


def test_every_mammogram_of_a_series_is_kept_and_pairs_are_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    a_study(tmp_path / "in")
    data_set = gather_into(tmp_path, FolderArchive(tmp_path / "in"))
    assert sorted(series.role for series in data_set.series) == ["LE"] * 4 + ["REC"] * 4
    assert len({series.folder for series in data_set.series}) == 8
    split = data_set.series[0].split
    pairs = list(read_gathered_mammograms(tmp_path / f"set:{split}"))
    assert sorted(pair.name.split("_", 1)[1] for pair in pairs) == [
        "L_CC",
        "L_MLO",
        "R_CC",
        "R_MLO",
    ]
    for pair in pairs:
        assert pair.low_energy.shape == pair.recombined.shape
        assert 0 <= pair.low_energy.min() < pair.low_energy.max() <= 1


def test_further_series_need_an_input_unless_told_otherwise(tmp_path: Path) -> None:
    a_study(tmp_path)
    for path in tmp_path.glob("low*.dcm"):
        path.unlink()
    paired = wanted_for("ldct_denoise", Config(), ALSO)
    assert choose(paired, tmp_path)[0] == []
    unpaired = wanted_for("ldct_denoise", Config(), ALSO, unpaired=True)
    assert len(choose(unpaired, tmp_path)[0]) == 4


def test_what_a_person_would_decide_on_and_what_is_refused_is_left_out(tmp_path: Path) -> None:
    odd = {"ImageType": ["ORIGINAL", "PRIMARY", "M"], "SeriesDescription": "opposed phase"}
    write_dual_echo(tmp_path / "held", ("IP",), of_key={"IP": odd})
    when = {"SeriesDescription": {"matches": "phase"}}
    route = RouteSettings(name="mr", pipeline="mr_to_ct", when=when)
    wanted = wanted_for("mr_to_ct", Config(routes=(route,)), [])
    assert choose(wanted, tmp_path / "held") == ([], ["What it is is in doubt."])

    write_ct_series(tmp_path / "gap", slices=12)[5].unlink()
    route = RouteSettings(name="ct", pipeline="ldct_denoise", when={"Modality": "CT"})
    wanted = wanted_for("ldct_denoise", Config(routes=(route,)), [])
    assert choose(wanted, tmp_path / "gap") == ([], ["The pipeline refuses it."])


def test_inputs_in_two_series_are_kept_once_each(tmp_path: Path) -> None:
    write_dual_echo(tmp_path, one_series=False)
    kept, left = choose(wanted_for("mr_to_ct", Config(), []), tmp_path)
    assert [(one.role, one.number, len(one.instances)) for one in kept] == [
        ("IP", 1, 12),
        ("OOP", 1, 12),
    ]
    assert left == []


def test_a_study_of_which_nothing_is_worth_fetching_is_passed_over(tmp_path: Path) -> None:
    class WithoutSeries(FolderArchive):
        def series(self, study_instance_uid: str) -> list[SeriesSummary]:
            return []

    assert gather_into(tmp_path, WithoutSeries(tmp_path)).to_json()["counts"] == {}


@pytest.mark.parametrize(
    ("summary", "worth"),
    [
        ({}, True),  # an index that says nothing speaks against nothing
        ({"Modality": "CT"}, True),
        ({"Modality": "MR"}, False),
        ({"Modality": "CT", "SeriesDescription": "LOW DOSE"}, True),
        ({"Modality": "CT", "SeriesDescription": "Topogram"}, False),
        ({"Modality": "PT", "SeriesDescription": "Topogram"}, True),  # the further role
    ],
)
def test_only_what_the_index_does_not_speak_against_is_fetched(
    summary: dict[str, str], worth: bool
) -> None:
    when = {"Modality": "CT", "SeriesDescription": {"matches": "LOW"}}
    route = RouteSettings(name="chest", pipeline="ldct_denoise", when=when)
    other = RouteSettings(name="other", pipeline="ct_to_pet", when={"Modality": "MR"})
    wanted = wanted_for("ldct_denoise", Config(routes=(other, route)), ["PT={Modality: PT}"])
    said = Dataset()
    for keyword, value in summary.items():
        setattr(said, keyword, value)
    assert wanted.worth_fetching(said) == worth
    assert wanted.modalities() == ("CT",)


def test_a_mammogram_without_a_word_on_burned_in_text_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    a_study(tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        ds = pydicom.dcmread(path)
        del ds.BurnedInAnnotation
        ds.save_as(path)
    data_set = gather_into(tmp_path, FolderArchive(tmp_path / "in"))
    assert data_set.series == ()
    assert data_set.left_out["Burned In Annotation (0028,0301) does not say NO."] == 8
    assert list((tmp_path / "set").iterdir()) == [tmp_path / "set" / "dataset.json"]


def test_what_was_kept_before_and_is_refused_now_stays_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    a_study(tmp_path / "in")
    archive, told = FolderArchive(tmp_path / "in"), list[str]()
    kept = gather_into(tmp_path, archive, told.append)
    assert told == ["study 1: 8 series kept; 1 studies so far"]
    for path in (tmp_path / "in").glob("made*.dcm"):
        ds = pydicom.dcmread(path)
        ds.BurnedInAnnotation = "YES"  # as somebody found later
        ds.save_as(path)
    again = gather_into(tmp_path, archive, told.append)
    assert again.series == kept.series
    assert changed_series(again.series, tmp_path / "set") == []
    assert "study 1: 4 series kept" in told[1]
    assert "4 series that were kept before" in told[2]
    assert "gather into another folder" in told[2]


def test_what_was_kept_stays_whole_when_it_cannot_be_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    a_study(tmp_path / "in")
    archive = FolderArchive(tmp_path / "in")
    kept = gather_into(tmp_path, archive)
    fsync, calls = os.fsync, iter(range(1000))

    def full_disk(descriptor: int) -> None:
        if next(calls) > 2:  # the list of the set, the first series and its folder
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_disk)
        with pytest.raises(OSError, match="No space"):
            gather_into(tmp_path, archive)
    assert read_data_set(tmp_path / "set") == kept
    assert changed_series(kept.series, tmp_path / "set") == []
    assert list((tmp_path / "set").rglob("*.part")) == []
    assert gather_into(tmp_path, archive) == kept


def test_nobody_else_gathers_meanwhile(tmp_path: Path) -> None:
    """Who empties the folder, or fetches into it, would mix the patients of two studies."""

    class SlowArchive(FolderArchive):
        def fetch(self, series: SeriesSummary, folder: Path) -> int:
            (folder / "fetched").touch()
            with pytest.raises(GatherError, match="Another process"):
                gather_into(tmp_path, FolderArchive(self.folder))
            assert (folder / "fetched").exists()
            return super().fetch(series, folder)

    (tmp_path / "in").mkdir()
    a_study(tmp_path / "in")
    assert len(gather_into(tmp_path, SlowArchive(tmp_path / "in")).series) == 8
    assert not (tmp_path / "node" / "aside").exists()
    assert len(gather_into(tmp_path, FolderArchive(tmp_path / "in")).series) == 8
