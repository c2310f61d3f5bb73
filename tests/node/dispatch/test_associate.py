from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from dicom_profiles.equipment import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from node.config import Config, NodeSettings, PeerSettings
from node.dispatch.associate import associated
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable, ServiceNotOffered
from tests.node.dispatch.scp import StorageSCP, storage_scp
from tests.servers import wait_until

VERIFICATION = [str(Verification)]


@contextlib.contextmanager
def peer(ended: list[str], *, calling: str = "", most: int = 10) -> Iterator[PeerSettings]:
    """A peer that offers verification and notes how associations end."""
    entity = AE("PEER")
    entity.add_supported_context(Verification)
    entity.require_calling_aet = [calling] if calling else []
    entity.maximum_associations = most
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_RELEASED, lambda _event: ended.append("released")),
        (evt.EVT_ABORTED, lambda _event: ended.append("aborted")),
    ]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    assert server is not None
    try:
        yield StorageSCP(port=server.server_address[1]).peer()
    finally:
        server.shutdown()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(node=NodeSettings(data_dir=tmp_path))


def test_an_association_is_released_and_after_an_error_aborted(config: Config) -> None:
    ended: list[str] = []
    with peer(ended) as known:
        with associated(known, config, VERIFICATION) as association:
            assert association.send_c_echo().Status == 0
        wait_until(lambda: ended == ["released"], 20, "the release")
        with pytest.raises(ZeroDivisionError), associated(known, config, VERIFICATION):
            raise ZeroDivisionError
        wait_until(lambda: ended == ["released", "aborted"], 20, "the abort")


def test_it_says_which_implementation_calls(config: Config) -> None:
    with (
        storage_scp() as scp,
        associated(scp.peer(), config, [str(CTImageStorage)]),
    ):
        wait_until(lambda: scp.associations == 1, 20, "the association")
    assert scp.implementations == {(IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME)}


def test_a_name_without_an_address_may_have_one_later(config: Config) -> None:
    nowhere = StorageSCP(port=104).peer(host="pacs.invalid")  # RFC 6761: never resolved
    with (
        pytest.raises(DestinationUnavailable, match=r"^pacs cannot be reached at pacs.invalid:104"),
        associated(nowhere, config, VERIFICATION),
    ):
        pass


def test_who_does_not_know_us_refuses_for_good(config: Config) -> None:
    with (
        peer([], calling="SOMEBODY") as known,
        pytest.raises(DestinationRefuses, match="know our AE title"),
        associated(known, config, VERIFICATION),
    ):
        raise AssertionError


def test_who_has_no_room_now_may_have_it_later(config: Config) -> None:
    with (
        peer([], most=1) as known,
        associated(known, config, VERIFICATION),
        pytest.raises(DestinationUnavailable, match="rejects the association"),
        associated(known, config, VERIFICATION),
    ):
        raise AssertionError


def test_a_service_that_is_not_offered_is_named_so(config: Config) -> None:
    with (
        peer([]) as known,
        pytest.raises(ServiceNotOffered, match="does not offer"),
        associated(known, config, ["1.2.840.10008.1.20.1"]),
    ):
        raise AssertionError
