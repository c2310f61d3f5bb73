"""The address by which browsers reach the pages."""

from __future__ import annotations

import socket

from node.config import WebSettings, is_everywhere


def site_address(web: WebSettings) -> str:
    """As in `http://vscanner-1:8080`.

    A page that listens on all addresses has no address to be called by: it is then the first of
    its configured names, else this machine's name up to its first dot, which
    `node.web.security.is_known_host` lets in.
    """
    host = web.host
    if is_everywhere(host):
        host = web.names[0] if web.names else socket.gethostname().partition(".")[0]
    return f"http://{f'[{host}]' if ':' in host else host}:{web.port}"
