from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest

from node.steps.check import check_step
from node.steps.folder import JobFolder, StepError, WrittenSeries, write_json
from node.steps.translate import translate_step
from node.steps.write import write_step
from pipelines import load
from pipelines.contract import Slice, Translation
from tests.dual_echo import write_dual_echo
from tests.node.smoothing import Smoothing
from tests.node.steps.phantom_job import job_folder


def test_write_and_check_are_repeatable(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    with pytest.raises(StepError, match="finished translation"):
        write_step(job)
    with pytest.raises(StepError, match="needs derived objects"):
        check_step(job)
    translate_step(job, Smoothing())
    first = write_step(job)
    assert [len(series.paths) for series in first] == [5, 1, 1]
    before = {path: path.read_bytes() for path in job.derived.iterdir()}
    assert check_step(job) == []
    job.discard_written()
    assert write_step(JobFolder(job.path)) == first
    assert {path: path.read_bytes() for path in job.derived.iterdir()} == before
    assert job.written == first


def test_slices_of_two_makings_never_share_a_series(tmp_path: Path) -> None:
    """Another engine rounds one value otherwise: all of it is another series, nothing is mixed."""

    class OtherRounding(Smoothing):
        def start(self, *given: Any) -> Translation:
            made = super().start(*given)

            def slices() -> Generator[Slice, None, None]:
                for index, image in enumerate(made.slices):
                    image[0, 0] += index == 2
                    yield image

            return Translation(slices(), made.record)

    def made(folder: str, pipeline: Smoothing) -> list[WrittenSeries]:
        job = JobFolder(tmp_path / folder)
        job.prepare(source.input)
        translate_step(job, pipeline)
        return write_step(job)

    source = job_folder(tmp_path)
    first, again, other = (
        made("first", Smoothing()), made("again", Smoothing()), made("other", OtherRounding())
    )  # fmt: skip
    uids = [[series.series_instance_uid for series in each] for each in (first, again, other)]
    assert uids[0] == uids[1]
    assert not set(uids[0]) & set(uids[2])
    assert [s.sop_instance_uids for s in first] == [s.sop_instance_uids for s in again]


@pytest.mark.parametrize(("inputs", "simulated"), [({"T1": "IP"}, False), ({"IP": "IP"}, True)])
def test_an_object_speaks_of_simulation_if_its_network_saw_any(
    tmp_path: Path, inputs: dict[str, str], *, simulated: bool
) -> None:
    """One file of weights holds T1's network, of real pairs, beside those of simulated echoes."""
    files = write_dual_echo(tmp_path / "in", ("IP",), slices=4)
    sources = {key: tuple(files[phase]) for key, phase in inputs.items()}
    job = job_folder(tmp_path, pipeline="mr_to_ct", sources=sources)
    translate_step(job, load("mr_to_ct", device="cpu", threads=1))
    images, report, _ = write_step(job)
    ct = pydicom.dcmread(images.paths[0])
    assert ("trained on simulated data" in ct.DerivationDescription) == simulated
    contribution = ct.ContributingEquipmentSequence[1].ContributionDescription
    assert ("simulated" in contribution) == simulated
    told = f"trained_on_simulation={str(simulated).lower()}"
    assert told.encode() in report.paths[0].read_bytes()


def test_output_of_another_release_is_not_written_as_ours(tmp_path: Path) -> None:
    job = job_folder(tmp_path)
    translate_step(job, Smoothing())
    older = replace(job.input, model="ldct_denoise@0.0.1")  # the node was updated at this point
    write_json(job.path / "input.json", older.to_json())
    with pytest.raises(StepError, match=r"made for ldct_denoise@0\.0\.1"):
        write_step(JobFolder(job.path))
