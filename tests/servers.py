"""Real servers for the tests: Orthanc, DCMTK and PostgreSQL on loopback, started and ended here.

`VSCANNER_REQUIRE_PARTS=1` (set by `make test`) turns a missing part from a skip into a failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
import requests

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 60.0
PORTS = range(20_000, 32_000)
KEPT_CLAIMS = 500
_CLAIMS: deque[socket.socket] = deque()
"""On the ports given last; older ones are in use by now, or no longer wanted."""


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on, and that is given to no one else.

    None of those that the system gives to outgoing connections: one of them could take it before
    the server does that it is meant for. Nor may a test that runs beside this one be given it: the
    UDP port of the same number is held meanwhile, and TCP does not mind.
    """
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as probe, contextlib.suppress(OSError):
            claim.bind((LOOPBACK, port))
            probe.bind((LOOPBACK, port))
            _CLAIMS.append(claim)
            if len(_CLAIMS) > KEPT_CLAIMS:
                _CLAIMS.popleft().close()
            return port
        claim.close()
    raise OSError(f"no free port from {PORTS.start} to {PORTS.stop - 1}")


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0, what: str = "") -> None:
    """Wait until the condition holds; fail with `what` after the time-out."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_s} s for {what or condition}")
        time.sleep(0.05)


def listening(port: int) -> bool:
    """Whether somebody accepts connections on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def program(name: str, *folders: str) -> str:
    """Path of a real part's program; skips (or fails, see above) where it is missing."""
    path = shutil.which(name, path=":".join([*folders, "/usr/bin", "/usr/sbin"]))
    if path is None:
        missing_part(name)
    return path


def missing_part(name: str) -> NoReturn:
    """Skip, or fail where every part is required."""
    if os.environ.get("VSCANNER_REQUIRE_PARTS") == "1":
        pytest.fail(f"{name} is missing and VSCANNER_REQUIRE_PARTS=1: `make parts` installs it")
    pytest.skip(f"{name} is not installed (`make parts` installs it)")


@contextlib.contextmanager
def running(command: list[str], log: Path, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output in `log`, and end it (only it) afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            **options,  # type: ignore[call-overload]
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class OrthancServer:
    """A real Orthanc on loopback that knows one modality: us."""

    ae_title: str
    dicom_port: int
    http_port: int
    our_ae_title: str
    our_port: int
    folder: Path

    @property
    def url(self) -> str:
        """Root of the REST API."""
        return f"http://{LOOPBACK}:{self.http_port}"

    @property
    def dicomweb(self) -> str:
        """Root of the DICOMweb services."""
        return f"{self.url}/dicom-web"

    def get(self, path: str, **parameters: str) -> Any:
        """GET on the REST API, as JSON."""
        answer = requests.get(self.url + path, params=parameters, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def series_uids(self) -> set[str]:
        """Series Instance UIDs that it holds."""
        items = self.get("/series", expand="")
        return {item["MainDicomTags"]["SeriesInstanceUID"] for item in items}

    def instances_of(self, series_uid: str) -> list[str]:
        """Orthanc ids of the instances of a series."""
        query = {"Level": "Instance", "Query": {"SeriesInstanceUID": series_uid}}
        answer = requests.post(self.url + "/tools/find", json=query, timeout=30)
        answer.raise_for_status()
        return list(answer.json())

    def file(self, orthanc_id: str) -> bytes:
        """The Part 10 file of an instance."""
        answer = requests.get(f"{self.url}/instances/{orthanc_id}/file", timeout=30)
        answer.raise_for_status()
        return answer.content

    def upload(self, path: Path) -> None:
        """POST one DICOM file."""
        requests.post(
            self.url + "/instances", data=path.read_bytes(), timeout=30
        ).raise_for_status()

    def send_series(self, series_uid: str) -> None:
        """C-STORE a series from this PACS to us, as a technologist would."""
        ids = [
            item["ID"]
            for item in self.get("/series", expand="")
            if item["MainDicomTags"]["SeriesInstanceUID"] == series_uid
        ]
        answer = requests.post(
            self.url + "/modalities/vscanner/store", json={"Resources": ids}, timeout=120
        )
        answer.raise_for_status()


def orthanc_settings(server: OrthancServer) -> dict[str, object]:
    """Configuration of a strict Orthanc with DICOMweb and durable storage."""
    plugins = [str(p) for p in Path("/usr/share/orthanc/plugins").glob("libOrthancDicomWeb.so*")]
    return {
        "Name": "tests",
        "StorageDirectory": str(server.folder / "storage"),
        "IndexDirectory": str(server.folder / "storage"),
        "DicomAet": server.ae_title,
        "DicomPort": server.dicom_port,
        "HttpPort": server.http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "SyncStorageArea": True,
        "DicomServerEnabled": True,
        "UnknownSopClassAccepted": True,
        "StableAge": 1,
        "Plugins": plugins[:1],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "DicomModalities": {
            "vscanner": {
                "AET": server.our_ae_title,
                "Host": LOOPBACK,
                "Port": server.our_port,
                "AllowStorageCommitment": True,
            }
        },
    }


def certificate(folder: Path, name: str) -> dict[str, str]:
    """A self-signed certificate and its key, made by OpenSSL: paths."""
    file, key = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(file)]
    subprocess.run([program("openssl"), *kind, *names], check=True, capture_output=True)
    return {"certificate": str(file), "key": str(key)}


@contextlib.contextmanager
def run_orthanc(
    folder: Path,
    our_ae_title: str = "VSCANNER",
    our_port: int | None = None,
    **changes: object,
) -> Iterator[OrthancServer]:
    """Start Orthanc in `folder`; `our_port` is where it finds us, `changes` are of its settings."""
    binary = program("Orthanc")
    folder.mkdir(parents=True, exist_ok=True)
    server = OrthancServer(
        "ORTHANC", free_port(), free_port(), our_ae_title, our_port or free_port(), folder
    )
    settings = folder / "orthanc.json"
    settings.write_text(json.dumps({**orthanc_settings(server), **changes}))
    environment = {**os.environ, "TCP_NODELAY": "1"}  # else 40 ms an instance are lost to Nagle
    with running([binary, str(settings)], folder / "orthanc.log", env=environment) as process:
        wait_until(
            lambda: (
                process.poll() is not None
                or (listening(server.http_port) and listening(server.dicom_port))
            ),
            START_TIMEOUT_S,
            "Orthanc to start",
        )
        assert process.poll() is None, (folder / "orthanc.log").read_text()[-2000:]
        yield server


@contextlib.contextmanager
def run_postgresql() -> Iterator[str]:
    """Start a fresh PostgreSQL server; gives its URL (postgresql://…).

    Its folder is not one of pytest's: another run of pytest that begins at this moment closes those
    to every other user, and PostgreSQL does not run as root.
    """
    with (
        tempfile.TemporaryDirectory(prefix="postgresql-") as folder,
        _postgresql(Path(folder)) as url,
    ):
        yield url


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    bins = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [Path("/usr/bin")]
    binary = bins[-1]
    initdb, postgres = program("initdb", str(binary)), program("postgres", str(binary))
    as_user: dict[str, object] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    data, port = folder / "data", free_port()
    subprocess.run(
        [initdb, "-D", str(data), "-U", "vscanner", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_user,  # type: ignore[call-overload]
    )
    command = [postgres, "-D", str(data), "-h", LOOPBACK, "-p", str(port), "-k", str(data)]
    with running(command, folder / "postgres.log", cwd=folder, **as_user):
        url = f"postgresql://vscanner@{LOOPBACK}:{port}/postgres"
        wait_until(lambda: _answers(url), START_TIMEOUT_S, "PostgreSQL to start")
        yield url


@contextlib.contextmanager
def stopped_postgresql(url: str) -> Iterator[None]:
    """The server is there, takes connections and says nothing, as long as the block runs."""
    import psycopg

    with psycopg.connect(url) as connection:
        server = psutil.Process(connection.info.backend_pid).parent()
    assert server is not None
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # a connection that has just ended
                process.resume()


def _answers(url: str) -> bool:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False
