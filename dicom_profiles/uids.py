"""Deterministic UIDs: the same facts give the same UID, on every machine, for ever.

UUID-derived UIDs (PS3.5 annex B.2, root 2.25): a name-based UUID over canonical
JSON. One UID means one content, so an instance's UID includes its pixel digest.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping

NODE_NAMESPACE = uuid.UUID("5b9c0c3e-6f0d-4d2f-9d6a-7b1f6f1c2a90")
"""Namespace of every UID that this product makes; never to be changed."""

PROFILE_VERSION = "5"
"""Version of what the writers write; part of every series UID, raised with every change of it."""

JSON = str | int | float | bool | None | list["JSON"] | dict[str, "JSON"]
"""A value that JSON can hold."""


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces, ASCII only: equal values give equal text."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def derive_uid(*facts: object) -> str:
    """UID of anything that these facts identify."""
    return f"2.25.{uuid.uuid5(NODE_NAMESPACE, canonical_json(facts)).int}"


def series_uid(kind: str, sources: Iterable[str], identity: Mapping[str, object]) -> str:
    """Series Instance UID of a derived series.

    Args:
        kind: what is made, for example "DEN".
        sources: SOP Instance UIDs of the sources, in any order.
        identity: model name, version, digests of weights, parameters and output.
    """
    return derive_uid("series", PROFILE_VERSION, kind, sorted(sources), dict(identity))


def instance_uid(series_instance_uid: str, index: int, pixel_digest: str) -> str:
    """SOP Instance UID of the instance at `index` (0 for the first) with these pixels."""
    return derive_uid("instance", series_instance_uid, index, pixel_digest)


def job_uid(sources: Iterable[str], identity: Mapping[str, object]) -> str:
    """UID of the work that made a series, the same however often it is repeated."""
    return derive_uid("job", sorted(sources), dict(identity))
