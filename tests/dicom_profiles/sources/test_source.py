from __future__ import annotations

from pathlib import Path

import pytest

from dicom_profiles.errors import SeriesError
from dicom_profiles.reading import read_instances
from dicom_profiles.sources.projection import SourceProjection
from dicom_profiles.sources.series import SourceSeries
from dicom_profiles.sources.source import all_instance_uids, reference_of, source_of
from tests.mammograms import write_mammogram
from tests.synthetic import write_ct_series


def test_the_class_says_whether_it_is_a_stack_or_a_projection(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "ct", slices=3)
    (tmp_path / "mg").mkdir()
    write_mammogram(tmp_path / "mg" / "one.dcm")
    stack = source_of(read_instances(tmp_path / "ct").instances)
    projection = source_of(read_instances(tmp_path / "mg").instances)
    assert isinstance(stack, SourceSeries)
    assert isinstance(projection, SourceProjection)


def test_nothing_and_mixtures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match="got none"):
        source_of(())
    write_ct_series(tmp_path / "ct", slices=2)
    write_mammogram(tmp_path / "ct" / "breast.dcm")
    with pytest.raises(SeriesError, match="one SeriesInstanceUID"):
        source_of(read_instances(tmp_path / "ct").instances)


def test_the_first_input_gives_the_grid_and_all_are_named(tmp_path: Path) -> None:
    sources = {}
    for key, slices in (("IP", 2), ("OOP", 3)):
        write_ct_series(tmp_path / key, slices=slices)
        sources[key] = source_of(read_instances(tmp_path / key).instances)
    assert reference_of(sources) is sources["IP"]
    uids = all_instance_uids(sources)
    assert uids == (*sources["IP"].sop_instance_uids, *sources["OOP"].sop_instance_uids)
    assert len(set(uids)) == 5
