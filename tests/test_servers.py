"""The real parts start and stop."""

from __future__ import annotations

import psycopg
import pytest

from tests.servers import OrthancServer


@pytest.mark.orthanc
def test_orthanc_answers(orthanc: OrthancServer) -> None:
    system = orthanc.get("/system")
    assert isinstance(system, dict)
    assert system["DicomAet"] == "ORTHANC"
    assert orthanc.get("/dicom-web/studies") == []


@pytest.mark.postgresql
def test_postgresql_answers(postgresql: str) -> None:
    with psycopg.connect(postgresql) as connection:
        row = connection.execute("select 1").fetchone()
    assert row == (1,)
