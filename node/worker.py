"""The worker: the only process that loads networks. One for each GPU; any number of machines."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dbos import DBOS, DBOSConfig
from sqlalchemy.engine import Engine

from dicom_profiles.checks.iod import load_tables
from node.config import Config
from node.database.tables import impatient, open_database, sqlite_url
from node.database.waiting import log_failure
from node.jobs.ledger import JobLedger
from node.retention.deletion import Retention
from node.retention.forgetting import forget_jobs, forget_series
from node.retention.queue_records import prune_workflows
from node.retention.records import sweep_records
from node.work import JobWork
from node.workflow import JobWorkflows, register_queues
from node.working.doubts import Doubts
from node.working.heartbeat import Executor, Heartbeat
from node.working.recovery import reconcile, recover_workflows_of_the_dead
from node.working.warm import WarmPipelines
from pipelines import load

if TYPE_CHECKING:
    from pipelines.contract import Pipeline

log = logging.getLogger(__name__)

LOOK_S = 0.05
"""How often a worker with room looks for a job that nobody has begun."""

FAILED_PAUSE_S = 5.0
RECONCILE_EVERY = 200  # looks

WORKFLOW_VERSION = "1"
"""DBOS hands a workflow only to workers of the same version: raise it when the order of the
durable steps changes. A new release of the node alone is no new version."""

FINISH_S = 5
"""How long work under way may take to finish when the worker is told to end. All of it may be
broken off at any moment: whoever takes it up goes on at the unfinished step."""


class Worker:
    """Takes jobs from the ledger through DBOS's queues.

    Args:
        config: the node's configuration.
        database: the node's tables.
        loader: loads a pipeline by its name.
    """

    def __init__(self, config: Config, database: Engine, loader: Callable[[str], Pipeline]) -> None:
        self.config = config
        self.ledger = JobLedger(database)
        self.executor = Executor(database, config.node.data_dir)
        self.pipelines = WarmPipelines(loader)
        self._work = JobWork(config, database, self.pipelines, self.executor.is_registered)
        DBOS(config=dbos_config(config, self.executor.id))
        self.workflows = JobWorkflows(self._work, config.jobs.concurrency)
        self.heartbeat = Heartbeat(
            self.executor,
            config.jobs,
            recover=lambda: recover_workflows_of_the_dead(self.executor),
            end=_end_at_once,
        )
        doubts = Doubts(config, database, self.workflows.begin_delivery)
        self.retention = Retention(
            database,
            config.node.data_dir,
            config.retention,
            [
                partial(sweep_records, database, config.retention),
                partial(forget_series, database, config.node.data_dir, config.retention),
                partial(prune_workflows, database, config.retention),
                partial(forget_jobs, database, config.node.data_dir, config.retention),
                lambda _now: doubts.look(),
            ],
        )
        self._stopping = threading.Event()

    def run(self) -> None:
        """Work until `stop`."""
        names = (route.pipeline for route in self.config.routes)
        self.pipelines.preload(names, unless=self._stopping.is_set)
        if self._stopping.is_set():
            return  # nobody knows of this worker yet
        load_tables()
        self._work.beside.start()
        gc.freeze()  # what is loaded stays: the collector need not go through it again and again
        self.executor.register()
        DBOS.launch()
        register_queues(self.config.jobs.concurrency)
        self.heartbeat.start()
        self.retention.start()
        facts = {"action": "worker_started", "executor": self.executor.id}
        log.info("the worker waits for jobs", extra=facts)
        looks = 0
        while not self._stopping.wait(LOOK_S):
            try:
                self._look(looks % RECONCILE_EVERY == 0)
            except Exception as error:  # noqa: BLE001 - process loop: it may be away for a moment
                log_failure(log, "cannot look for jobs", "look_failed", error)
                self._stopping.wait(FAILED_PAUSE_S)
            looks += 1
        self._end()

    def stop(self) -> None:
        """Ask `run` to end; safe in a signal handler."""
        self._stopping.set()

    def _look(self, thoroughly: bool) -> None:
        """Begin the job whose turn it is: the row said that it waits, then DBOS, then the row."""
        if self.workflows.has_room():
            waiting = self.ledger.waiting(limit=1)
            for job in waiting:
                self.workflows.begin_job(job)
                self.ledger.mark_begun(job)
            if not waiting:
                self._work.ahead.look()
        if thoroughly:
            reconcile(self.ledger)

    def _end(self) -> None:
        self.retention.stop()
        self.heartbeat.stop()
        DBOS.destroy(workflow_completion_timeout_sec=FINISH_S)
        self._work.beside.stop()
        self.executor.remove(self.executor.id)  # what is unfinished is anybody's now
        log.info("the worker has ended", extra={"action": "worker_ended"})


def main(config: Config) -> None:
    """Body of the worker process: work until SIGTERM."""
    run(config, lambda name: load(name, device=config.jobs.device))


def run(config: Config, loader: Callable[[str], Pipeline]) -> None:
    """Work until SIGTERM with pipelines from `loader`; ends the process."""
    database = open_database(config.node)
    worker = Worker(config, database, loader)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.run()
    database.dispose()
    logging.shutdown()
    os._exit(0)  # steps that are still under way run in threads that would keep us alive


def dbos_config(config: Config, executor_id: str) -> DBOSConfig:
    """DBOS's settings: its tables lie beside the node's own."""
    if config.node.database == "sqlite":
        path = config.node.data_dir / "dbos.sqlite"
        _use_write_ahead_log(path)
        url = sqlite_url(path)
    else:
        url = impatient(config.node.database)
    return DBOSConfig(
        name="vscanner",
        system_database_url=url,
        executor_id=executor_id,
        application_version=WORKFLOW_VERSION,
        use_listen_notify=False,  # workflows here neither send nor wait for messages
        log_level="WARNING",
    )


def _use_write_ahead_log(path: Path) -> None:
    """Readers do not wait for writers, and a commit is one write; SQLite remembers it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _end_at_once() -> None:
    """Others have our jobs: nothing that we do from now on may count."""
    logging.shutdown()
    os._exit(1)
