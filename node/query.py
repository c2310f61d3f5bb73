"""Asking a peer by C-FIND how many images a series has (PS3.4 C.6.2, study root)."""

from __future__ import annotations

from pydicom import Dataset
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from node.config import Config, PeerSettings
from node.dispatch.associate import associated
from node.dispatch.errors import DispatchError
from node.errors import QueryError

PENDING = (0xFF00, 0xFF01)  # PS3.4 table C.4-1
SUCCESS = 0x0000
ANSWER_TIMEOUT_S = 5.0


def count_instances(peer: PeerSettings, config: Config, study_uid: str, series_uid: str) -> int:
    """How many instances of a series the peer holds; 0 when it does not know the series.

    Where the peer does not fill Number of Series Related Instances (0020,1209), which is optional,
    its instances are listed and counted.

    Args:
        peer: whom to ask.
        config: says who we are.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.

    Raises:
        QueryError: it cannot be reached, does not offer C-FIND, or does not answer in time.
    """
    series = _query("SERIES", study_uid, series_uid)
    series.NumberOfSeriesRelatedInstances = None
    images = _query("IMAGE", study_uid, series_uid)
    images.SOPInstanceUID = ""
    try:
        model = StudyRootQueryRetrieveInformationModelFind
        with associated(peer, _hasty(config), [model]) as association:
            found = find(association, series, peer)
            counts = [one.get("NumberOfSeriesRelatedInstances") for one in found]
            if not found or all(count is not None for count in counts):
                return sum(int(count) for count in counts if count is not None)
            return len(find(association, images, peer))
    except (DispatchError, RuntimeError, ValueError, OSError) as error:
        raise QueryError(f"{peer.name} did not answer a query: {error}") from error


def _hasty(config: Config) -> Config:
    """The same configuration with less patience."""
    limit_s = min(ANSWER_TIMEOUT_S, config.jobs.answer_timeout_s)
    jobs = config.jobs.model_copy(update={"answer_timeout_s": limit_s})
    return config.model_copy(update={"jobs": jobs})


def _query(level: str, study_uid: str, series_uid: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel = level
    query.StudyInstanceUID, query.SeriesInstanceUID = study_uid, series_uid
    return query


def find(association: Association, query: Dataset, peer: PeerSettings) -> list[Dataset]:
    """What a peer answers to a study root query (PS3.4 C.4.1).

    Raises:
        QueryError: it ends the query otherwise than with success, or says nothing.
    """
    found = []
    for status, identifier in association.send_c_find(
        query, StudyRootQueryRetrieveInformationModelFind
    ):
        code = status.get("Status") if status else None
        if code in PENDING and identifier is not None:
            found.append(identifier)
        elif code != SUCCESS:
            said = "nothing in time" if code is None else f"status {code:04X}H"
            raise QueryError(f"{peer.name} should answer a query with success, got {said}.")
    return found
