"""Reception of 300 CT of 512x512, durable, beside storescp and Orthanc, in one interleaved run.

The sender is DCMTK's storescu for all, one process an association, TCP_NODELAY=1 in the
environment of every DCMTK and Orthanc process. Every transfer has fresh UIDs, since Orthanc does
not write an instance that it has. Writes benchmarks/results/receive.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests
import yaml

from node.config import NodeSettings
from node.config_file import load_config
from node.database.tables import open_database
from node.service import Service
from node.spool import Spool
from tests.servers import LOOPBACK, free_port, listening, program, running, wait_until
from tests.synthetic import write_ct_series

INSTANCES = 300
ROUNDS = 3
ASSOCIATIONS = (1, 4)
MEMORY_INSTANCES = (100, 2000)
WARM_UP = 20
QUICK = {**os.environ, "TCP_NODELAY": "1"}
RESULT = Path(__file__).parent / "results" / "receive.md"


@dataclass
class Rival:
    """A running Storage SCP: how to call it, and how many instances it holds."""

    name: str
    port: int
    held: Callable[[], int]
    process: subprocess.Popen[bytes]
    rates: dict[int, list[float]] = field(default_factory=dict)


def phantom_sets(folder: Path, count: int) -> list[list[Path]]:
    """`count` series of the same slices under UIDs of their own."""
    template = folder / "template"
    originals = write_ct_series(template, slices=INSTANCES, rows=512, columns=512)
    sets = []
    for number in range(count):
        target_folder = folder / f"set{number}"
        target_folder.mkdir()
        sets.append([_renamed(path, number, target_folder) for path in originals])
    shutil.rmtree(template)
    return sets


def _renamed(path: Path, number: int, folder: Path) -> Path:
    """A copy with other SOP and Series Instance UIDs of the same length."""
    data = path.read_bytes()
    for tag, own in ((b"\x08\x00\x18\x00UI", int(path.stem[-4:])), (b"\x20\x00\x0e\x00UI", 0)):
        start = data.index(tag) + 8
        length = int.from_bytes(data[start - 2 : start], "little")
        uid = data[start : start + length].rstrip(b"\0")
        data = data.replace(uid, uid[:-7] + f"{number + 1:03d}{own:04d}".encode())
    copy = folder / path.name
    copy.write_bytes(data)
    return copy


def send(files: list[Path], port: int, associations: int, environment: dict[str, str]) -> float:
    """Send by storescu, one process an association; returns instances/s."""
    command = [program("storescu"), "-aet", "BENCH", "-aec", "VSCANNER", LOOPBACK, str(port)]
    started = time.perf_counter()
    senders = [
        subprocess.Popen(
            [*command, *map(str, files[part::associations])],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        for part in range(associations)
    ]
    codes = [sender.wait() for sender in senders]
    seconds = time.perf_counter() - started
    if any(codes):
        sys.exit(f"storescu failed on port {port}: exit codes {codes}")
    return len(files) / seconds


def write_config(folder: Path, port: int) -> Path:
    """A node with two receivers that knows the sender."""
    content = {
        "node": {"host": LOOPBACK, "port": port, "data_dir": str(folder / "data"), "receivers": 2},
        "peers": [{"name": "bench", "ae_title": "BENCH", "host": LOOPBACK, "port": 104}],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "node.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@contextlib.contextmanager
def ours(folder: Path, name: str, *, admits: bool) -> Iterator[Rival]:
    """Our receivers, with the assembler (which admits to the spool) or without."""
    port = free_port()
    config = write_config(folder, port)
    module = (
        ["-m", "node", "receive", "--config"] if admits else ["-m", "benchmarks.receive", "--serve"]
    )
    command = [sys.executable, *module, str(config)]
    with running(command, folder / "log") as process:
        log = folder / "log"
        wait_until(lambda: log.read_text().count("receiver_ready") == 2, 60, "our receivers")
        yield Rival(name, port, lambda: _held(folder / "data"), process)


def _held(data_dir: Path) -> int:
    names = set()
    for path in [*data_dir.glob("incoming/*.dcm"), *data_dir.glob("spool/*/*/*.dcm")]:
        with contextlib.suppress(FileNotFoundError):
            names.add(path.stat().st_ino)
    return len(names)


@contextlib.contextmanager
def storescp(folder: Path, name: str, *options: str) -> Iterator[Rival]:
    """DCMTK's storescp, which syncs nothing."""
    port = free_port()
    folder.mkdir(parents=True)
    command = [program("storescp"), *options, "-od", str(folder), str(port)]
    with running(command, folder.with_suffix(".log"), env=QUICK) as process:
        wait_until(lambda: listening(port), 30, name)
        yield Rival(name, port, lambda: sum(1 for _ in folder.iterdir()), process)


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[Rival]:
    """Orthanc with synced storage, its index in SQLite as delivered."""
    port, http_port = free_port(), free_port()
    folder.mkdir(parents=True)
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomPort": port,
        "HttpPort": http_port,
        "DicomAlwaysAllowStore": True,
        "SyncStorageArea": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    command = [program("Orthanc"), str(folder / "orthanc.json")]
    with running(command, folder / "log", env=QUICK) as process:
        wait_until(lambda: listening(port) and listening(http_port), 60, "Orthanc")

        def held() -> int:
            answer = requests.get(f"http://{LOOPBACK}:{http_port}/statistics", timeout=30)
            return int(answer.json()["CountInstances"])

        yield Rival("Orthanc, synced storage", port, held, process)


def peak_memory(folder: Path, files: list[Path]) -> float:
    """Highest resident size of a receiver process, MiB, after it took all the files."""
    with ours(folder, "memory", admits=False) as rival:
        send(files, rival.port, 4, QUICK)
        assert rival.held() == len(files)
        children = psutil.Process(rival.process.pid).children()
        return max(_peak(child.pid) for child in children)


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def admission_rate(folder: Path, data_dir: Path) -> float:
    """Instances/s of admission alone, for what the receivers left in `incoming/`."""
    engine = open_database(NodeSettings(data_dir=folder))
    spool = Spool(data_dir, engine)
    started, count = time.perf_counter(), 0
    while admitted := spool.admit_incoming():
        count += admitted
    engine.dispose()
    return count / (time.perf_counter() - started)


def serve(path: Path) -> int:
    """Our receivers alone, without the assembler."""
    service = Service("receive", load_config(path))
    service.parts = [part for part in service.parts if part.name == "receiver"]
    signal.signal(signal.SIGTERM, lambda *_: service.stop())
    service.run()
    return 0


def table(rivals: list[Rival]) -> list[str]:
    """Medians, and their ratio to Orthanc and storescp."""
    lines = [
        "| | 1 association | 4 associations | to Orthanc | to storescp |",
        "|---|---|---|---|---|",
    ]
    by_name = {rival.name: rival for rival in rivals}

    def median(name: str, associations: int) -> float:
        return statistics.median(by_name[name].rates[associations])

    for name in by_name:
        own = {n: median(name, n) for n in ASSOCIATIONS}
        ratios = [
            " / ".join(f"{mine / median(other, n):.2f}" for n, mine in own.items())
            for other in ("Orthanc, synced storage", "storescp")
        ]
        cells = [f"{rate:.0f}/s" for rate in own.values()] + ratios
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def race(rivals: list[Rival], sets: list[list[Path]]) -> None:
    """Send to each in turn, in another order each round."""
    for rival in rivals:
        send(sets[-1][:WARM_UP], rival.port, 1, QUICK)
    for number in range(ROUNDS):
        for which, associations in enumerate(ASSOCIATIONS):
            files = sets[number * len(ASSOCIATIONS) + which]
            for rival in rivals[number:] + rivals[:number]:
                rate = send(files, rival.port, associations, QUICK)
                rival.rates.setdefault(associations, []).append(rate)
                print(f"{rival.name:24} {associations} {rate:6.0f}/s", flush=True)


def check_nothing_lost(rivals: list[Rival]) -> str:
    """What each holds after the race; ours must hold everything that it acknowledged."""
    wanted = ROUNDS * len(ASSOCIATIONS) * INSTANCES + WARM_UP
    held = {rival.name: rival.held() for rival in rivals}
    for name, count in held.items():
        if name.startswith("ours") and count != wanted:
            sys.exit(f"{name} acknowledged {wanted} instances and holds {count}")
    counts = ", ".join(f"{name} {count}" for name, count in held.items())
    return f"Sent {wanted} to each; held afterwards: {counts}."


def untouched_senders(rivals: list[Rival], files: list[Path]) -> str:
    """The rate of a sender with Nagle's algorithm, which waits for our acknowledgements."""
    rates = ", ".join(
        f"{rival.name} {send(files, rival.port, 1, dict(os.environ)):.0f}/s"
        for rival in rivals
        if rival.name in ("ours, receivers", "storescp")
    )
    return f"storescu as Debian ships it (Nagle's algorithm on), 1 association: {rates}."


def memory(folder: Path, files: list[Path]) -> str:
    """Peak memory of a receiver for few and for many instances."""
    peaks = [
        f"{peak_memory(folder / f'm{n}', files[:n]):.0f} MiB for {n}" for n in MEMORY_INSTANCES
    ]
    return f"Peak memory of a receiver process: {', '.join(peaks)} instances (4 associations)."


def measure(folder: Path) -> list[str]:
    """Everything, as lines of Markdown."""
    sets = phantom_sets(folder, ROUNDS * len(ASSOCIATIONS) + 1)
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        rivals = [
            stack.enter_context(ours(folder / "ours", "ours, receivers", admits=False)),
            stack.enter_context(ours(folder / "node", "ours, with admission", admits=True)),
            stack.enter_context(storescp(folder / "scp", "storescp")),
            stack.enter_context(storescp(folder / "fork", "storescp --fork", "--fork")),
            stack.enter_context(orthanc(folder / "orthanc")),
        ]
        race(rivals, sets)
        lines = ["", *table(rivals), "", check_nothing_lost(rivals)]
        lines.append(untouched_senders(rivals, sets[-1][WARM_UP : WARM_UP + 100]))
    rate = admission_rate(folder / "index", folder / "ours" / "data")
    return [
        f"{INSTANCES} CT of 512x512, 16 bit; medians of {ROUNDS}, interleaved; sender storescu, a "
        f"process for each association; {os.cpu_count()} cores, {platform.machine()}, load before "
        f"the start {load:.1f}.",
        *lines,
        f"Admission to the spool and its index alone: {rate:.0f} instances/s.",
        memory(folder, [file for files in sets for file in files]),
        "",
        "Ours and Orthanc sync each file before the response; storescp syncs nothing. "
        "'ours, receivers' and storescp keep files; the other two index them as well.",
    ]


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.serve)
    with tempfile.TemporaryDirectory(prefix="vscanner-bench-") as folder:
        lines = measure(Path(folder))
    print("\n".join(lines))
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("# Receive\n\n" + "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
