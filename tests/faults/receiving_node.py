"""A node that receives, as real processes that can be killed, and real senders."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import sqlalchemy as sa
import yaml
from pydicom.dataset import Dataset
from sqlalchemy.engine import Engine

from node.config import Config
from node.database.tables import instances, open_database
from tests.node.datasets import encoded
from tests.node.receiving.running import CALLER, make_config
from tests.servers import LOOPBACK, program, wait_until

READY_S = 60.0
QUICK = {**os.environ, "TCP_NODELAY": "1"}  # else each instance waits 40 ms for Nagle


@dataclass
class ReceivingNode:
    """`vscanner receive` as a process: receivers and the assembler below it."""

    config: Config
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def data_dir(self) -> Path:
        """Where it keeps everything."""
        return self.config.node.data_dir

    def parts(self, name: str) -> list[psutil.Process]:
        """Its processes of a kind, oldest first, by what they wrote into the log."""
        pids = [
            int(line.split('"pid": ')[1].split(",")[0].rstrip("}\n"))
            for line in self.log.read_text().splitlines()
            if '"part_started"' in line and f'"part": "{name}"' in line
        ]
        return [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]

    def ready(self) -> int:
        """How many receivers ever became ready."""
        return self.log.read_text().count('"receiver_ready"')

    def kill_everything(self) -> None:
        """kill -9 of the service and of each of its processes, at once."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        for process in [psutil.Process(self.process.pid), *children]:
            process.send_signal(signal.SIGKILL)
        self.process.wait()

    def paths(self) -> dict[str, Path]:
        """File of each indexed instance."""
        with database_of(self.config) as engine, engine.connect() as connection:
            rows = connection.execute(sa.select(instances.c.sop_instance_uid, instances.c.path))
            return {row[0]: self.data_dir / row[1] for row in rows}

    def wait_for(self, count: int) -> dict[str, Path]:
        """Wait until so many instances are indexed and nothing is left to admit."""

        def settled() -> bool:
            left = list((self.data_dir / "incoming").glob("*.dcm"))
            return not left and len(self.paths()) == count

        wait_until(settled, READY_S, f"{count} instances to be admitted")
        return self.paths()


@contextlib.contextmanager
def database_of(config: Config) -> Iterator[Engine]:
    """The node's database, for a look."""
    engine = open_database(config.node)
    try:
        yield engine
    finally:
        engine.dispose()


@contextlib.contextmanager
def receiving_node(folder: Path, config: Config | None = None) -> Iterator[ReceivingNode]:
    """A node that is ready to receive; ended afterwards where it still lives."""
    config = config or make_config(folder / "data", receivers=2)
    content = config.model_dump(mode="json", exclude_none=True)
    file = folder / "node.yaml"
    file.write_text(yaml.safe_dump(content))
    log = folder / f"node-{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "node", "receive", "--config", str(file)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    node = ReceivingNode(config, process, log)
    try:
        wait_until(lambda: node.ready() >= config.node.receivers, READY_S, "the receivers")
        yield node
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            node.kill_everything()


def write_files(folder: Path, datasets: Sequence[Dataset]) -> list[Path]:
    """The data sets as files that storescu sends."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(datasets):
        encoded(ds)
        path = folder / f"{number:04d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


class Sender:
    """A running storescu; what it was told of each file is in its log."""

    def __init__(self, port: int, files: Sequence[Path], log: Path) -> None:
        self._files = list(files)
        self._log = log
        command = [program("storescu"), "-v", "-aet", CALLER, "-aec", "VSCANNER"]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, LOOPBACK, str(port), *map(str, files)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=QUICK,
            )

    def statuses(self) -> list[str]:
        """The answers so far, in the order of the files."""
        marker = "Received Store Response ("
        lines = self._log.read_text(errors="replace").splitlines()
        return [line.split(marker)[1].rstrip(")") for line in lines if marker in line]

    def acknowledged(self) -> list[Path]:
        """The files that were answered with Success."""
        answers = zip(self._files, self.statuses(), strict=False)
        return [path for path, status in answers if status == "Success"]

    def end(self) -> int:
        """Wait for its end; its exit code."""
        return self.process.wait(120)


def send(port: int, files: Sequence[Path], log: Path) -> Sender:
    """Send files and wait until that is done."""
    sender = Sender(port, files, log)
    sender.end()
    return sender
