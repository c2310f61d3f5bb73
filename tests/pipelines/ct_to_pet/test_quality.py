from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines import catalog
from pipelines.ct_to_pet.districts import LABELS
from pipelines.ct_to_pet.input_distance import Calibration
from pipelines.ct_to_pet.quality import Made, measurements, verdict

KNOWN = Calibration((), amber=3.0, red=6.0, sha256="")
SHAPE = (40, 20, 20)


def made(simulated_only: tuple[str, ...] = ()) -> Made:
    """A body of 0.9 l, legs below and trunk above, of an uptake that rises evenly."""
    body = np.zeros(SHAPE, np.bool_)
    body[:, 1:-1, 1:-1] = True
    districts = np.where(body, LABELS["legs"], 0).astype(np.uint8)
    districts[20:][body[20:]] = LABELS["trunk"]
    suv = (0.7 + 0.01 * np.indices(SHAPE).sum(axis=0) * body).astype(np.float32)
    return Made(suv, suv.copy(), body, districts, np.zeros(7), simulated_only)


def judged(one: Made, distance: float = 1.0) -> tuple[str, tuple[str, ...]]:
    return verdict(one, measurements(one, KNOWN), distance, KNOWN)


def test_nothing_unusual_is_green() -> None:
    assert judged(made()) == ("GREEN", ())


def test_figures_are_those_of_the_body() -> None:
    one = made()
    found = measurements(one, KNOWN)
    assert found["body_l"] == pytest.approx(40 * 18 * 18 * 64 / 1e6, abs=1e-4)
    assert found["mean_suvbw"] == pytest.approx(one.suv[one.body].mean(), abs=1e-4)
    assert found["largest_suvbw"] == pytest.approx(one.suv[one.body].max(), abs=1e-4)
    assert found["legs_share"] == found["trunk_share"] == 0.5
    assert found["head_share"] == 0
    assert found["disagreement_share"] == 0
    assert found["seam_ratio"] == pytest.approx(1, abs=0.3)
    assert (found["amber_input_distance"], found["red_input_distance"]) == (3.0, 6.0)
    assert set(found) == set(catalog.card("ct_to_pet").measurements), "each is explained"
    assert "disagreement_share" not in measurements(replace(one, other=None), KNOWN)
    apart = measurements(replace(one, other=one.suv * np.float32(1.5)), KNOWN)
    assert apart["disagreement_suvbw"] == pytest.approx(found["mean_suvbw"] / 2, abs=1e-3)


def test_what_an_empty_image_cannot_tell_is_left_out() -> None:
    nothing = np.zeros(SHAPE, np.bool_)
    found = measurements(replace(made(), body=nothing, districts=nothing.astype(np.uint8)), KNOWN)
    assert found["body_l"] == 0
    assert not {"mean_suvbw", "largest_suvbw", "disagreement_suvbw", "seam_ratio"} & set(found)
    assert np.isfinite(list(found.values())).all()


@pytest.mark.parametrize(
    ("distance", "light", "word"),
    [(3.1, "AMBER", "unusual"), (6.0, "AMBER", "unusual"), (6.1, "RED", "unlike")],
)
def test_unknown_images_are_named(distance: float, light: str, word: str) -> None:
    found, (sentence,) = judged(made(), distance)
    assert found == light
    assert word in sentence
    assert f"{distance:.1f}" in sentence


@pytest.mark.parametrize(("factor", "light"), [(3.0, "AMBER"), (9.0, "RED"), (0.01, "RED")])
def test_implausible_uptake_is_named(factor: float, light: str) -> None:
    one = made()
    assert one.other is not None
    many = replace(one, suv=one.suv * np.float32(factor), other=one.other * np.float32(factor))
    found, sentences = judged(many)
    assert found == light
    assert "implausible" in sentences[0]


def test_two_ways_that_disagree_are_named() -> None:
    one = made()
    found, (sentence,) = judged(replace(one, other=one.suv * np.float32(1.5)))
    assert found == "AMBER"
    assert "differ by 50%" in sentence
    assert judged(replace(one, other=one.suv * 2))[0] == "RED"


def test_a_seam_is_named() -> None:
    one = made()
    stepped = one.suv.copy()
    stepped[20:] += 0.5
    found, (sentence,) = judged(replace(one, suv=stepped, other=stepped))
    assert found == "RED"
    assert "seam" in sentence


def test_models_without_patients_are_named_where_they_were_used() -> None:
    assert judged(made(("head", "arms"))) == ("GREEN", ())
    for names, words in (
        (("legs",), "legs"),
        (("legs", "trunk"), "legs and trunk"),
        (("arms", "legs", "trunk"), "arms, legs and trunk"),
    ):
        one = made(names)
        one.districts[20:, :10][one.body[20:, :10]] = LABELS["arms"]
        found, (sentence,) = judged(one)
        assert found == "AMBER"
        assert sentence == f"The model of {words} was trained on simulated bodies only."


def test_hardly_a_body_and_no_numbers_are_red_and_come_first() -> None:
    one = made(("legs",))
    small = np.zeros(SHAPE, np.bool_)
    small[:5, 5:10, 5:10] = True
    assert judged(made(), KNOWN.amber) == ("GREEN", ())
    found, sentences = judged(replace(one, body=small))
    assert found == "RED"
    assert "Hardly a body" in sentences[0]
    broken = one.suv.copy()
    broken[0, 0, 0] = np.nan  # beside the body
    found, sentences = judged(replace(one, suv=broken), KNOWN.amber + 1)  # which is amber
    assert found == "RED"
    assert sentences[0] == "The result holds values that are no numbers."
