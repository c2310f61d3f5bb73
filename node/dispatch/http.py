"""The HTTP session for a peer: its credentials, its certificates, nothing from the environment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import requests
import urllib3

from node.config import PeerSettings
from node.dispatch.errors import DestinationUnavailable

LARGEST_ANSWER_BYTES = 1 << 26
"""Of what is read into memory: a hundred thousand instances in DICOM JSON, unpacked."""
PIECE_BYTES = 1 << 16


class PeerSession(requests.Session):
    """Goes where the configuration says and nowhere else; an answer has an end, in time and size.

    A redirection is an answer like any other: it could take images and password elsewhere.
    """

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """One request; its answer is read at once, unless it is to be streamed.

        Raises:
            RequestException: no answer, or one that does not end.
        """
        streamed, timeout_s = kwargs.get("stream"), kwargs["timeout"]
        response = super().send(request, **{**kwargs, "stream": True, "allow_redirects": False})
        if not streamed:
            with response:
                body = _whole(response, time.monotonic() + timeout_s)
            response.raw = BytesIO(body)
        return response


def _whole(response: requests.Response, give_up: float) -> bytes:
    """The body of an answer, unpacked; to be here at `give_up`, by the monotonic clock."""
    body = bytearray()
    try:
        while piece := response.raw.read1(PIECE_BYTES, decode_content=True):
            body += piece
            if len(body) > LARGEST_ANSWER_BYTES:
                raise requests.ConnectionError("the answer does not end")
            if time.monotonic() > give_up:
                raise requests.ReadTimeout("the answer is not here in time")
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError("the answer breaks off") from error
    return bytes(body)


def session_for(peer: PeerSettings) -> requests.Session:
    """A session that sends the peer's credentials and trusts the peer's authority.

    The environment does not count: a proxy or a bundle set for other programs would decide where
    patient data goes.
    """
    session = PeerSession()
    session.trust_env = False
    if peer.username is not None and peer.password is not None:
        session.auth = (peer.username, peer.password.get_secret_value())
    if peer.tls is not None:
        session.verify = str(peer.tls.ca)
        session.cert = (str(peer.tls.certificate), str(peer.tls.key))
    return session


@contextmanager
def answering(peer: PeerSettings) -> Iterator[requests.Session]:
    """A session with a destination.

    Raises:
        DestinationUnavailable: it does not answer a request.
    """
    with session_for(peer) as session:
        try:
            yield session
        except requests.RequestException as error:
            raise DestinationUnavailable(
                f"{peer.name} does not answer HTTP requests ({type(error).__name__})."
            ) from error
