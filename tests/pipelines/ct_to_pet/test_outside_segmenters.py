"""Programs of the site: stand-ins with the calls that the real ones declare, and those if there.

A stand-in is a package with the real one's name, version and signature (moosez 3.2.2 and
TotalSegmentator 2.18.0) that reads the NIfTI it is given and tells districts by HU.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

from pipelines.ct_to_pet.districts import LABELS
from pipelines.ct_to_pet.outside_segmenters import (
    SEGMENTERS,
    MooseSegmenter,
    TotalSegmentatorSegmenter,
)
from pipelines.errors import InputError

READ = """
import nibabel, numpy, os
def read(path):
    image = nibabel.load(path)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S"), image.affine
    assert image.header.get_zooms() == (4.0, 4.0, 4.0)
    return image, numpy.asarray(image.dataobj)
"""

MOOSE = (
    READ
    + """
FILES = int(os.environ.get("MOOSE_FILES", "1"))
CROP = int(os.environ.get("MOOSE_CROP", "0"))
def moose(input_data, model_names, output_dir=None, accelerator=None):
    assert model_names == "clin_ct_body"
    image, hu = read(input_data)
    labels = numpy.where((hu > 0) & (hu < 45), hu // 10, 0).astype(numpy.uint8)[CROP:]
    stem = os.path.basename(input_data).removesuffix(".nii.gz")
    made = [os.path.join(output_dir, f"clin_ct_body_segmentation_{stem}{n or ''}.nii.gz")
            for n in range(FILES)]
    for path in made:
        nibabel.save(nibabel.Nifti1Image(labels, image.affine), path)
    return made, []
"""
)

TOTALSEGMENTATOR = (
    READ
    + """
def totalsegmentator(input, output=None, ml=False, nr_thr_resamp=1, nr_thr_saving=6, fast=False,
                     nora_tag="None", preview=False, task="total", roi_subset=None,
                     statistics=False, radiomics=False, crop_path=None, body_seg=False,
                     force_split=False, output_type="nifti", quiet=False, verbose=False, test=0,
                     skip_saving=False, device="gpu"):
    assert task == "body" and ml
    image, hu = read(input)
    body_trunc, body_extremities = hu == 20, (hu == 10) | (hu == 40)
    labels = (body_trunc + 2 * body_extremities).astype(numpy.uint8)
    made = nibabel.Nifti1Image(labels, image.affine)
    nibabel.save(made, output)
    return made
"""
)


def installed(root: Path, name: str, number: str, module: str, source: str) -> None:
    """Put a package on the path, as pip would."""
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    if "." in module:
        (root / module.split(".")[0] / "__init__.py").touch()
    path.write_text(source)
    facts = root / f"{name.lower()}-{number}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both programs, for one test."""
    pytest.importorskip("nibabel")
    installed(tmp_path, "moosez", "3.2.2", "moosez", MOOSE)
    api = "totalsegmentator.python_api"
    installed(tmp_path, "TotalSegmentator", "2.18.0", api, TOTALSEGMENTATOR)
    monkeypatch.syspath_prepend(tmp_path)
    names = ("moosez", "totalsegmentator", api)
    before = {name: sys.modules.pop(name, None) for name in names}
    yield
    for name in names:
        sys.modules.pop(name, None)
        if (module := before[name]) is not None:
            sys.modules[name] = module


def body() -> tuple[np.ndarray, np.ndarray]:
    """HU that say each cube's label (10 legs to 40 arms; 50: nothing), in an oblong volume."""
    hu = np.full((30, 12, 20), -1000.0, np.float32)
    hu[:12, 3:9, 4:9] = 10
    hu[:12, 3:9, 11:16] = 10
    hu[12:25, 2:10, 4:16] = 20
    hu[14:24, 4:8, 1:3] = 40
    hu[25:, 4:9, 7:13] = 30
    hu[20, 5, 6] = 50
    return hu, hu > -500


@pytest.mark.usefixtures("stand_ins")
def test_districts_of_moose_come_back_where_they_are() -> None:
    segmenter = MooseSegmenter()
    assert (segmenter.name, segmenter.version) == ("moosez clin_ct_body", "3.2.2")
    hu, inside = body()
    wanted = np.where(inside, hu // 10, 0)
    wanted[20, 5, 6] = LABELS["trunk"]  # left out by it: the nearest district
    assert np.array_equal(segmenter.districts(hu, inside), wanted)


@pytest.mark.usefixtures("stand_ins")
def test_limbs_of_totalsegmentator_are_arms_or_legs() -> None:
    segmenter = TotalSegmentatorSegmenter()
    assert segmenter.version == "2.18.0"
    hu, inside = (values.repeat(5, 1).repeat(5, 2) for values in body())  # as wide as people are
    found = segmenter.districts(hu, inside)
    assert (found[hu == 10] == LABELS["legs"]).all()
    assert (found[hu == 40] == LABELS["arms"]).all()
    assert (found[hu == 20] == LABELS["trunk"]).all()
    assert (found[inside] > 0).all()
    assert not found[~inside].any()


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [("MOOSE_FILES", "0", "one file"), ("MOOSE_FILES", "2", "got 2"), ("MOOSE_CROP", "1", "shape")],
)
def test_other_answers_of_moose_are_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=sentence):
        MooseSegmenter().districts(*body())


@pytest.mark.parametrize(("number", "name"), [(1, "moosez"), (2, "TotalSegmentator")])
def test_absent_programs_are_named(number: int, name: str) -> None:
    if is_there(name):
        pytest.skip(f"{name} is installed here")
    with pytest.raises(InputError, match=f"{name}, which is not installed"):
        SEGMENTERS[number]()


@pytest.mark.parametrize(
    ("name", "module", "call", "arguments", "named"),
    [
        ("moosez", "moosez", "moose", (), ("input_data", "model_names", "output_dir")),
        ("TotalSegmentator", "totalsegmentator.python_api", "totalsegmentator", ("a", "b"),
         ("task", "ml", "quiet")),
    ],
)  # fmt: skip
def test_real_programs_take_what_they_are_given(
    name: str, module: str, call: str, arguments: tuple[str, ...], named: tuple[str, ...]
) -> None:
    if not is_there(name):
        pytest.skip(f"{name} is not installed (it brings gigabytes)")
    found = getattr(importlib.import_module(module), call)
    inspect.signature(found).bind(*arguments, **dict.fromkeys(named))
    if name == "TotalSegmentator":
        labels = importlib.import_module("totalsegmentator.map_to_binary").class_map["body"]
        assert labels == {1: "body_trunc", 2: "body_extremities"}


def is_there(name: str) -> bool:
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False
