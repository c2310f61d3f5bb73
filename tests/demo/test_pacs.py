from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.acse import ACSE
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider

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
    assert threads_end(ae)


def test_nor_does_an_interrupt_while_it_is_negotiated(
    pacs: QueryRetrievePACS, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_self: ACSE) -> None:
        raise KeyboardInterrupt

    ae = AE("INTERRUPTED")
    ae.add_requested_context(STUDY_ROOT_FIND)
    monkeypatch.setattr(ACSE, "negotiate_association", interrupt)
    with pytest.raises(KeyboardInterrupt):
        interrupted(pacs, ae)
    assert threads_end(ae)


def threads_end(ae: AE) -> bool:
    """Whether every thread of the entity's associations ends soon."""
    for thread in threading.enumerate():
        association = thread.assoc if isinstance(thread, DULServiceProvider) else thread
        if isinstance(association, Association) and association.ae is ae:
            thread.join(5)
            if thread.is_alive():
                return False
    return True
