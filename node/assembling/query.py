"""Asking a peer by C-FIND how many images a series has (PS3.4 C.6.2, study root)."""

from __future__ import annotations

from node.config import Config, PeerSettings
from node.dispatch.associate import associated
from node.dispatch.c_find import FIND, find, identifier
from node.dispatch.errors import DispatchError
from node.errors import QueryError

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
    keys = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
    series = identifier("SERIES", **keys, NumberOfSeriesRelatedInstances=None)
    images = identifier("IMAGE", **keys, SOPInstanceUID="")
    try:
        with associated(peer, _hasty(config), [FIND]) as association:
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
