from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dicom_profiles import preparing as preparing_module
from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.encoding.ready import ReadyImages, ReadySlice
from dicom_profiles.preparing import preparing
from dicom_profiles.provenance import Derivation
from dicom_profiles.reading import open_series
from tests.dicom_profiles.conftest import Written


def made_ready(
    written: Written, output: npt.NDArray[np.float32] | None = None
) -> dict[int, ReadySlice]:
    ready: dict[int, ReadySlice] = {}
    images = written.output if output is None else output
    handed_on = list(preparing("ldct_denoise", written.sources, images, ready))
    np.testing.assert_array_equal(handed_on, images)
    return ready


def test_pixels_made_ready_give_the_same_files(
    written: Written, derivation: Derivation, tmp_path: Path
) -> None:
    ready = made_ready(written)
    assert sorted(ready) == list(range(len(written.source)))
    unread = [np.full_like(image, np.nan) for image in written.output]  # the ready ones are taken
    made = write_denoised_ct(written.source, ReadyImages(unread, ready), derivation, tmp_path)
    for path, wanted in zip(made.paths, written.images.paths, strict=True):
        assert path.read_bytes() == wanted.read_bytes()


def test_memory_is_bounded(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing_module, "MOST_BYTES", 2 * 2 * written.output[0].size)
    assert sorted(made_ready(written)) == [0, 1]


def test_what_cannot_be_made_ready_waits_for_the_writer(written: Written) -> None:
    wrong = written.output.copy()
    wrong[2] = np.nan
    assert sorted(made_ready(written, wrong)) == [0, 1]
    undecoded = {"CT": open_series(written.source_paths)}
    ready: dict[int, ReadySlice] = {}
    assert len(list(preparing("ldct_denoise", undecoded, written.output, ready))) == 5
    assert ready == {}


def test_other_pipelines_wait_for_their_writer(written: Written) -> None:
    ready: dict[int, ReadySlice] = {}
    assert len(list(preparing("another", written.sources, written.output, ready))) == 5
    assert ready == {}
