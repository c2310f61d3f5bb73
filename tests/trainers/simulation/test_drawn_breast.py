from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trainers.simulation.drawn_breast import (
    SKIN_CM,
    Breast,
    Iodine,
    Mass,
    Tissue,
    draw_breast,
    iodine_of,
    tissue_of,
)

MASS = Mass((0.2, 0.0), 0.04, 1.0, 1.5, 7)


def drawn(seed: int = 3) -> Breast:
    return replace(draw_breast(np.random.default_rng(seed)), masses=(MASS,), view="CC", depth=0.4)


def maps(breast: Breast, rows: int = 128) -> Tissue:
    return tissue_of(breast, rows, rows * 5 // 8, np.random.default_rng(breast.seed))


@pytest.mark.parametrize("seed", range(6))
def test_the_maps_of_any_breast_hang_together(seed: int) -> None:
    breast = draw_breast(np.random.default_rng(seed))
    tissue = maps(breast)
    assert 0.05 < tissue.mask.mean() < 0.95
    assert (tissue.thickness_cm[~tissue.mask] == 0).all()
    assert tissue.thickness_cm.max() == pytest.approx(breast.thickness_cm)
    assert (tissue.glandular_cm >= 0).all()
    assert (tissue.glandular_cm <= tissue.thickness_cm).all()
    thick = tissue.thickness_cm > 2 * SKIN_CM
    assert (tissue.glandular_cm[thick] >= 2 * SKIN_CM - 1e-9).all()
    assert len(tissue.blobs) == len(breast.masses)


def test_a_finer_grid_shows_the_same_breast() -> None:
    breast = drawn()
    coarse, fine = maps(breast, 128), maps(breast, 256)
    averaged = fine.glandular_cm.reshape(128, 2, 80, 2).mean(axis=(1, 3))
    assert np.corrcoef(averaged.ravel(), coarse.glandular_cm.ravel())[0, 1] > 0.97


def test_iodine_lies_in_the_mass_nowhere_or_anywhere() -> None:
    breast = drawn()
    tissue = maps(breast)
    kinds = (Iodine.CORRELATED, Iodine.NONE, Iodine.INDEPENDENT)
    follows, nothing, anywhere = (iodine_of(breast, kind, tissue) for kind in kinds)
    assert follows[tissue.lesions].mean() > 1.0 > follows[tissue.mask].mean()
    assert not nothing.any()
    assert anywhere.any()
    assert (anywhere[~tissue.mask] == 0).all()


def test_the_null_case_knows_nothing_of_the_tissue() -> None:
    """Over many breasts, iodine that is placed anywhere does not follow the glandular tissue."""
    found: dict[Iodine, list[float]] = {Iodine.CORRELATED: [], Iodine.INDEPENDENT: []}
    for seed in range(24):
        breast = replace(draw_breast(np.random.default_rng(seed)), uptake=0.5, masses=())
        tissue = maps(breast, 64)
        deep = tissue.thickness_cm > 0.95 * breast.thickness_cm
        for kind, values in found.items():
            amount = iodine_of(breast, kind, tissue)[deep]
            if amount.std() > 0:
                values.append(float(np.corrcoef(amount, tissue.glandular_cm[deep])[0, 1]))
    assert np.mean(found[Iodine.CORRELATED]) > 0.6
    assert abs(np.mean(found[Iodine.INDEPENDENT])) < 0.25
