from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from demo.pacs import STUDY_ROOT_FIND, DemoError, QueryRetrievePACS, free_port
from tests.synthetic import write_ct_series


@pytest.fixture
def pacs(tmp_path: Path) -> Iterator[QueryRetrievePACS]:
    started = QueryRetrievePACS(tmp_path / "pacs")
    started.start("VSCANNER", free_port())
    yield started
    started.stop()


def test_what_is_brought_is_found(pacs: QueryRetrievePACS, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=3)
    pacs.load(paths)
    (study,) = {study_of(path) for path in paths}
    assert pacs.count(*study) == 3
    assert pacs.count(study[0], "1.2.3") == 0


def study_of(path: Path) -> tuple[str, str]:
    header = pydicom.dcmread(path, stop_before_pixels=True)
    return str(header.StudyInstanceUID), str(header.SeriesInstanceUID)


def test_a_node_that_is_not_there_is_said(pacs: QueryRetrievePACS, tmp_path: Path) -> None:
    paths = write_ct_series(tmp_path / "in", slices=1)
    pacs.load(paths)
    with pytest.raises(DemoError, match="could not send the study to the node"):
        pacs.send(study_of(paths[0])[0], "VSCANNER")


def interrupted(pacs: QueryRetrievePACS, ae: AE) -> None:
    with pacs._associated(ae) as association:
        assert association.is_established
        raise KeyboardInterrupt


def test_an_interrupt_leaves_no_association_behind(pacs: QueryRetrievePACS) -> None:
    """Its thread would wait for the network, and the interpreter for the thread."""
    ae = AE("INTERRUPTED")
    ae.add_requested_context(STUDY_ROOT_FIND)
    with pytest.raises(KeyboardInterrupt):
        interrupted(pacs, ae)
    for thread in threading.enumerate():
        if isinstance(thread, Association) and thread.ae is ae:
            thread.join(5)
            assert not thread.is_alive()
