"""The demonstration PACS: Orthanc where it is installed, else pynetdicom's `qrscp`.

Both listen on loopback only, start empty, and send the study to the node by C-STORE as a
technologist would: Orthanc by its "send to modality", `qrscp` by answering a C-MOVE.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pydicom
import requests
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.dul import DULServiceProvider

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 60.0
STUDY_ROOT_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")  # PS3.4 C.6.2.1
STUDY_ROOT_MOVE = UID("1.2.840.10008.5.1.4.1.2.2.2")
PACS_KINDS = ("orthanc", "qrscp")
PENDING = (0xFF00, 0xFF01)  # PS3.4 C.4.1.1.4


class DemoError(RuntimeError):
    """The demonstration cannot go on; the sentence says why."""


class PACS(Protocol):
    """What the demonstration asks of a PACS."""

    name: str
    ae_title: str
    dicom_port: int

    @property
    def orthanc_url(self) -> str | None:
        """Root of its REST API, when it is an Orthanc."""

    def start(self, node_ae_title: str, node_port: int) -> None:
        """Start it; it will know the node under that AE title and port."""

    def load(self, paths: list[Path]) -> None:
        """Put the sample into the PACS."""

    def send(self, study_uid: str, node_ae_title: str) -> None:
        """Send the study to the node by C-STORE."""

    def count(self, study_uid: str, series_uid: str) -> int:
        """How many instances of the series the PACS holds."""

    def stop(self) -> None:
        """End it."""


def choose_pacs(folder: Path, kind: str | None = None) -> PACS:
    """The PACS of that kind; without one, Orthanc where it is installed, else `qrscp`.

    Raises:
        DemoError: Orthanc was asked for and is not installed.
    """
    binary = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if kind == "orthanc" and binary is None:
        raise DemoError("Orthanc is not installed; `make parts` installs it, or leave --pacs out.")
    if kind == "qrscp" or binary is None:
        return QueryRetrievePACS(folder)
    return OrthancPACS(folder, binary)


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the process listens on the port.

    Raises:
        DemoError: it ended, or did not listen in time.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(0.1)
    raise DemoError(f"{process.args!r} did not start; its log is {log}.")


@dataclass
class OrthancPACS:
    """A strict Orthanc (1.10 or later) that knows only the node."""

    folder: Path
    binary: str
    name: str = "Orthanc"
    ae_title: str = "ORTHANC"
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def orthanc_url(self) -> str | None:
        """Root of its REST API and of its own web pages."""
        return f"http://{LOOPBACK}:{self.http_port}"

    def start(self, node_ae_title: str, node_port: int) -> None:
        """Start with the configuration of `orthanc_config/`, on free ports."""
        self.folder.mkdir(parents=True, exist_ok=True)
        template = Path(__file__).parents[1] / "orthanc_config" / "orthanc.json"
        settings = json.loads(template.read_text())
        settings |= {
            "StorageDirectory": str(self.folder),
            "IndexDirectory": str(self.folder),
            "DicomPort": self.dicom_port,
            "HttpPort": self.http_port,
            "HttpServerEnabled": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "RegisteredUsers": {},
            "Plugins": [
                str(p) for p in Path("/usr/share/orthanc/plugins").glob("libOrthancDicomWeb.so")
            ],
        }
        settings["DicomModalities"]["vscanner"] |= {
            "AET": node_ae_title,
            "Host": LOOPBACK,
            "Port": node_port,
        }
        (self.folder / "orthanc.json").write_text(json.dumps(settings, indent=2))
        log = self.folder / "orthanc.log"
        # Without TCP_NODELAY Debian's Orthanc waits 40 ms an instance (Nagle).
        environment = {**os.environ, "TCP_NODELAY": "1"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [self.binary, str(self.folder / "orthanc.json")],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the demonstration, which then stops it
            )
        await_port(self.http_port, self.process, log)
        await_port(self.dicom_port, self.process, log)

    def load(self, paths: list[Path]) -> None:
        """Upload by REST."""
        for path in paths:
            url = f"{self.orthanc_url}/instances"
            requests.post(url, data=path.read_bytes(), timeout=60).raise_for_status()

    def send(self, study_uid: str, node_ae_title: str) -> None:
        """C-STORE of the whole study to the modality `vscanner`."""
        answer = requests.post(
            f"{self.orthanc_url}/modalities/vscanner/store",
            json={"Resources": self._find("Study", {"StudyInstanceUID": study_uid})},
            timeout=300,
        )
        if not answer.ok:
            raise DemoError(f"Orthanc could not send the study to the node: {answer.text[:300]}")

    def count(self, study_uid: str, series_uid: str) -> int:
        """Instances of the series in its database."""
        query = {"StudyInstanceUID": study_uid, "SeriesInstanceUID": series_uid}
        return len(self._find("Instance", query))

    def _find(self, level: str, query: dict[str, str]) -> list[str]:
        answer = requests.post(
            f"{self.orthanc_url}/tools/find", json={"Level": level, "Query": query}, timeout=60
        )
        answer.raise_for_status()
        return [str(item) for item in answer.json()]

    def stop(self) -> None:
        """End it."""
        stop_process(self.process)


@dataclass
class QueryRetrievePACS:
    """pynetdicom's `qrscp`: C-STORE, C-FIND, C-MOVE on a folder and SQLite."""

    folder: Path
    name: str = "qrscp (pynetdicom)"
    ae_title: str = "DEMOPACS"
    dicom_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def orthanc_url(self) -> str | None:
        """It has no REST API."""
        return None

    def start(self, node_ae_title: str, node_port: int) -> None:
        """Start it with the node as its only move destination."""
        (self.folder / "instances").mkdir(parents=True, exist_ok=True)
        (self.folder / "qrscp.ini").write_text(
            f"[DEFAULT]\nae_title: {self.ae_title}\nport: {self.dicom_port}\n"
            f"bind_address: {LOOPBACK}\nmax_pdu: 131072\nacse_timeout: 30\ndimse_timeout: 60\n"
            f"network_timeout: 60\ninstance_location: {self.folder / 'instances'}\n"
            f"database_location: {self.folder / 'instances.sqlite'}\nlog_identifier: False\n"
            f"[{node_ae_title}]\naddress: {LOOPBACK}\nport: {node_port}\n"
        )
        log = self.folder / "qrscp.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pynetdicom", "qrscp", "-c", "qrscp.ini"],
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        await_port(self.dicom_port, self.process, log)

    def load(self, paths: list[Path]) -> None:
        """C-STORE into it."""
        ae = AE("DEMOLOADER")
        metas = [pydicom.dcmread(path, stop_before_pixels=True).file_meta for path in paths]
        for sop_class in {meta.MediaStorageSOPClassUID for meta in metas}:
            ae.add_requested_context(sop_class, sorted({m.TransferSyntaxUID for m in metas}))
        with self._associated(ae) as association:
            for path in paths:
                status = association.send_c_store(path)
                if status.get("Status") != 0x0000:
                    raise DemoError(f"qrscp did not take {path.name}: {status}")

    def send(self, study_uid: str, node_ae_title: str) -> None:
        """Ask it by C-MOVE to C-STORE the study to the node."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "STUDY"
        identifier.StudyInstanceUID = study_uid
        ae = AE("DEMOMOVER")
        ae.add_requested_context(STUDY_ROOT_MOVE)
        with self._associated(ae) as association:
            answers = list(association.send_c_move(identifier, node_ae_title, STUDY_ROOT_MOVE))
        final = answers[-1][0].get("Status") if answers else None
        if final != 0x0000:
            raise DemoError(f"qrscp could not send the study to the node, C-MOVE status {final}.")

    def count(self, study_uid: str, series_uid: str) -> int:
        """Instances of the series, by C-FIND at the IMAGE level."""
        return sum(1 for _ in self._find(study_uid, series_uid))

    def _find(self, study_uid: str, series_uid: str) -> Iterator[Dataset]:
        identifier = Dataset()
        identifier.QueryRetrieveLevel = "IMAGE"
        identifier.StudyInstanceUID, identifier.SeriesInstanceUID = study_uid, series_uid
        identifier.SOPInstanceUID = ""
        ae = AE("DEMOFINDER")
        ae.add_requested_context(STUDY_ROOT_FIND)
        with self._associated(ae) as association:
            for status, answer in association.send_c_find(identifier, STUDY_ROOT_FIND):
                if status.get("Status") in PENDING and answer is not None:
                    yield answer

    @contextmanager
    def _associated(self, ae: AE) -> Iterator[Association]:
        """An association that is gone afterwards, also after Ctrl-C: its threads would keep us."""
        try:
            association = ae.associate(LOOPBACK, self.dicom_port, ae_title=self.ae_title)
            if not association.is_established:
                raise DemoError(f"qrscp did not accept the association of {ae.ae_title}.")
            yield association
            association.release()
        finally:
            ae.shutdown()
            for thread in threading.enumerate():  # alone after a Ctrl-C within the negotiation
                if isinstance(thread, DULServiceProvider) and thread.assoc.ae is ae:
                    thread.kill_dul()

    def stop(self) -> None:
        """End it."""
        stop_process(self.process)


def stop_process(process: subprocess.Popen[bytes] | None, grace_s: float = 20.0) -> None:
    """End a process that we started: first politely, then surely."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
