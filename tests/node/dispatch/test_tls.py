"""TLS to a destination, with a real PACS that wants our certificate (PS3.15 B.12)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from node.config import Config, PeerSettings
from node.dispatch.errors import DestinationUnavailable
from node.dispatch.holdings import Expected, missing
from node.dispatch.outgoing import Outgoing
from tests.node.dispatch.sending import peer_of, send
from tests.servers import OrthancServer, certificate, run_orthanc


@pytest.fixture
def ours(tmp_path: Path) -> dict[str, str]:
    return certificate(tmp_path, "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> dict[str, str]:
    return certificate(tmp_path, "theirs")


@pytest.fixture
def pacs(tmp_path: Path, ours: dict[str, str], theirs: dict[str, str]) -> Iterator[OrthancServer]:
    with run_orthanc(
        tmp_path / "orthanc",
        DicomTlsEnabled=True,
        DicomTlsCertificate=theirs["certificate"],
        DicomTlsPrivateKey=theirs["key"],
        DicomTlsTrustedCertificates=ours["certificate"],
        DicomTlsRemoteCertificateRequired=True,
    ) as server:
        yield server


def peer(pacs: OrthancServer, ours: dict[str, str], ca: str) -> PeerSettings:
    return peer_of(pacs, "c-store", tls={**ours, "ca": ca})


@pytest.mark.orthanc
def test_instances_and_questions_go_over_tls(
    pacs: OrthancServer, ours: dict[str, str], theirs: dict[str, str], instances: list[Outgoing]
) -> None:
    known = peer(pacs, ours, theirs["certificate"])
    answers, error = send(instances, known)
    assert error is None
    assert [one.code for one in answers] == [0] * len(instances)
    (series,) = pacs.series_uids()
    (study,) = pacs.get("/studies", expand="")
    uids = tuple(one.sop_instance_uid for one in instances)
    expected = Expected(study["MainDicomTags"]["StudyInstanceUID"], series, uids)
    assert missing([expected], known, Config()) == set()


@pytest.mark.orthanc
def test_a_pacs_with_another_certificate_gets_nothing(
    pacs: OrthancServer, ours: dict[str, str], instances: list[Outgoing]
) -> None:
    for wrong in (peer(pacs, ours, ours["certificate"]), peer_of(pacs, "c-store")):
        answers, error = send(instances, wrong)
        assert isinstance(error, DestinationUnavailable)
        assert answers == []
    assert pacs.series_uids() == set()
