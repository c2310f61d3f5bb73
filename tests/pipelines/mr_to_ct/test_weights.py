"""What the shipped weights do on patients that they have not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from dicom_profiles.volume import Volume
from pipelines import catalog, load
from pipelines.contract import Pipeline
from pipelines.mr_to_ct.models import read_networks
from trainers.metrics.intensity import mae
from trainers.metrics.measurement import ALL_HU, Mask
from trainers.metrics.segmentation import dice
from trainers.readers.mr_ct import MrCtSeries, read_ct
from trainers.readers.sts import read_sts_patient
from trainers.simulation.dual_echo import simulate_dual_echo

BODY_HU, BONE_HU = -500.0, 200.0


@pytest.fixture(scope="module")
def scanner() -> Pipeline:
    return load("mr_to_ct", device="cpu", threads=1)


def made(scanner: Pipeline, series: MrCtSeries, *keys: str) -> npt.NDArray[np.float32]:
    affine = np.diag((series.slice_mm, series.pixel_mm, series.pixel_mm, 1.0))[[2, 1, 0, 3]]
    inputs = {key: Volume(series.mr[key], affine, "1") for key in keys}
    return scanner(inputs).volume.voxels


def error(output: npt.NDArray[np.float32], truth: npt.NDArray[np.float32]) -> float:
    body = Mask(f"true CT above {BODY_HU:.0f} HU", truth > BODY_HU)
    return mae(truth, output, ALL_HU, body).value


def test_the_weights_are_those_on_the_card() -> None:
    assert catalog.verify("mr_to_ct") == catalog.card("mr_to_ct").weights.sha256
    assert catalog.weights_path("mr_to_ct").stat().st_size < 6_000_000


def test_there_is_a_model_for_every_set_of_inputs_on_the_card() -> None:
    networks = read_networks(catalog.weights_path("mr_to_ct").read_bytes())
    named = {design.inputs for design, _ in networks.values()}
    assert named == set(catalog.card("mr_to_ct").accepted_sets)


def test_the_card_names_networks_that_exist() -> None:
    networks = read_networks(catalog.weights_path("mr_to_ct").read_bytes())
    assert set(catalog.card("mr_to_ct").training.networks_of_real_pairs) < set(networks)


def test_both_phases_beat_one_where_the_truth_is_known(
    scanner: Pipeline, shared_data: Path
) -> None:
    """The paper's claim: only the pair tells how much fat there is (IP = W + F, OOP = |W - F|)."""
    ct = read_ct(shared_data / "ct_abdomen_philips_chaos" / "dicom")
    assert ct.ct is not None
    few = replace(ct, ct=ct.ct[20:36])
    for seed in (7001, 7002):
        series = simulate_dual_echo(few, seed)
        assert series.ct is not None
        constant = np.full_like(series.ct, np.median(series.ct[series.ct > BODY_HU]))
        both = error(made(scanner, series, "IP", "OOP"), series.ct)
        one = error(made(scanner, series, "IP"), series.ct)
        assert both < 0.9 * one
        assert one < 0.9 * error(constant, series.ct)


def test_t1_of_an_unseen_patient_shows_bone(scanner: Pipeline, shared_data: Path) -> None:
    series = read_sts_patient(shared_data / "sts_ct_mrt1_pet", "STS_043")
    assert series.ct is not None
    output = made(scanner, series, "T1")
    constant = np.full_like(series.ct, np.median(series.ct[series.ct > BODY_HU]))
    assert error(output, series.ct) < 0.55 * error(constant, series.ct)
    assert dice(series.ct > BONE_HU, output > BONE_HU, "bone").value > 0.7


def test_air_far_from_the_body_is_air(scanner: Pipeline, shared_data: Path) -> None:
    """Noise alone, in a wide image, once came out as tissue."""
    ct = read_ct(shared_data / "ct_abdomen_philips_chaos" / "dicom")
    assert ct.ct is not None
    wide = np.pad(ct.ct[28:30], ((0, 0), (60, 60), (60, 60)), constant_values=-1000.0)
    series = simulate_dual_echo(replace(ct, ct=wide), 10)
    assert series.ct is not None
    for keys in (("IP", "OOP"), ("IP",)):
        output = made(scanner, series, *keys)
        assert (output[series.ct < BODY_HU] > BODY_HU).mean() < 0.03


def test_no_grid_is_drawn_into_soft_tissue(scanner: Pipeline, shared_data: Path) -> None:
    """Two enlargements by two make cells of four pixels; 1.2.0 had places 3 HU apart."""
    ct = read_ct(shared_data / "ct_abdomen_philips_chaos" / "dicom")
    assert ct.ct is not None
    series = simulate_dual_echo(replace(ct, ct=ct.ct[20:28]), 7002)
    assert series.ct is not None
    output = made(scanner, series, "IP", "OOP")
    soft = (series.ct > -20) & (series.ct < 120) & (output > -40) & (output < 140)
    places = [
        output[:, row::4, column::4][soft[:, row::4, column::4]].mean()
        for row in range(4)
        for column in range(4)
    ]
    assert np.ptp(places) < 2.0
