"""Pictures of a job: the right slices side by side, decoded when asked for."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from PIL import Image

from node.web.displays import OWN, SUV_WINDOWS
from node.web.pictures import (
    OWN_PERCENTILES,
    NoPicture,
    PictureShelf,
    SlicePair,
    Stack,
    along_normal,
)
from node.web.rendering import WINDOWS, Window, grey, grey_png
from tests.node.web.conftest import MakeJob
from tests.node.web.world import World, smooth
from tests.synthetic import write_ct_dataset, write_ct_series


@pytest.fixture
def shelf(world: World) -> PictureShelf:
    return PictureShelf(world.database, world.config.node.data_dir)


def hu_of(path: Path) -> np.ndarray:
    ds = pydicom.dcmread(path)
    return (ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)).astype(np.float32)


def test_slices_are_paired_and_in_order(
    world: World, make_job: MakeJob, shelf: PictureShelf
) -> None:
    job = make_job(slices=6)
    before = shelf.stack(job.id)
    assert not before.has_result
    world.finish(job)
    stack = shelf.stack(job.id)
    assert stack.has_result
    heights = []
    for pair in stack.pairs:
        source = pydicom.dcmread(pair.source)
        assert pair.derived is not None
        derived = pydicom.dcmread(pair.derived)
        assert derived.ImagePositionPatient == source.ImagePositionPatient
        assert derived.SyntheticData == "YES"
        heights.append(float(source.ImagePositionPatient[2]))
    assert heights == sorted(heights)
    assert len(heights) == 6


def test_the_pixels_are_those_of_the_files(
    world: World, make_job: MakeJob, shelf: PictureShelf
) -> None:
    job = make_job()
    world.finish(job)
    stack = shelf.stack(job.id)
    pair = stack.pair(3)
    window = WINDOWS["soft"]
    source = hu_of(pair.source)
    assert shelf.draw(stack, 3, "before", window) == grey_png(grey(source, window))
    assert shelf.draw(stack, 3, "after", window) != shelf.draw(stack, 3, "before", window)
    after = np.asarray(Image.open(io.BytesIO(shelf.draw(stack, 3, "after", window))))[:400:8, ::8]
    wanted = grey(smooth(source, 1.0), window)[: after.shape[0]]
    assert np.abs(after.astype(int) - wanted.astype(int)).max() <= 1


def test_sources_without_a_scale_are_shown_as_bright_as_the_middle_one(
    world: World, shelf: PictureShelf, tmp_path: Path
) -> None:
    """Two echoes, three slices of each, all of other values."""
    echo, other = (
        write_ct_series(tmp_path / name, slices=3, noise_hu=noise)
        for name, noise in (("IP", 30.0), ("OOP", 120.0))
    )
    pairs = tuple(
        SlicePair(f"1.2.{place}", {"IP": echo[place], "OOP": other[place]}, None)
        for place in range(3)
    )
    stack = Stack(pairs, 1, {"IP": "MR", "OOP": "MR"}, "", False, {})
    for kind, paths in (("before", echo), ("before-OOP", other)):
        low, high = map(float, np.percentile(hu_of(paths[1]), OWN_PERCENTILES))
        window = Window("own", "", (low + high) / 2, high - low)
        assert shelf.draw(stack, 1, kind, OWN) == grey_png(grey(hu_of(paths[0]), window)), kind
    with pytest.raises(NoPicture, match="no input T1"):
        shelf.draw(stack, 1, "before-T1", OWN)


def test_a_result_without_a_scale_is_shown_in_the_window_that_it_names(
    shelf: PictureShelf, tmp_path: Path
) -> None:
    """As a viewer shows it: a window that fitted would make much of what hardly enhances."""
    (source,) = write_ct_series(tmp_path / "LE", slices=1)
    (made,) = write_ct_series(tmp_path / "VCE", slices=1, WindowCenter="2048", WindowWidth="4096")
    stack = Stack((SlicePair("1.2.3", {"LE": source}, made),), 1, {"LE": "MG"}, "MG", False, {})
    wanted = grey_png(grey(hu_of(made), Window("own", "", 2048, 4096)), "SYNTHETIC")
    assert shelf.draw(stack, 1, "after", OWN) == wanted


def test_what_is_missing_is_said(make_job: MakeJob, shelf: PictureShelf) -> None:
    job = make_job()
    stack = shelf.stack(job.id)
    with pytest.raises(NoPicture, match="no result"):
        shelf.draw(stack, 1, "after", WINDOWS["soft"])
    with pytest.raises(NoPicture, match="1 to 5"):
        shelf.stack(job.id).pair(6)
    with pytest.raises(NoPicture, match="no job"):
        shelf.stack("nope")
    stack.pair(1).source.unlink()
    with pytest.raises(NoPicture, match="no longer kept"):
        shelf.draw(stack, 1, "before", WINDOWS["soft"])


def test_along_normal_follows_the_orientation() -> None:
    def attributes(position: list[float], orientation: list[float]) -> dict[str, Any]:
        ds = write_ct_dataset(ImagePositionPatient=position, ImageOrientationPatient=orientation)
        return dict(ds.to_json_dict())

    assert along_normal(attributes([5.0, 6.0, 7.0], [1.0, 0, 0, 0, 1, 0])) == 7
    assert along_normal(attributes([5.0, 6.0, 7.0], [-1.0, 0, 0, 0, 1, 0])) == -7
    assert along_normal({}) == 0.0


def test_a_browser_keeps_pictures_and_asks_whether_they_changed(
    client: httpx.Client, world: World, make_job: MakeJob
) -> None:
    job = make_job()
    world.finish(job)
    address = f"/jobs/{job.id}/pictures/after/2.png"
    first = client.get(address, params={"window": "soft"})
    assert first.status_code == 200
    assert first.headers["content-type"] == "image/png"
    assert first.headers["cache-control"] == "private, no-cache"
    etag = {"if-none-match": first.headers["etag"]}
    again = client.get(address, params={"window": "soft"}, headers=etag)
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(address, params={"window": "lung"}, headers=etag).status_code == 200
    world.write_result(job, sigma=3.0)
    changed = client.get(address, params={"window": "soft"}, headers=etag)
    assert changed.status_code == 200
    assert changed.content != first.content


def test_an_image_that_claims_to_be_huge_is_not_decoded(world: World, tmp_path: Path) -> None:
    ds = write_ct_dataset()
    ds.Rows = ds.Columns = 60_000
    ds.save_as(tmp_path / "huge.dcm", enforce_file_format=True)
    shelf = PictureShelf(world.database, world.config.node.data_dir)
    with pytest.raises(NoPicture, match="up to 50,000,000 pixels, this image has 60000 x 60000"):
        shelf._decoded(tmp_path / "huge.dcm")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("before/1.png", 200),
        ("after/1.png", 404),
        ("before/0.png", 404),
        ("before/99.png", 404),
        ("sideways/1.png", 404),
        ("before/1.png?window=odd", 400),
    ],
)
def test_what_cannot_be_shown(
    client: httpx.Client, make_job: MakeJob, path: str, status: int
) -> None:
    job = make_job()
    assert client.get(f"/jobs/{job.id}/pictures/{path}").status_code == status


def test_a_pet_lies_over_its_ct(
    world: World, make_job: MakeJob, shelf: PictureShelf, client: httpx.Client
) -> None:
    job = make_job(slices=5)
    world.write_pet(job, [3.5] * 5)
    stack = shelf.stack(job.id)
    assert (stack.result, list(stack.windows)) == ("PT", ["suv7", "suv10", "suv15"])
    assert [panel.kind for panel in stack.panels] == ["before", "after", "fusion"]
    after = np.asarray(Image.open(io.BytesIO(shelf.draw(stack, 2, "after", SUV_WINDOWS["suv10"]))))
    assert abs(int(np.median(after)) - 166) <= 1  # a third of the window, inverted
    fusion = np.asarray(Image.open(io.BytesIO(shelf.draw(stack, 2, "fusion", SUV_WINDOWS["suv7"]))))
    assert fusion[..., 0].mean() > fusion[..., 2].mean() + 30  # hot colours
    with pytest.raises(NoPicture, match="no picture difference"):
        shelf.draw(stack, 2, "difference", SUV_WINDOWS["suv7"])
    page = client.get(f"/jobs/{job.id}").text
    assert "SUV 0 to 7" in page
    assert "These values were not measured" in page
    assert f"/jobs/{job.id}/projection.png?window=suv7" in page


@pytest.mark.parametrize("head_last", [True, False])
def test_the_whole_body_of_a_pet_has_its_head_above(
    world: World,
    make_job: MakeJob,
    shelf: PictureShelf,
    client: httpx.Client,
    head_last: bool,
) -> None:
    """Picture and line agree which end of the stack is above, also where rows run to the front."""
    hot_head = [0.0, 0.0, 0.0, 3.5, 7.0]
    downwards = 1 if head_last else -1  # of a row; the normal, and with it the stack, follows
    job = make_job(slices=5, ImageOrientationPatient=[1, 0, 0, 0, downwards, 0])
    world.write_pet(job, hot_head[::downwards])
    stack = shelf.stack(job.id)
    assert stack.head_last is head_last
    drawn = client.get(f"/jobs/{job.id}/projection.png?window=suv7")
    assert drawn.headers["content-type"] == "image/png"
    assert drawn.content == shelf.project(stack, SUV_WINDOWS["suv7"])
    shades = np.asarray(Image.open(io.BytesIO(drawn.content)))[..., 0]
    column = shades[:, shades.shape[1] // 2]
    assert column[0] < 30  # dark is high uptake
    assert (column[: len(column) // 5] < 200).all()
    assert shades[-1, 0] == 255
    for pair in stack.pairs:
        assert pair.derived
        pair.derived.unlink()
    with pytest.raises(NoPicture, match="no longer kept"):
        shelf.project(stack, SUV_WINDOWS["suv7"])


def test_only_a_pet_has_a_whole_body(
    world: World, make_job: MakeJob, shelf: PictureShelf, client: httpx.Client
) -> None:
    job = make_job()
    world.finish(job)
    assert "projection.png" not in client.get(f"/jobs/{job.id}").text
    answer = client.get(f"/jobs/{job.id}/projection.png")
    assert (answer.status_code, "no picture of the whole body" in answer.text) == (404, True)
