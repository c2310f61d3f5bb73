"""Waiting for a database that does not answer: said in one sentence, tried until it does.

The parts that need the database are started when it answers. Receivers need none: what a PACS
sends is taken meanwhile. The status page says what is waited for.
"""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy.engine import Engine
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from node.config import NodeSettings
from node.database.tables import open_database, open_existing_database
from node.errors import NodeError

log = logging.getLogger(__name__)

SAY_AFTER_S = 1.5
"""A database that has just started, or is far away, may take so long."""
SAY_AGAIN_S = 60.0
PAUSE_S = 1.0

AWAY = (OperationalError, InterfaceError, InternalError, NoConnectionFree)
"""Errors of a database that does not answer, or take anything (read only), whatever it is asked."""


class DatabaseAway(NodeError):  # noqa: N818 - says what is wrong
    """The database does not answer somebody who does not wait."""


class DatabaseWait:
    """Tries the database in a thread, so that one that hangs holds up nobody.

    Args:
        settings: which database.

    Attributes:
        is_said: whether it was said that it does not answer.
    """

    def __init__(self, settings: NodeSettings) -> None:
        self.is_said = False
        self._settings = settings
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._answers = False
        self._refusal: NodeError | None = None
        self._say_at = 0.0
        self._reason = "no answer yet"

    def answers(self) -> bool:
        """Whether it has answered; begins, or goes on, to try it until then.

        Raises:
            NodeError: it is there, and not for this version of the program.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._answers:
            return True
        now = time.monotonic()
        if self._thread is None:
            self._say_at = now + SAY_AFTER_S
            self._thread = threading.Thread(target=self._try, name="database", daemon=True)
            self._thread.start()
        elif now >= self._say_at:
            self._say_at = now + SAY_AGAIN_S
            facts = {"action": "database_awaited"}
            sentence = _no_answer(self._settings, self._reason)
            log.warning("%s; trying again until it does", sentence, extra=facts)
            self.is_said = True
        return False

    def doubt(self) -> None:
        """Something that needs it has ended: whether it answers is to be found out again."""
        if self._answers:
            self._answers, self._thread = False, None

    def stop(self) -> None:
        """Try no longer."""
        self._stopping.set()

    def _try(self) -> None:
        while not self._stopping.is_set():
            try:
                open_database(self._settings).dispose()
            except NodeError as error:
                self._refusal = error
                return
            except (SQLAlchemyError, OSError) as error:
                self._reason = reason_of(error)
            else:
                self._answers = True
                return
            self._stopping.wait(PAUSE_S)


def open_at_once(settings: NodeSettings) -> Engine:
    """The database of a node that is there, for a command that does not wait.

    Raises:
        NodeError: there is no node, its database is of another version or does not answer.
    """
    try:
        return open_existing_database(settings)
    except AWAY as error:
        sentence = _no_answer(settings, reason_of(error))
        raise DatabaseAway(f"{sentence[0].upper()}{sentence[1:]}; see that it runs.") from error


def _no_answer(settings: NodeSettings, reason: str) -> str:
    kind = "SQLite" if settings.database == "sqlite" else "PostgreSQL"
    return f"the database ({kind}, node.database) does not answer ({reason})"


def log_failure(log_: logging.Logger, sentence: str, action: str, error: Exception) -> None:
    """Say that something failed and is tried again: with a traceback, unless the database is away.

    Args:
        log_: of the loop in which it failed.
        sentence: what failed.
        action: for machines.
        error: with which.
    """
    if isinstance(error, AWAY):
        facts = {"action": action, "error": type(error).__name__}
        log_.warning("%s (the database: %s)", sentence, reason_of(error), extra=facts)
    else:
        log_.error(sentence, exc_info=error, extra={"action": action})


def reason_of(error: Exception) -> str:
    """The first line of what the database, or the system, says; no log-in stands in it."""
    lines = str(getattr(error, "orig", error)).strip().splitlines()
    return lines[0] if lines else type(error).__name__
