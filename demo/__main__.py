"""`make run`: start a PACS and the node, send a sample of each route, show what comes back.

Without an option it stays up until Ctrl-C. `--once` ends by itself, with exit code 0 when every
sample was answered and 1 otherwise.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pydicom
import requests
import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from demo.interruption import Interruption
from demo.pacs import (
    LOOPBACK,
    PACS,
    PACS_KINDS,
    DemoError,
    choose_pacs,
    free_port,
    stop_process,
)
from demo.routes import installed_routes

ROOT = Path(__file__).parents[1]
SAMPLES = Path(__file__).parent / "samples"
NODE_AE_TITLE = "VSCANNER"
READY_TIMEOUT_S = 300.0
ANSWER_TIMEOUT_S = 600.0
LEFT_BEHIND = ("data", "node.log", "node.yaml", "pacs")
"""What a demonstration leaves in its work folder, and the next one removes."""
FINAL_STATES = ("COMMITTED", "REFUSED", "HELD", "FAILED", "CANCELLED")

Pause: TypeAlias = Callable[[float], None]
"""Sleeps so many seconds, unless somebody wants to end."""

console = Console(highlight=False)


@dataclass(frozen=True)
class Sample:
    """One sample study on disk."""

    name: str
    study_uid: str
    series_uid: str
    paths: list[Path]


@dataclass(frozen=True)
class Node:
    """The running node."""

    port: int
    url: str
    folder: Path
    process: subprocess.Popen[bytes]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; the exit code says whether every sample was answered."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the samples were answered")
    parser.add_argument("--pacs", choices=PACS_KINDS, help="(default: Orthanc where installed)")
    parser.add_argument(
        "--only",
        metavar="SAMPLE",
        action="append",
        default=[],
        help="this sample alone; repeatable",
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "demo", help="work folder")
    arguments = parser.parse_args(argv)
    interruption = Interruption()
    interruption.listen()
    folder = arguments.folder.resolve()
    try:
        clear(folder)
        pacs = choose_pacs(folder / "pacs", arguments.pacs)
        samples = read_samples(arguments.only)
        return demonstrate(pacs, folder, samples, interruption.pause, once=arguments.once)
    except KeyboardInterrupt:
        say("\nStopped.")
        return 1 if arguments.once else 0  # with --once, samples were still to be answered
    except (DemoError, requests.RequestException, OSError) as error:
        say(f"[red]{escape(str(error))}[/red]")
        return 1


def clear(folder: Path) -> None:
    """Make the work folder anew.

    Raises:
        DemoError: it holds what no demonstration left there; nothing was removed.
    """
    others = [path.name for path in folder.glob("*") if path.name not in LEFT_BEHIND]
    if others:
        raise DemoError(f"{folder} holds other files ({others[0]}); name another --folder.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def demonstrate(
    pacs: PACS, folder: Path, samples: Sequence[Sample], pause: Pause, *, once: bool
) -> int:
    """Start PACS and node, send the samples, say what came back; gives the exit code."""
    try:
        with running_node(pacs, folder, pause) as node:
            answers = [answer(sample, pacs, node, pause) for sample in samples]
            say_where(pacs, node)
            if not once:
                say("\nCtrl-C stops everything.")
                while node.process.poll() is None:
                    pause(0.5)
            return 0 if answers and all(answers) else 1
    finally:
        pacs.stop()


def say(line: str) -> None:
    """One line for the person at the terminal, never wrapped."""
    console.print(line, soft_wrap=True)


def read_samples(only: Sequence[str] = ()) -> list[Sample]:
    """The sample studies of the installed routes, one folder each.

    Args:
        only: names of those that are wanted; empty for all.

    Raises:
        DemoError: there is no sample of that name.
    """
    names = [route.sample for route in installed_routes()]
    for name in only:
        if name not in names:
            raise DemoError(f"There is no sample {name!r}; there are: {', '.join(names)}.")
    samples = []
    for name in names:
        if only and name not in only:
            continue
        folder = SAMPLES / name
        paths = sorted(folder.glob("*.dcm"))
        header = pydicom.dcmread(paths[0], stop_before_pixels=True)
        samples.append(
            Sample(folder.name, header.StudyInstanceUID, header.SeriesInstanceUID, paths)
        )
    return samples


@contextmanager
def running_node(pacs: PACS, folder: Path, pause: Pause) -> Iterator[Node]:
    """Start the PACS and `vscanner serve`, each knowing the other."""
    port, web_port = preferred_port(11112), preferred_port(8080)
    pacs.start(NODE_AE_TITLE, port)
    say(f"PACS          {pacs.name}, AE title {pacs.ae_title}, port {pacs.dicom_port}")
    config = write_config(pacs, folder, port, web_port)
    with (folder / "node.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "node", "serve", "--config", str(config)],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    node = Node(port, f"http://{LOOPBACK}:{web_port}", folder, process)
    try:
        await_ready(node, pause)
        say(f"Node          AE title {NODE_AE_TITLE}, port {port}, ready")
        say(f"Status page   {node.url}")
        yield node
    finally:
        stop_process(process)


def preferred_port(wanted: int) -> int:
    """The usual port where it is free, else any."""
    probe = subprocess.run(
        [sys.executable, "-c", f"import socket; socket.socket().bind(('{LOOPBACK}', {wanted}))"],
        capture_output=True,
        check=False,
    )
    return wanted if probe.returncode == 0 else free_port()


def write_config(pacs: PACS, folder: Path, port: int, web_port: int) -> Path:
    """The node's configuration: one peer, a route a sample, embedded defaults for the rest."""
    dicomweb = f", dicomweb: {pacs.orthanc_url}/dicom-web" if pacs.orthanc_url else ""
    commitment = "true" if pacs.orthanc_url else "false"
    routes = [route.to_yaml() for route in installed_routes()]
    config = folder / "node.yaml"
    config.write_text(f"""\
node:
  ae_title: {NODE_AE_TITLE}
  host: {LOOPBACK}
  port: {port}
  data_dir: {json.dumps(str(folder / "data"))}
  receivers: 2
peers:
  - {{name: pacs, ae_title: {pacs.ae_title}, host: {LOOPBACK}, port: {pacs.dicom_port},
     storage_commitment: {commitment}{dicomweb}}}
web: {{host: {LOOPBACK}, port: {web_port}}}
assembly: {{quiet_s: 2, limit_s: 60}}
{yaml.safe_dump({"routes": routes}, sort_keys=False)}""")
    return config


def await_ready(node: Node, pause: Pause) -> None:
    """Wait for `GET /health/ready` to answer 200."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    with console.status("starting the node ..."):
        while time.monotonic() < deadline:
            if node.process.poll() is not None:
                break
            try:
                if requests.get(node.url + "/health/ready", timeout=5).status_code == 200:
                    return
            except requests.ConnectionError:
                pass
            pause(0.2)
    log = node.folder / "node.log"
    # It says in one plain line why it cannot start; all others are JSON.
    said = [line for line in log.read_text().splitlines() if line.startswith("vscanner: ")]
    raise DemoError("\n".join([f"The node did not become ready; its log is {log}.", *said[-1:]]))


def answer(sample: Sample, pacs: PACS, node: Node, pause: Pause) -> bool:
    """Send one sample from the PACS and wait for its derived series to be there."""
    pacs.load(sample.paths)
    say(f"\nSample        {sample.name}: {len(sample.paths)} images, sent by C-STORE")
    pacs.send(sample.study_uid, NODE_AE_TITLE)
    try:
        job = await_job(sample, node, pause)
    except DemoError as error:  # the others may be answered all the same
        say(f"[red]Not answered  {escape(str(error))}[/red]")
        return False
    if job["state"] != "COMMITTED":
        say(f"[red]Not answered  {job['state']}: {escape(job['reason'])}[/red]")
        return False
    for series_uid in job["derived_series"]:
        held = pacs.count(sample.study_uid, series_uid)
        if held == 0:
            say(f"[red]Missing       series {series_uid} is not in the PACS[/red]")
            return False
        say(f"[green]Derived       {describe(node, job, series_uid)}: {held} in the PACS[/green]")
    return True


def describe(node: Node, job: dict[str, Any], series_uid: str) -> str:
    """Series Description of a derived series, from the node's own copy."""
    for path in sorted((node.folder / "data" / "jobs" / job["id"] / "derived").rglob("*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        if header.SeriesInstanceUID == series_uid:
            return f"{header.SeriesDescription} ({header.Modality})"
    return series_uid


def await_job(sample: Sample, node: Node, pause: Pause) -> dict[str, Any]:
    """Follow the sample's job with a progress bar until it ends.

    Raises:
        DemoError: nothing happened for too long.
    """
    deadline, seen = time.monotonic() + ANSWER_TIMEOUT_S, None
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        shown = bar.add_task("waiting for the series to be complete", total=1.0)
        while time.monotonic() < deadline:
            for job in requests.get(node.url + "/api/jobs", timeout=10).json():
                if sample.series_uid not in job["source_series"]:
                    continue
                if job["state"] in FINAL_STATES:
                    return dict(job)
                stage = job["state"], job.get("step"), job.get("progress")
                if stage != seen:  # a slow machine is given its time
                    deadline, seen = time.monotonic() + ANSWER_TIMEOUT_S, stage
                bar.update(
                    shown,
                    description=job.get("step") or job["state"].lower(),
                    completed=job.get("progress", 0.0),
                )
            pause(0.3)
    raise DemoError(f"Nothing happened for {ANSWER_TIMEOUT_S:.0f} s; see {node.url}.")


def say_where(pacs: PACS, node: Node) -> None:
    """Where to look next."""
    say(f"\nStatus page   {node.url}")
    if pacs.orthanc_url:
        say(f"PACS page     {pacs.orthanc_url}")
    say(f"Files         {node.folder}")


if __name__ == "__main__":
    sys.exit(main())
