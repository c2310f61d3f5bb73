"""The durable workflows of a job, and the queues that they wait in.

    make      gate, translate, write, check     one at a time for each GPU
    deliver   dispatch to one destination       a few at a time for each destination
    commit    commitment of one destination     many at a time: it mostly waits

Each ends by starting the next, so that a slow destination never keeps the GPU idle. What there is
room for begins at once, in this worker; the rest waits in a queue. DBOS asks its tables whether
there is something in a queue, which costs milliseconds each time, so it asks seldom.
A failed attempt puts its own repetition into the queue with a delay, and holds no place meanwhile.
DBOS records each finished step: after a crash another worker goes on at the one that was broken
off. Workflow ids are derived from job, run, destination and attempt: nothing is started twice.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from dbos import DBOS, DBOSConfiguredInstance, SetEnqueueOptions, SetWorkflowID

from node.jobs.ledger import Job
from node.work import JobWork, Outcome, Work

MAKE, DELIVER, COMMIT = "make", "deliver", "commit"
"""Names of the queues, and of the workflows in them."""

WAITING_FOR_COMMITMENT = 16
POLL_S = 0.5
"""How often the queues are looked at: for repetitions, and for what there was no room for."""
POLL_COMMIT_S = 0.25
"""The same for commitments, all of which go through their queue."""

MAX_CRASHES = 5
"""A job during which so many workers died is given up."""


def register_queues(concurrency: int) -> None:
    """Make the queues, or set their limits anew.

    Args:
        concurrency: jobs at a time in one worker.
    """
    DBOS.register_queue(MAKE, worker_concurrency=concurrency, polling_interval_sec=POLL_S)
    # Beside the one of each worker that began at once.
    DBOS.register_queue(DELIVER, partition_concurrency=1, polling_interval_sec=POLL_S)
    DBOS.register_queue(
        COMMIT, worker_concurrency=WAITING_FOR_COMMITMENT, polling_interval_sec=POLL_COMMIT_S
    )


def workflow_id(name: str, work: Work) -> str:
    """The id under which DBOS knows an attempt; the first of a job is `<job id>.<run>`."""
    parts = [work.job_id, str(work.run)]
    if name != MAKE:
        parts += [work.destination, name]
    if work.attempt > 1:
        parts.append(str(work.attempt))
    return ".".join(parts)


def job_of_workflow(workflow_id: str) -> str:
    """The job to which an id belongs that `workflow_id` made."""
    return workflow_id.partition(".")[0]


@DBOS.dbos_class()
class JobWorkflows(DBOSConfiguredInstance):
    """The workflows, bound to what this worker has.

    Args:
        work: does the steps.
        concurrency: jobs at a time in this worker.
    """

    def __init__(self, work: JobWork, concurrency: int) -> None:
        super().__init__("node")
        self.work = work
        self._concurrency = concurrency
        self._under_way: Counter[tuple[str, str]] = Counter()  # by workflow and destination
        self._lock = threading.Lock()

    @DBOS.workflow(name=MAKE, max_recovery_attempts=MAX_CRASHES)
    def make(self, job_id: str, run: int, attempt: int) -> None:
        """Gate, translate, write and check one job; then one delivery for each destination."""
        work = Work(job_id, run, attempt)
        with self._counted(MAKE):
            for step in ("gate", "translate", "write", "check"):
                if not self._durable(MAKE, step, work):
                    return
        for destination in DBOS.run_step({"name": "destinations"}, self._destinations, job_id):
            self.begin_delivery(Work(job_id, run, 1, destination))

    @DBOS.workflow(name=DELIVER, max_recovery_attempts=MAX_CRASHES)
    def deliver(self, job_id: str, run: int, attempt: int, destination: str) -> None:
        """Dispatch a job's derived series to one destination; then its commitment."""
        work = Work(job_id, run, attempt, destination)
        with self._counted(DELIVER, destination):
            sent = self._durable(DELIVER, "dispatch", work)
        if sent:
            self.enqueue(COMMIT, replace(work, attempt=1))

    @DBOS.workflow(name=COMMIT, max_recovery_attempts=MAX_CRASHES)
    def commit(self, job_id: str, run: int, attempt: int, destination: str) -> None:
        """Make sure that one destination keeps a job's derived series."""
        self._durable(COMMIT, "commitment", Work(job_id, run, attempt, destination))

    def has_room(self) -> bool:
        """Whether this worker can take another job."""
        return self._under_way[MAKE, ""] < self._concurrency

    def begin_job(self, job: Job) -> None:
        """Begin the present run of a job; where that has begun, be it elsewhere, do nothing."""
        self._begin(MAKE, Work(job.id, job.run))

    def begin_delivery(self, work: Work) -> None:
        """Begin a delivery; it waits in its queue while one to that destination is under way here.

        Its id is the same either way: a repeat that decides otherwise starts nothing twice.
        """
        if self._under_way[DELIVER, work.destination]:
            self.enqueue(DELIVER, work)
        else:
            self._begin(DELIVER, work)

    def enqueue(
        self, name: str, work: Work, delay_s: float | None = None, priority: int = 2
    ) -> None:
        """Put a workflow into its queue; the same one again changes nothing."""
        function, arguments = self._call(name, work)
        options = SetEnqueueOptions(
            priority=priority,
            queue_partition_key=work.destination if name == DELIVER else None,
            delay_seconds=delay_s,
        )
        with SetWorkflowID(workflow_id(name, work)), options:
            DBOS.enqueue_workflow(name, function, *arguments)

    def _begin(self, name: str, work: Work) -> None:
        """Start a workflow in this worker; the same one again, here or elsewhere, does nothing."""
        function, arguments = self._call(name, work)
        with SetWorkflowID(workflow_id(name, work)):
            DBOS.start_workflow(function, *arguments)

    def _call(self, name: str, work: Work) -> tuple[Callable[..., None], tuple[Any, ...]]:
        """Function and arguments of a workflow."""
        arguments: tuple[Any, ...] = (work.job_id, work.run, work.attempt)
        if name == MAKE:
            return self.make, arguments
        return self.deliver if name == DELIVER else self.commit, (*arguments, work.destination)

    @contextmanager
    def _counted(self, name: str, destination: str = "") -> Iterator[None]:
        """One more of these is under way in this worker."""
        with self._lock:
            self._under_way[name, destination] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[name, destination] -= 1

    def _durable(self, name: str, step: str, work: Work) -> bool:
        """One recorded step, or its next attempt into the queue; whether the next step follows."""
        outcome: Outcome = DBOS.run_step({"name": step}, self.work.attempt, step, work)
        if outcome.wait_s is not None:
            again = replace(work, attempt=work.attempt + 1)
            self.enqueue(name, again, outcome.wait_s, outcome.priority)
        return outcome.go_on

    def _destinations(self, job_id: str) -> list[str]:
        return self.work.delivery.destinations(self.work.ledger.require(job_id))
