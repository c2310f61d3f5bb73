"""How long the node itself takes: last C-STORE response to last derived instance in the PACS.

100 slices of 512x512 go by C-STORE to a whole node (receivers, assembler, worker as processes), the
derived series goes to a real Orthanc with synced storage. Quiet time and model time are measured
and taken off; the share of each step is what the job's row says. Writes results/latency.md.

    python -m benchmarks.latency [--slices 100] [--runs 5] [--associations 1 4]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
import sqlalchemy as sa
import yaml

from node.config import AssemblySettings
from node.config_file import load_config
from node.database.tables import executors, open_database, series
from node.dispatch.association import Address, StorageAssociation
from node.dispatch.outgoing import contexts_of, read_outgoing
from node.jobs.ledger import Job, JobLedger, JobState
from pipelines import catalog
from pipelines.errors import PipelineError
from tests.servers import OrthancServer, free_port, listening, run_orthanc, running, wait_until
from tests.synthetic import write_ct_series

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "latency.md"
PIPELINE = "ldct_denoise"
QUIET_S = AssemblySettings().quiet_s
"""As it is by default: what the node does ahead, it does in this time."""
LIMIT_S = 1.0
LOOK_S = 0.04
"""Asked every 10 ms, Orthanc took a quarter of a second more for 100 images."""
COMPANIONS = 2  # report and label
STEPS = ("gate", "translate", "write", "check", "dispatch", "commitment")
LOAD_BEFORE = os.getloadavg()[0]
"""Other programs' load, before this one begins."""
OWN_STEPS = ("gate", "write", "check", "dispatch")


@dataclass(frozen=True)
class Run:
    """One series through the node; times in seconds."""

    total: float  # last C-STORE response to last derived instance in the PACS
    quiet: float  # of it: the quiet time that the configuration asks for
    assembly: float  # of it: seeing that the series is complete, routing, making the job
    waiting: float  # of it: until a worker takes the job
    steps: dict[str, float]

    @property
    def own(self) -> float:
        """What the node itself takes: without quiet time and model."""
        return self.total - self.quiet - self.steps["translate"]

    @property
    def between(self) -> float:
        """Between the steps: queues, records, and seeing the end."""
        known = sum(self.steps[name] for name in STEPS if name != "commitment")
        return self.total - self.quiet - self.assembly - self.waiting - known


def main() -> int:
    """Measure and write the table; 1 when the median is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--associations", type=int, nargs="+", default=[1, 4], help="at a time for one series"
    )
    arguments = parser.parse_args()
    found: dict[int, list[Run]] = {}
    for associations in arguments.associations:
        with tempfile.TemporaryDirectory() as folder:
            found[associations] = measure(
                Path(folder), arguments.slices, arguments.runs, associations
            )
    text = page(found, arguments.slices)
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text, encoding="utf-8")
    return int(min(own_median(runs) for runs in found.values()) > LIMIT_S)


def measure(folder: Path, slices: int, count: int, associations: int) -> list[Run]:
    """Run the whole node, send `count` series one after the other; the first is not counted."""
    port = free_port()
    with run_orthanc(folder / "orthanc", our_port=port) as pacs:
        path = folder / "node.yaml"
        path.write_text(yaml.safe_dump(settings(folder, pacs, associations)))
        with whole_node(path, folder, port):
            runs = []
            for number in range(count + 1):
                source = folder / f"source-{number}"
                write_ct_series(source, slices=slices, rows=512, columns=512, seed=number)
                runs.append(one_run(path, source, pacs))
    return runs[1:]


def settings(folder: Path, pacs: OrthancServer, associations: int) -> dict[str, object]:
    """A node of one receiver with one rule; the sender is no PACS that could be asked."""
    return {
        "node": {
            "host": "127.0.0.1",
            "port": pacs.our_port,
            "data_dir": str(folder / "data"),
            "receivers": 1,
        },
        "peers": [
            {"name": "bench", "ae_title": "BENCH", "host": "127.0.0.1", "port": 1, "query": False},
            {
                "name": "pacs",
                "ae_title": pacs.ae_title,
                "host": "127.0.0.1",
                "port": pacs.dicom_port,
                "associations": associations,
            },
        ],
        "assembly": {"quiet_s": QUIET_S},
        "routes": [
            {
                "name": "bench",
                "pipeline": PIPELINE,
                "when": {"Modality": "CT", "SeriesDescription": {"matches": "LOW DOSE"}},
                "send_to": ["pacs"],
            }
        ],
    }


@contextlib.contextmanager
def whole_node(config: Path, folder: Path, port: int) -> Iterator[None]:
    """Receiver, assembler and worker as processes, ready."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    receive = [sys.executable, "-m", "node", "receive", "--config", str(config)]
    work = [sys.executable, "-m", "node", "work", "--config", str(config)]
    if not weights_are_there():
        work = [sys.executable, "-m", "tests.node.worker_process", str(config)]
    with (
        running(receive, folder / "receive.log", env=environment),
        running(work, folder / "work.log", env=environment),
    ):
        database = open_database(load_config(config).node)

        def ready() -> bool:
            with database.connect() as connection:
                return listening(port) and bool(connection.execute(sa.select(executors)).all())

        wait_until(ready, 120, "the node to be ready")
        database.dispose()
        yield


def weights_are_there() -> bool:
    """Whether the real network can run; else a box filter stands in for it."""
    try:
        catalog.verify(PIPELINE)
    except (PipelineError, OSError):
        return False
    return True


def one_run(config_path: Path, source: Path, pacs: OrthancServer) -> Run:
    """Send one series and wait for what comes of it."""
    config = load_config(config_path)
    database = open_database(config.node)
    files = [read_outgoing(path) for path in sorted(source.glob("*.dcm"))]
    before = stored(pacs)
    address = Address("the node", "127.0.0.1", config.node.port, config.node.ae_title)
    with StorageAssociation(address, "BENCH", contexts_of(files), 30) as association:
        for file in files:
            assert association.store(file) == 0
        last_response = time.time()
    wait_until_stored(pacs, before + len(files) + COMPANIONS)
    last_stored = time.time()
    ledger = JobLedger(database)
    job = ledger.list(limit=1)[0]
    wait_until(lambda: "commitment" in ledger.require(job.id).timings, 90, "commitment")
    assert ledger.require(job.id).state is JobState.COMMITTED
    with database.connect() as connection:
        query = sa.select(series.c.last_received).where(
            series.c.series_instance_uid == job.source_series[0]
        )
        last_received = connection.execute(query).scalar_one().timestamp()
    database.dispose()
    return run_of(ledger.require(job.id), last_response, last_received, last_stored)


def run_of(job: Job, last_response: float, last_received: float, last_stored: float) -> Run:
    """The times of one run, from our clock and the job's row."""
    assert job.started is not None
    quiet = QUIET_S - max(0.0, last_response - last_received)
    return Run(
        total=last_stored - last_response,
        quiet=quiet,
        assembly=job.created.timestamp() - last_response - quiet,
        waiting=job.started.timestamp() - job.created.timestamp(),
        steps={name: job.timings[name] for name in STEPS},
    )


def stored(pacs: OrthancServer) -> int:
    """Instances that the PACS holds."""
    return int(pacs.get("/statistics")["CountInstances"])


def wait_until_stored(pacs: OrthancServer, count: int) -> None:
    """Wait for so many instances, asking seldom: Orthanc counts them anew each time."""
    deadline = time.monotonic() + 300
    with requests.Session() as session:
        while session.get(pacs.url + "/statistics", timeout=30).json()["CountInstances"] < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the PACS does not hold {count} instances after 300 s")
            time.sleep(LOOK_S)


def own_median(runs: list[Run]) -> float:
    """What the node itself takes."""
    return statistics.median(run.own for run in runs)


def page(found: dict[int, list[Run]], slices: int) -> str:
    """The results as Markdown, a table for each number of associations."""
    model = "the real network" if weights_are_there() else "a box filter in place of the network"
    count, cores = len(next(iter(found.values()))), len(os.sched_getaffinity(0))
    lines = [
        f"# Latency: {slices} slices of 512x512, {count} runs, {cores} cores, {model}",
        "",
        "From the last C-STORE response to the last derived instance in Orthanc (synced storage),",
        f"minus quiet time ({QUIET_S:g} s) and model time. Wanted: at most {LIMIT_S:g} s for 100.",
        "What waits for nothing but its slice is made while the network runs, in the model's time.",
        f"Load of the machine before: {LOAD_BEFORE:.1f}.",
    ]
    for associations, runs in found.items():
        one = associations == 1
        title = "One association" if one else f"{associations} associations at a time"
        said = "" if one else f" (`peers[].associations: {associations}`)"
        lines += ["", f"## {title} for each derived series{said}", "", *table(runs)]
    return "\n".join(lines) + "\n"


def table(runs: list[Run]) -> list[str]:
    """Medians, and smallest and largest."""
    rows = [
        ("assembly, routing, making the job", [run.assembly for run in runs]),
        ("until a worker takes it", [run.waiting for run in runs]),
        *((name, [run.steps[name] for run in runs]) for name in OWN_STEPS),
        ("between the steps", [run.between for run in runs]),
        ("**node alone**", [run.own for run in runs]),
    ]
    own = own_median(runs)
    lines = ["| part | median s | share | smallest | largest |", "|---|---|---|---|---|"]
    for name, values in rows:
        middle, low, high = statistics.median(values), min(values), max(values)
        lines.append(f"| {name} | {middle:.3f} | {middle / own:.0%} | {low:.3f} | {high:.3f} |")
    outside = {
        "model (translate), not counted": [run.steps["translate"] for run in runs],
        "commitment, afterwards": [run.steps["commitment"] for run in runs],
    }
    for name, values in outside.items():
        middle, low, high = statistics.median(values), min(values), max(values)
        lines.append(f"| {name} | {middle:.3f} | | {low:.3f} | {high:.3f} |")
    return lines


if __name__ == "__main__":
    subprocess.run(["sync"], check=False)  # what others wrote before is not ours to wait for
    sys.exit(main())
