from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest

from tests.trainers.evaluation.toy import OUR_ERROR, SHAPE, case, ours
from trainers.evaluation.case import OURS, EvaluationError
from trainers.evaluation.quality_blocks import blocks_of, cropped, good_images_of_others
from trainers.metrics.measurement import EVERY_VOXEL

OPTIONS = Namespace(block=2, crop=8, blend=[0.5])
METHODS = {"input": lambda one: one.truth.voxels, OURS: ours}


def test_a_case_becomes_blocks_of_neighbours_with_blends() -> None:
    one = case(0)
    first, second = blocks_of(one, METHODS, OPTIONS)
    assert (first.slices, second.slices) == ("slices 1 to 2", "slices 3 to 4")
    assert list(first.outputs) == ["input", OURS, "50% ours"]
    assert first.truth.shape == (2, 8, 8)
    np.testing.assert_array_equal(first.truth, one.truth.voxels[:2, 2:10, 2:10])
    np.testing.assert_allclose(first.outputs["50% ours"] - first.truth, OUR_ERROR / 2, atol=1e-4)


def test_a_single_image_is_no_block() -> None:
    one = case(0)
    flat = replace(one.truth, voxels=one.truth.voxels[:1])
    single = replace(one, truth=flat, inputs={"CT": flat}, masks={"all": EVERY_VOXEL}, lesions={})
    assert list(blocks_of(single, METHODS, OPTIONS)) == []


def test_good_images_are_of_others_and_each_slice_comes_once() -> None:
    blocks = [block for patient in (1, 3) for block in blocks_of(case(patient), METHODS, OPTIONS)]
    blocks += list(blocks_of(replace(case(1), group="another dose"), METHODS, OPTIONS))
    of_other_patient = good_images_of_others(blocks, blocks[0], True, 0)
    np.testing.assert_array_equal(of_other_patient, np.concatenate([b.truth for b in blocks[2:4]]))
    of_other_slices = good_images_of_others(blocks[:2], blocks[0], False, 0)
    np.testing.assert_array_equal(of_other_slices, blocks[1].truth)
    with pytest.raises(EvaluationError, match="good images of another patient"):
        good_images_of_others(blocks[:2], blocks[0], True, 0)


def test_good_images_of_every_series_of_a_patient_are_seen() -> None:
    series = [replace(case(number), patient="P1") for number in (1, 3)]
    blocks = [block for one in (*series, case(5)) for block in blocks_of(one, METHODS, OPTIONS)]
    found = good_images_of_others(blocks, blocks[-1], True, 0)
    np.testing.assert_array_equal(found, np.concatenate([b.truth for b in blocks[:4]]))


def test_the_middle_is_cut_out() -> None:
    images = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    assert cropped(images, 100).shape == SHAPE
    np.testing.assert_array_equal(cropped(images, 4), images[:, 4:8, 4:8])
