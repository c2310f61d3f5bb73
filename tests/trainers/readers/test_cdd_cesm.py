from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainers.readers.cdd_cesm import (
    LOW_ENERGY,
    OUTLINES,
    RECOMBINED,
    PairError,
    outlined,
    read_cdd_cesm,
    read_excerpt,
)


def publish(root: Path, name: str, kind: str, size: tuple[int, int] = (60, 40)) -> None:
    """One image in the published layout, brighter in the recombined one."""
    folder = root / (LOW_ENERGY if kind == "DM" else RECOMBINED)
    folder.mkdir(parents=True, exist_ok=True)
    patient, side, view = name.split("_")
    grey = np.full(size, 60 if kind == "DM" else 120, np.uint8)
    Image.fromarray(grey).save(folder / f"{patient}_{side}_{kind}_{view}.jpg", quality=95)


def test_pairs_are_found_in_the_published_layout(tmp_path: Path) -> None:
    for kind in ("DM", "CM"):
        publish(tmp_path, "P1_L_CC", kind)
        publish(tmp_path, "P12_R_MLO", kind)
    pairs = list(read_cdd_cesm(tmp_path))
    assert [(pair.name, pair.patient) for pair in pairs] == [
        ("P12_R_MLO", "P12"),
        ("P1_L_CC", "P1"),
    ]
    assert pairs[0].low_energy.shape == (60, 40)
    assert pairs[0].low_energy.mean() == pytest.approx(60 / 255, abs=0.01)
    assert pairs[0].recombined.mean() == pytest.approx(120 / 255, abs=0.01)
    assert pairs[0].lesions is None


def test_outlines_become_masks(tmp_path: Path) -> None:
    for kind in ("DM", "CM"):
        publish(tmp_path, "P1_L_CC", kind)
        publish(tmp_path, "P2_L_CC", kind)
    circle = json.dumps({"name": "circle", "cx": 20, "cy": 30, "r": 5}).replace('"', '""')
    (tmp_path / OUTLINES).write_text(
        "#filename,file_size,region_shape_attributes\n"
        f'P1_L_CM_CC .jpg,1,"{circle}"\nP9_L_CM_CC.jpg,1,{{}}\n'
    )
    first, second = read_cdd_cesm(tmp_path)
    assert first.lesions is not None
    assert first.lesions[30, 20]
    assert first.lesions.sum() == pytest.approx(np.pi * 25, rel=0.3)
    assert second.lesions is not None
    assert not second.lesions.any()


def test_shapes_without_area_are_left_out() -> None:
    mask = outlined(
        [
            {"name": "polygon", "all_points_x": [2, 8, 8, 2], "all_points_y": [2, 2, 8, 8]},
            {"name": "ellipse", "cx": 20, "cy": 20, "rx": 3, "ry": 1},
            {"name": "polyline", "all_points_x": [0, 30], "all_points_y": [29, 29]},
            {"name": "point", "cx": 1, "cy": 1},
        ],
        (30, 31),
    )
    assert mask[5, 5]
    assert mask[20, 22]
    assert not mask[29].any()
    assert not mask[1, 1]


def test_an_image_without_partner_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path, "P1_L_CC", "DM")
    with caplog.at_level(logging.WARNING):
        assert list(read_cdd_cesm(tmp_path)) == []
    assert "P1_L_DM_CC.jpg" in caplog.text


def test_slightly_other_sizes_are_fitted_and_others_refused(tmp_path: Path) -> None:
    publish(tmp_path, "P1_L_CC", "DM")
    publish(tmp_path, "P1_L_CC", "CM", (62, 41))
    (pair,) = read_cdd_cesm(tmp_path)
    assert pair.recombined.shape == (60, 40)
    publish(tmp_path, "P1_L_CC", "CM", (80, 40))
    with pytest.raises(PairError, match="one size"):
        list(read_cdd_cesm(tmp_path))


def test_a_foreign_name_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, "P1_L_CC", "DM")
    (tmp_path / LOW_ENERGY / "P1_L_DM_CC.jpg").rename(tmp_path / LOW_ENERGY / "image.jpg")
    with pytest.raises(PairError, match=r"P1_L_DM_CC.jpg"):
        list(read_cdd_cesm(tmp_path))


def test_an_excerpt_holds_both_images_in_one_file(tmp_path: Path) -> None:
    both = np.zeros((20, 24, 3), np.uint8)
    both[:, :12, 0], both[:, 12:, 1] = 51, 102
    Image.fromarray(both).save(tmp_path / "P6_R_CC.png")
    (pair,) = read_excerpt(tmp_path)
    assert (pair.name, pair.patient) == ("P6_R_CC", "P6")
    assert pair.low_energy.shape == (20, 12)
    assert np.unique(pair.low_energy) == pytest.approx([0.2])
    assert np.unique(pair.recombined) == pytest.approx([0.4])
    Image.fromarray(both[:, :23]).save(tmp_path / "P6_L_CC.png")
    with pytest.raises(PairError, match="even width"):
        list(read_excerpt(tmp_path))


def test_the_real_excerpt_is_read(shared_data: Path) -> None:
    pairs = list(read_excerpt(shared_data / "cesm_cdd"))
    assert [pair.patient for pair in pairs] == ["P10", "P10", "P6", "P6"]
    assert all(pair.low_energy.shape == (512, 256) for pair in pairs)
