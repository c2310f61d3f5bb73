"""The receiver: Verification and Storage SCP, several processes on one port.

Each process accepts from the same listening socket and gives every association a thread: the time
of an association goes into reading the socket, writing the file and waiting for the disk, all of
which run without the interpreter's lock. `node.receiving` holds what happens on an association.

An instance is acknowledged when it would survive a power cut (see `node.spooling.incoming`); that
needs neither the database nor any other process.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import ssl
import threading
import time

from sqlalchemy.engine import Engine

from node.config import Config, TLSSettings
from node.counters import CounterBuffer
from node.database.tables import open_database
from node.receiving.association import ARTIM_S, Association, Surroundings
from node.spooling.incoming import Incoming

log = logging.getLogger(__name__)

GRACE_S = 5.0  # time for associations to end after SIGTERM
FLUSH_S = 2.0  # between two writings of the running totals
PAUSE_S = 0.1  # after a connection could not be accepted


class Receiver:
    """Accepts associations in one process.

    Args:
        config: the node's configuration.
        listener: bound and listening; shared with the other receivers.
    """

    def __init__(self, config: Config, listener: socket.socket) -> None:
        self._config = config
        self._listener = listener
        self._tls = tls_context(config.node.tls) if config.node.tls else None
        self._database: Engine | None = None
        self._opening = threading.Lock()
        self._counters = CounterBuffer()
        incoming = Incoming(config.node.data_dir, config.node.min_free_bytes)
        self._surroundings = Surroundings(config, incoming, self._counters, self.database)
        self._stopping = threading.Event()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._strangers: dict[threading.Thread, socket.socket] = {}  # those not associated, in turn
        self._lock = threading.Lock()

    def database(self) -> Engine:
        """The database, opened at first use: instances are received without it.

        Raises:
            SQLAlchemyError: it cannot be opened now.
        """
        with self._opening:
            if self._database is None:
                self._database = open_database(self._config.node)
            return self._database

    def run(self) -> None:
        """Accept associations until `stop`, then let the running ones end."""
        if not any(peer.may_call for peer in self._config.peers):
            log.warning(
                "no peers are configured, so every association will be rejected; "
                "name those who may call under 'peers'",
                extra={"action": "no_peers"},
            )
        threading.Thread(target=self._accept, daemon=True, name="accept").start()
        while not self._stopping.wait(FLUSH_S):
            self._counters.flush(self.database)
        self._drain()
        self._counters.flush(self.database)

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler."""
        self._stopping.set()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, address = self._listener.accept()
            except OSError as error:
                if self._listener.fileno() < 0:
                    return
                log.warning("cannot accept: %s", error, extra={"action": "accept_failed"})
                time.sleep(PAUSE_S)
                continue
            self._take(connection, str(address[0]))

    def _take(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            if self._stopping.is_set() or not self._make_room():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the system gives no more threads: this one comes back
                connection.close()
                log.warning("no thread for a connection: %s", error, extra={"action": "no_thread"})
            else:  # not before: `_drain` cannot wait for a thread that is not started
                self._connections[thread] = self._strangers[thread] = connection

    def _make_room(self) -> bool:
        """Whether one more connection can be served: who is silent must not keep the others out.

        Beyond twice the limit, the one that has gone longest without a request gives way.
        """
        if len(self._connections) < 2 * self._config.node.max_associations:
            return True
        for thread, connection in self._strangers.items():
            del self._strangers[thread], self._connections[thread]
            with contextlib.suppress(OSError):  # it has just ended by itself
                connection.shutdown(socket.SHUT_RDWR)
            return True
        return False

    def _admit(self) -> bool:
        """Whether this thread's connection may become an association; it counts as one then."""
        thread = threading.current_thread()
        with self._lock:
            associated = len(self._connections) - len(self._strangers)
            if associated >= self._config.node.max_associations:
                return False
            return self._strangers.pop(thread, None) is not None

    def _serve(self, connection: socket.socket, address: str) -> None:
        thread = threading.current_thread()
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection.settimeout(min(ARTIM_S, self._config.node.idle_timeout_s))
                connection = self._tls.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
                with self._lock:
                    self._connections[thread] = self._strangers[thread] = connection
                connection.do_handshake()
            Association(connection, address, self._surroundings, self._admit).run()
        except OSError as error:
            connection.close()
            self._counters.add("associations", "NO_TLS")
            facts = {"action": "tls_failed", "address": address}
            log.warning("no TLS with a peer: %s", error, extra=facts)
        finally:
            with self._lock:
                self._connections.pop(thread, None)
                self._strangers.pop(thread, None)

    def _drain(self) -> None:
        deadline = time.monotonic() + GRACE_S
        with self._lock:
            threads = list(self._connections)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            left = dict(self._connections)
        for thread, connection in left.items():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it ended by itself meanwhile
            thread.join(1.0)


def tls_context(settings: TLSSettings) -> ssl.SSLContext:
    """TLS 1.2 or later with certificates on both sides (PS3.15 B.12)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(settings.certificate, settings.key)
    context.load_verify_locations(settings.ca)
    return context


def main(config: Config, listener: socket.socket) -> None:
    """Body of a receiver process: runs until SIGTERM.

    Args:
        config: the node's configuration.
        listener: bound and listening; shared with the other receivers.
    """
    receiver = Receiver(config, listener)
    signal.signal(signal.SIGTERM, lambda *_: receiver.stop())
    log.info("receiving", extra={"action": "receiver_ready", "port": config.node.port})
    receiver.run()
