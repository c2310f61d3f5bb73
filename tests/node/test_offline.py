from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from node.config import Config
from node.offline import Answer, FolderProcessor
from node.routing.folder_decisions import explain_folder, read_folder, rules_of
from pipelines.contract import Pipeline
from pipelines.errors import WeightsError
from tests.node.feeding import make_config
from tests.node.smoothing import SeesNothing, Smoothing
from tests.synthetic import write_ct_series

PLAIN: dict[str, Any] = {
    "series_description": "Thorax 3.0",
    "ProtocolName": "Thorax",
    "CTDIvol": 12.0,
    "Exposure": "200",
}


def no_progress(done: int, total: int) -> None:
    pass


def processed(
    in_dir: Path,
    out_dir: Path,
    *,
    config: Config | None = None,
    pipeline: str | None = None,
    ungated: bool = False,
    load: Callable[[], Pipeline] = Smoothing,
) -> list[Answer]:
    rules = rules_of(config, pipeline)
    processor = FolderProcessor(out_dir, rules, "VSCANNER", lambda _: load(), ungated=ungated)
    return [
        processor.answer(series, finding, no_progress)
        for series in explain_folder(read_folder(in_dir), rules)
        for finding in series.explanation.stacks
    ]


def test_a_low_dose_series_is_translated_and_checked(tmp_path: Path) -> None:
    sources = write_ct_series(tmp_path / "in", slices=12)
    (answer,) = processed(tmp_path / "in", tmp_path / "out")
    assert (answer.state, answer.qc_verdict) == ("WRITTEN", "GREEN"), answer
    assert len(answer.files) == 14  # images, report, label
    images = [pydicom.dcmread(path) for path in answer.files[:12]]
    assert {image.SyntheticData for image in images} == {"YES"}
    assert images[0].StudyInstanceUID == pydicom.dcmread(sources[0]).StudyInstanceUID
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        {path.parent.name for path in answer.files}
    ), "nothing but the derived series may be left"


def test_a_repeat_gives_the_same_files(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12)
    (first,) = processed(tmp_path / "in", tmp_path / "out")
    images = [path.read_bytes() for path in first.files[:12]]
    first.files[5].write_bytes(b"damaged meanwhile")
    (second,) = processed(tmp_path / "in", tmp_path / "out")
    assert first.files == second.files
    again = [path.read_bytes() for path in second.files[:12]]
    assert [a == b for a, b in zip(images, again, strict=True)].count(False) <= 1
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in second.files]
    assert len(set(uids)) == 14
    assert first.to_json() == second.to_json()


def test_what_is_derived_is_not_translated_again(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12)
    processed(tmp_path / "in", tmp_path / "out")
    again = processed(tmp_path / "out", tmp_path / "again", pipeline="ldct_denoise", ungated=True)
    assert {answer.state for answer in again} == {"REFUSED"}
    assert all("synthetic" in answer.reason for answer in again)


def test_without_the_sites_word_only_what_is_recognised(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12, **PLAIN)
    (answer,) = processed(tmp_path / "in", tmp_path / "out")
    assert answer.state == "UNROUTED"
    (asked,) = processed(tmp_path / "in", tmp_path / "out", pipeline="ldct_denoise")
    assert asked.state == "WRITTEN"


def test_the_routes_of_a_configuration_count(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12)
    route = {"name": "weak", "pipeline": "ldct_denoise", "parameters": {"strength": 0.2}}
    config = make_config(tmp_path, routes=[route])
    (answer,) = processed(tmp_path / "in", tmp_path / "out", config=config)
    assert (answer.route, answer.state, answer.qc_verdict) == ("weak", "HELD", "RED")
    assert answer.files


def test_a_refusal_is_an_answer(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12, BodyPartExamined="HEAD")
    (answer,) = processed(tmp_path / "in", tmp_path / "out")
    assert answer.state == "REFUSED"
    assert "HEAD" in answer.reason
    assert not (tmp_path / "out").exists()


def test_empty_images_are_refused(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12)
    (answer,) = processed(tmp_path / "in", tmp_path / "out", load=SeesNothing)
    assert (answer.state, answer.reason) == ("REFUSED", "There is nothing in these images.")
    assert not list((tmp_path / "out").iterdir())


def test_ungated_objects_say_so(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12, BodyPartExamined="HEAD")
    (answer,) = processed(tmp_path / "in", tmp_path / "out", ungated=True)
    assert (answer.state, answer.qc_verdict) == ("WRITTEN", "UNGATED")
    assert pydicom.dcmread(answer.files[0])[0x0099100D].value == "UNGATED"


def test_even_ungated_what_is_not_recognised_is_not_translated(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12, **PLAIN)
    route = {"name": "all", "pipeline": "ldct_denoise", "when": {"Modality": "CT"}}
    config = make_config(tmp_path, routes=[route])
    (answer,) = processed(tmp_path / "in", tmp_path / "out", config=config, ungated=True)
    assert answer.state == "REFUSED"
    assert "not recognised" in answer.reason


def test_even_ungated_a_gap_cannot_be_translated(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "in", slices=12)[5].unlink()
    (answer,) = processed(tmp_path / "in", tmp_path / "out", ungated=True)
    assert answer.state == "FAILED"
    assert "gap" in answer.reason


def answer_when_loading_fails(folder: Path, error: Exception) -> Answer:
    """What becomes of a series whose pipeline cannot be loaded."""
    write_ct_series(folder / "in", slices=12)

    def broken(name: str) -> Pipeline:
        raise error

    rules = rules_of(None, None)
    processor = FolderProcessor(folder / "out", rules, "VSCANNER", broken)
    (series,) = explain_folder(read_folder(folder / "in"), rules)
    return processor.answer(series, series.explanation.stacks[0], no_progress)


def test_a_pipeline_that_does_not_load_fails_its_stacks_only(tmp_path: Path) -> None:
    answer = answer_when_loading_fails(tmp_path, WeightsError("The weights are another file."))
    assert (answer.state, answer.reason) == ("FAILED", "The weights are another file.")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_error_that_nobody_foresaw_fails_its_stack_only(tmp_path: Path) -> None:
    answer = answer_when_loading_fails(tmp_path, ZeroDivisionError("Doe^Jane"))
    assert answer.state == "FAILED"
    assert answer.reason.startswith("An error that nobody foresaw: ZeroDivisionError in")
    assert "Jane" not in answer.reason


def test_the_same_instance_twice_counts_once(tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=12)
    (tmp_path / "in" / "copy.dcm").write_bytes(paths[3].read_bytes())
    (answer,) = processed(tmp_path / "in", tmp_path / "out")
    assert (answer.state, answer.instances) == ("WRITTEN", 12)


@pytest.mark.parametrize("name", ["ct_liver_ge_1004", "ct_chest_philips_lidc0314"])
def test_real_series_are_translated(shared_data: Path, tmp_path: Path, name: str) -> None:
    answers = processed(shared_data / name, tmp_path / "out", pipeline="ldct_denoise")
    assert [answer.state for answer in answers] == ["WRITTEN"], answers
