"""A node's data for the web tests: made through the real spool, assembler, ledger and writers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import sqlalchemy as sa
from scipy.ndimage import gaussian_filter

from dicom_profiles.ct_denoised import write_denoised_ct
from dicom_profiles.equipment import ModelIdentity
from dicom_profiles.provenance import Derivation
from dicom_profiles.reading import open_series
from dicom_profiles.writers import writer_for
from node.assembler import Assembler
from node.config import Config, NodeSettings, PeerSettings, RouteSettings, WebSettings
from node.database.tables import deliveries, executors, open_database, series
from node.jobs.ledger import Job, JobLedger
from node.spool import ReceivedFacts, Spool
from tests.node.spooled import series_paths
from tests.servers import free_port

CLOCK_AHEAD = timedelta(hours=1)  # of the assembler, so that every series is complete at once


def make_config(data_dir: Path, **web: Any) -> Config:
    return Config(
        node=NodeSettings(
            data_dir=data_dir, port=free_port(), host="127.0.0.1", min_free_bytes=1_000_000
        ),
        web=WebSettings(port=free_port(), **web),
        peers=(
            PeerSettings(name="pacs", ae_title="PACS", host="127.0.0.1", port=4242, query=False),
        ),
        routes=(
            RouteSettings(
                name="low-dose chest",
                pipeline="ldct_denoise",
                when={"Modality": "CT", "SeriesDescription": {"matches": "(?i)low.?dose"}},
                send_to=("pacs",),
            ),
        ),
    )


def derivation_of(pipeline: str) -> Derivation:
    """Of a job that went well."""
    return Derivation(
        model=ModelIdentity(pipeline, "1.0.0", "0" * 64, True),
        parameters={"strength": 1.0},
        record={},
        qc_verdict="GREEN",
        input_distance=1.3,
        created=datetime.now(UTC),
        ae_title="VSCANNER",
    )


class World:
    """The data directory and database of a node without its processes."""

    def __init__(self, data_dir: Path, **web: Any) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.config = make_config(data_dir, **web)
        self.database = open_database(self.config.node)
        self.spool = Spool(data_dir, self.database)
        self.ledger = JobLedger(self.database)

    def close(self) -> None:
        self.database.dispose()

    def receive(self, paths: Sequence[Path], source_ae: str = "PACS", admit: bool = True) -> str:
        """As if sent by C-STORE; returns the Series Instance UID."""
        uid = ""
        for path in paths:
            data = path.read_bytes()
            meta = pydicom.dcmread(path, stop_before_pixels=True).file_meta
            start = 144 + meta.FileMetaInformationGroupLength
            facts = ReceivedFacts(
                meta.MediaStorageSOPClassUID,
                meta.MediaStorageSOPInstanceUID,
                meta.TransferSyntaxUID,
                source_ae,
                self.config.node.ae_title,
                "a1",
            )
            uid = self.spool.receive(data[start:], facts).series_instance_uid
        while admit and self.spool.admit_incoming():
            pass
        return uid

    def assemble(self) -> None:
        """Everything received so far is complete; the rules are asked, jobs are made."""
        assembler = Assembler(self.config, self.database, lambda: datetime.now(UTC) + CLOCK_AHEAD)
        for _ in range(50):
            assembler.look()
            if not set(self.series_states().values()) & {"RECEIVING", "COMPLETE"}:
                break
        assembler.close()

    def series_states(self) -> dict[str, str]:
        columns = (series.c.series_instance_uid, series.c.state)
        with self.database.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(sa.select(*columns))}

    def job_of(self, series_uid: str) -> Job:
        return next(job for job in self.ledger.list() if series_uid in job.source_series)

    def start(self, job: Job, step: str = "translate", progress: float = 0.43) -> None:
        self.ledger.update(
            job.id,
            state="RUNNING",
            step=step,
            progress=progress,
            attempts=1,
            started=datetime.now(UTC),
            timings={"gate": 0.04},
        )

    def write_result(self, job: Job, sigma: float = 1.0) -> list[str]:
        """A derived series by the real writer; the pixels are a Gaussian's, not a model's."""
        source = open_series(series_paths(self.spool, job.source_series[0]))
        smoothed = (smooth(hu, sigma) for hu in source.slices())
        derived = write_denoised_ct(
            source, smoothed, derivation_of("ldct_denoise"), self.derived_folder(job)
        )
        self.ledger.update(job.id, derived_series=[derived.series_instance_uid])
        return list(derived.sop_instance_uids)

    def write_pet(self, job: Job, suv: Sequence[float]) -> None:
        """A PET by the real writer; every slice, from the feet on, has one value."""
        source = open_series(series_paths(self.spool, job.source_series[0]))
        slices = (np.full(source.shape[1:], value, np.float32) for value in suv)
        districts = {"districts": np.ones(source.shape, np.uint8)}
        write = writer_for("ct_to_pet")
        write(
            {"CT": source}, slices, districts, derivation_of("ct_to_pet"), self.derived_folder(job)
        )

    def derived_folder(self, job: Job) -> Path:
        return self.config.node.data_dir / "jobs" / job.id / "derived"

    def finish(self, job: Job, state: str = "COMMITTED", verdict: str = "GREEN") -> None:
        """Make the result of a job and bring it to a state after writing."""
        self.start(job)
        uids = self.write_result(job)
        self.ledger.update(job.id, qc=quality(verdict, len(uids)), timings=TIMINGS)
        if state == "HELD":
            reason = "The result is held: bone moved by 31 HU on average, 10 are usual."
            self.ledger.update(job.id, state="HELD", step="check", reason=reason)
            return
        self.ledger.update(job.id, state="WRITTEN", step="dispatch")
        for after in ("SENT", "COMMITTED")[: 1 + (state == "COMMITTED")]:
            self.deliver(job, uids, after)
            self.ledger.update(job.id, state=after, step="commitment")

    def deliver(self, job: Job, uids: Sequence[str], status: str) -> None:
        rows = [
            {
                "job_id": job.id,
                "destination": "pacs",
                "sop_instance_uid": uid,
                "status": status,
                "status_code": 0,
                "updated": datetime.now(UTC),
            }
            for uid in uids
        ]
        with self.database.begin() as connection:
            connection.execute(sa.delete(deliveries).where(deliveries.c.job_id == job.id))
            connection.execute(sa.insert(deliveries), rows)

    def beat(self, age_s: float = 0.0, name: str = "worker-1") -> None:
        now = datetime.now(UTC)
        row = {
            "executor_id": name,
            "host": "here",
            "pid": os.getpid(),
            "started": now,
            "heartbeat": now - timedelta(seconds=age_s),
        }
        with self.database.begin() as connection:
            connection.execute(sa.delete(executors).where(executors.c.executor_id == name))
            connection.execute(sa.insert(executors).values(row))


TIMINGS = {
    "gate": 0.04,
    "translate": 21.7,
    "write": 0.61,
    "check": 0.12,
    "dispatch": 0.48,
    "commitment": 0.9,
}


def smooth(hu: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    smoothed: npt.NDArray[np.float32] = gaussian_filter(hu, sigma).astype(np.float32)
    return smoothed


def quality(verdict: str, slices: int) -> dict[str, Any]:
    reasons = [] if verdict == "GREEN" else ["Bone moved by 31 HU on average, 10 are usual."]
    return {
        "verdict": verdict,
        "reasons": reasons,
        "input_distance": 1.34,
        "measurements": {
            "amber_input_distance": 3.4,
            "red_input_distance": 5.0,
            "noise_before_hu": 38.2,
            "noise_after_hu": 14.9,
            "shift_bone_hu": -0.4,
        },
        "parameters": {"strength": 1.0},
        "model": {"name": "ldct_denoise", "version": "1.0.0"},
        "engine": {
            "name": "openvino",
            "device": "cpu",
            "hardware": "AMD EPYC",
            "precision": "fp32",
        },
        "slices": slices,
    }
