"""The HTTP session for a peer: its credentials, its certificates, nothing from the environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from node.config import PeerSettings
from node.dispatch.errors import DestinationUnavailable


def session_for(peer: PeerSettings) -> requests.Session:
    """A session that sends the peer's credentials and trusts the peer's authority.

    The environment does not count: a proxy or a bundle set for other programs would decide where
    patient data goes.
    """
    session = requests.Session()
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
