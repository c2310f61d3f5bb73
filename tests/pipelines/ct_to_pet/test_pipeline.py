"""The pipeline as it is served: any volume of a body in, SUV on its grid out, with its record."""

from __future__ import annotations

import numpy as np
import pytest

from dicom_profiles.volume import Volume
from pipelines import catalog, load
from pipelines.contract import Pipeline, VolumeSource
from pipelines.errors import InputError, ParameterError, RecordNotReady


@pytest.fixture(scope="module")
def scanner() -> Pipeline:
    """The pipeline on one thread."""
    return load("ct_to_pet", device="cpu", threads=1)


def thigh(slices: int = 24) -> Volume:
    """A thigh with its bone, 5 mm slices of 2 mm pixels."""
    y, x = np.mgrid[-40:40, -44:44]
    hu = np.full((slices, 80, 88), -1000.0, np.float32)
    hu[:, x**2 + y**2 < 32**2] = -95.0
    hu[:, x**2 + y**2 < 26**2] = 55.0
    hu[:, x**2 + y**2 < 6**2] = 900.0
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = 5.0, 2.0, 2.0, 1.0
    return Volume(hu, affine, "HU", "1.2.3")


def test_weights_are_those_of_the_card() -> None:
    assert catalog.verify("ct_to_pet") == catalog.card("ct_to_pet").weights.sha256


def test_volume_in_volume_out(scanner: Pipeline) -> None:
    ct = thigh()
    result = scanner({"CT": ct})
    assert result.volume.voxels.shape == ct.voxels.shape
    assert (result.volume.unit, result.volume.frame_of_reference) == ("SUVbw", "1.2.3")
    assert np.array_equal(result.volume.affine, ct.affine)
    assert not result.volume.voxels[:, :4].any()  # air
    muscle = result.volume.voxels[12, 40, 60]
    assert 0.1 < muscle < 5
    assert set(np.unique(result.companions["districts"].voxels)) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert result.record.measurements["legs_share"] > 0.9
    assert result.record.engine.largest_difference < 0.01
    assert result.record.model["districts"] == "geometric 1"
    red = result.record.measurements["red_input_distance"]
    assert 0 < result.record.input_distance != pytest.approx(2 * red, rel=1e-3)


def test_repeat_is_the_same_to_the_bit(scanner: Pipeline) -> None:
    one, other = scanner({"CT": thigh(12)}), scanner({"CT": thigh(12)})
    assert np.array_equal(one.volume.voxels, other.volume.voxels)
    assert one.record.to_json() == other.record.to_json()


def test_record_comes_with_the_slices(scanner: Pipeline) -> None:
    translation = scanner.translate({"CT": VolumeSource(thigh(12))})
    with pytest.raises(RecordNotReady):
        translation.record()
    with pytest.raises(RecordNotReady):
        translation.companions()
    assert len(list(translation.slices)) == 12
    assert translation.companions()["districts"].shape == (12, 80, 88)
    assert translation.record().slices == 12


def test_progress_moves_while_the_ct_is_read_and_the_networks_run(scanner: Pipeline) -> None:
    told: list[int] = []
    ct = thigh(24)
    source = VolumeSource(ct)
    translation = scanner.translate({"CT": source}, progress=lambda done, _: told.append(done))
    next(translation.slices)
    assert told == sorted(told)
    reading, networks = told[:24], told[24:]
    assert len(set(reading)) > 2, "the CT is being read"
    assert networks[0] <= 4
    assert len(set(networks)) > 2, "single model and district model are under way"
    assert networks[-1] >= 21
    assert len(list(translation.slices)) == 23
    assert told == sorted(told)
    assert told[-1] == 24


def test_a_cancelled_job_stops_between_two_windows(scanner: Pipeline) -> None:
    class Cancelled(BaseException): ...

    def stop(done: int, total: int) -> None:
        if done > 0.15 * total + 1:
            raise Cancelled

    translation = scanner.translate({"CT": VolumeSource(thigh(24))}, progress=stop)
    with pytest.raises(Cancelled):
        next(translation.slices)


def test_air_alone_is_red(scanner: Pipeline) -> None:
    air = Volume(np.full((12, 40, 40), -1000.0, np.float32), thigh().affine, "HU")
    result = scanner({"CT": air})
    assert result.record.verdict == "RED"
    red = result.record.measurements["red_input_distance"]
    assert result.record.input_distance == pytest.approx(2 * red, rel=1e-3)
    assert not result.volume.voxels.any()


def test_wrong_inputs_are_refused(scanner: Pipeline) -> None:
    with pytest.raises(InputError, match="takes CT; got: MR"):
        scanner({"MR": thigh()})
    with pytest.raises(InputError, match="HU"):
        scanner({"CT": Volume(thigh().voxels, thigh().affine, "1")})
    broken = thigh(12)
    broken.voxels[3, 3, 3] = np.nan
    with pytest.raises(InputError, match="no numbers"):
        scanner({"CT": broken})
    with pytest.raises(ParameterError):
        scanner({"CT": thigh(12)}, {"feather_mm": -1})
    with pytest.raises(InputError, match="not installed"):
        scanner({"CT": thigh(12)}, {"segmenter": 1})
