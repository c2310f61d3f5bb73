from __future__ import annotations

from pathlib import Path

import pytest

from node.config import PeerSettings
from node.dispatch.errors import DestinationUnavailable
from node.dispatch.http import answering, session_for
from tests.servers import free_port

PEER = {"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 104}


def test_a_password_goes_with_its_name_alone() -> None:
    named = PeerSettings.model_validate(PEER | {"username": "node", "password": "secret"})
    assert session_for(named).auth == ("node", "secret")
    for half in ({"username": "node"}, {"password": "secret"}, {}):
        assert session_for(PeerSettings.model_validate(PEER | half)).auth is None


def test_no_netrc_and_no_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "others.pem"))
    session = session_for(PeerSettings.model_validate(PEER))
    merged = session.merge_environment_settings("https://pacs/", {}, None, None, None)
    assert merged["verify"] is True


def test_the_hospitals_certificates_are_shown_and_asked_for(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "certificate", "key")}
    for path in files.values():
        path.touch()
    session = session_for(PeerSettings.model_validate(PEER | {"tls": files}))
    assert session.verify == str(files["ca"])
    assert session.cert == (str(files["certificate"]), str(files["key"]))


def test_a_destination_that_does_not_answer_is_away() -> None:
    with (
        pytest.raises(DestinationUnavailable, match=r"pacs does not answer .*\(ConnectionError\)"),
        answering(PeerSettings.model_validate(PEER)) as session,
    ):
        session.get(f"http://127.0.0.1:{free_port()}/", timeout=5)
