"""Questions to senders (C-FIND) in threads: a slow peer never holds up the assembler."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

from node.assembling.assembly import PeerAnswer
from node.assembling.query import count_instances
from node.config import Config
from node.errors import QueryError

log = logging.getLogger(__name__)

AT_A_TIME = 4


class Questions:
    """Open questions and the latest answers, by series.

    Args:
        config: knows the peers.
        clock: gives the time, with its zone.
    """

    def __init__(self, config: Config, clock: Callable[[], datetime]) -> None:
        self.config = config
        self.clock = clock
        self._pool = ThreadPoolExecutor(AT_A_TIME, "c-find")
        self._answers: dict[str, PeerAnswer] = {}
        self._open: dict[str, Future[int | None]] = {}

    def close(self) -> None:
        """Wait for nobody any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def can_ask(self, ae_title: str) -> bool:
        """Whether the sender is a peer that may be asked."""
        peer = self.config.peer_by_ae_title(ae_title)
        return peer is not None and peer.query

    def ask(self, row: Any, instances: int) -> None:
        """Ask the sender of a series how many images it holds.

        Args:
            row: of the table `series`.
            instances: how many are here.
        """
        uid = row.series_instance_uid
        self._answers[uid] = PeerAnswer(self.clock(), instances, None, pending=True)
        self._open[uid] = self._pool.submit(self._count, row.source_ae, row.study_instance_uid, uid)

    def answer(self, series_instance_uid: str) -> PeerAnswer | None:
        """The latest answer about a series, pending while it is awaited."""
        answer = self._answers.get(series_instance_uid)
        future = self._open.get(series_instance_uid)
        if answer is None or future is None or not future.done():
            return answer
        del self._open[series_instance_uid]
        answer = replace(answer, count=future.result(), pending=False)
        self._answers[series_instance_uid] = answer
        return answer

    def forget(self, series_instance_uid: str) -> None:
        """Let go of a series that is decided."""
        self._answers.pop(series_instance_uid, None)
        question = self._open.pop(series_instance_uid, None)
        if question is not None:
            question.cancel()  # else slow peers would be asked for hours about what is decided

    def _count(self, ae_title: str, study_uid: str, series_uid: str) -> int | None:
        peer = self.config.peer_by_ae_title(ae_title)
        if peer is None:
            return None
        facts = {"action": "sender_asked", "peer": peer.name, "series": series_uid}
        try:
            count = count_instances(peer, self.config, study_uid, series_uid)
        except QueryError as error:
            log.info("the sender could not say how many images it holds: %s", error, extra=facts)
            return None
        log.info("the sender holds %d images", count, extra=facts)
        return count
