"""What a destination's own index says that it holds: C-FIND, QIDO-RS or Orthanc's REST."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import requests

from node.config import Config, PeerSettings
from node.dispatch.associate import associated
from node.dispatch.c_find import FIND, find, identifier
from node.dispatch.errors import DestinationRefuses, DestinationUnavailable
from node.dispatch.http import answering


@dataclass(frozen=True)
class Expected:
    """A derived series that a destination should hold.

    Attributes:
        study_instance_uid, series_instance_uid: of the series.
        sop_instance_uids: all of its instances.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uids: Sequence[str]


Ask: TypeAlias = Callable[[Expected, PeerSettings, Config], set[str]]


def missing(expected: Sequence[Expected], peer: PeerSettings, config: Config) -> set[str]:
    """SOP Instance UIDs that the destination's index does not show.

    Raises:
        DestinationRefuses: the destination does not answer such questions.
        DestinationUnavailable: it cannot be asked now.
    """
    ask = ASK[peer.send_by]
    return {
        uid
        for series in expected
        for uid in set(series.sop_instance_uids) - ask(series, peer, config)
    }


def by_c_find(series: Expected, peer: PeerSettings, config: Config) -> set[str]:
    """Held instances of a series by C-FIND, Study Root (PS3.4 C.6.2).

    The count of the series settles it in one small answer; where the peer does not count, or
    counts otherwise, every instance is listed.
    """
    if not peer.query:
        raise DestinationRefuses(f"{peer.name} is not to be asked by C-FIND (`query: false`).")
    keys = {
        "StudyInstanceUID": series.study_instance_uid,
        "SeriesInstanceUID": series.series_instance_uid,
    }
    counting = identifier("SERIES", **keys, NumberOfSeriesRelatedInstances=None)
    listing = identifier("IMAGE", **keys, SOPInstanceUID="")
    with associated(peer, config, [FIND]) as association:
        found = find(association, counting, peer)
        counts = [one.get("NumberOfSeriesRelatedInstances") for one in found]
        if counts == [len(series.sop_instance_uids)]:
            return set(series.sop_instance_uids)
        return {str(one.SOPInstanceUID) for one in find(association, listing, peer)}


def by_qido(series: Expected, peer: PeerSettings, config: Config) -> set[str]:
    """Held instances of a series by QIDO-RS (PS3.18 10.6)."""
    path = (
        f"/studies/{series.study_instance_uid}/series/{series.series_instance_uid}"
        f"/instances?limit={len(series.sop_instance_uids) + 1}"
    )
    with answering(peer) as session:
        answer = session.get(
            (peer.dicomweb or "").rstrip("/") + path,
            headers={"Accept": "application/dicom+json"},
            timeout=config.jobs.answer_timeout_s,
        )
    return _uids(answer, peer, lambda item: item["00080018"]["Value"][0])


def by_orthanc_rest(series: Expected, peer: PeerSettings, config: Config) -> set[str]:
    """Held instances of a series by Orthanc's REST interface."""
    query = {"SeriesInstanceUID": series.series_instance_uid}
    with answering(peer) as session:
        answer = session.post(
            (peer.orthanc_rest or "").rstrip("/") + "/tools/find",
            json={"Level": "Instance", "Expand": True, "Query": query},
            timeout=config.jobs.answer_timeout_s,
        )
    return _uids(answer, peer, lambda item: item["MainDicomTags"]["SOPInstanceUID"])


ASK: Mapping[str, Ask] = {
    "c-store": by_c_find,
    "stow-rs": by_qido,
    "orthanc-rest": by_orthanc_rest,
}
"""`send_by` of a peer's settings to the question that fits."""


def _uids(response: requests.Response, peer: PeerSettings, uid: Callable[[Any], Any]) -> set[str]:
    """SOP Instance UIDs of a list in JSON, each by `uid`."""
    if response.status_code == requests.codes.no_content:
        return set()
    if response.status_code >= 500:
        raise DestinationUnavailable(f"{peer.name} answered with HTTP {response.status_code}.")
    if response.status_code != requests.codes.ok:
        raise DestinationRefuses(f"{peer.name} answered with HTTP {response.status_code}.")
    try:
        return {str(uid(item)) for item in response.json()}
    except (ValueError, TypeError, LookupError) as error:  # a log-in page before the archive, say
        raise DestinationUnavailable(f"{peer.name} answered with no list of instances.") from error
