"""Asking destinations to hide what a recalled model made: rejection notes (IHE IOCM).

What a note names is what the destination itself says that it holds, so it can be written long
after the node's own files were deleted. A note is written once and kept; asking again sends the
same file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_profiles.rejection_note import (
    STUDY_KEYWORDS,
    RejectedSeries,
    Rejection,
    write_rejection_note,
)
from node.config import Config, PeerSettings
from node.dispatch.associate import associated
from node.dispatch.c_find import FIND, find, identifier
from node.dispatch.errors import DestinationRefuses
from node.dispatch.outgoing import Answer, read_outgoing
from node.dispatch.sender import sender_for
from node.jobs.ledger import Job
from node.working.delivery import Delivery

FOLDER = "rejections"
"""Below the data directory: one folder a job, destination and reason, with the note in it."""


@dataclass(frozen=True)
class Rejector:
    """Sends rejection notes for the derived series of jobs.

    Attributes:
        config: knows the peers and who we are.
        delivery: knows where a job's series went.
    """

    config: Config
    delivery: Delivery

    def reject(self, job: Job, reason: str, created: datetime) -> dict[str, str]:
        """Send a note about a job to each of its destinations.

        Args:
            job: whose derived series are to be hidden.
            reason: a key of `dicom_profiles.rejection_note.REASONS`.
            created: now; a note that was written before keeps its own time.

        Returns:
            Destination to the SOP Instance UID of its note; "" where it holds nothing of the job.

        Raises:
            DestinationUnavailable: a destination cannot be asked or told now.
            DestinationRefuses: it does not take the note, or cannot be asked what it holds.
        """
        return {
            name: self._reject_at(self.delivery.peer(job, name), job, reason, created)
            for name in self.delivery.destinations(job)
        }

    def _reject_at(self, peer: PeerSettings, job: Job, reason: str, created: datetime) -> str:
        folder = self.config.node.data_dir / FOLDER / job.id / f"{peer.name}-{reason}"
        path = next(iter(sorted(folder.glob("*.dcm"))), None)
        if path is None:
            study, rejected = held(peer, self.config, job)
            if not rejected:
                return ""
            rejection = Rejection(reason, sentence(job), created, self.config.node.ae_title)
            path = write_rejection_note(study, rejected, rejection, folder)
        self._send(path, peer)
        return path.stem

    def _send(self, path: Path, peer: PeerSettings) -> None:
        answers: list[Answer] = []
        send = sender_for(peer)
        timeout_s = self.config.jobs.answer_timeout_s
        send([read_outgoing(path)], peer, self.config.node.ae_title, timeout_s, answers.append)


def sentence(job: Job) -> str:
    """What the note says to people; no patient's attribute."""
    return f"The model {job.model} was recalled: synthetic series of job {job.id} are rejected."


def held(peer: PeerSettings, config: Config, job: Job) -> tuple[Dataset, list[RejectedSeries]]:
    """The study as the destination knows it, and which of the job's instances it holds.

    Raises:
        DestinationRefuses: it does not answer C-FIND requests.
        DestinationUnavailable: it cannot be asked now.
    """
    if not peer.query:
        raise DestinationRefuses(
            f"{peer.name} has to be asked by C-FIND what it holds of job {job.id}, "
            "and is not to be asked (`query: false`)."
        )
    study = {"StudyInstanceUID": job.study_instance_uid}
    with associated(peer, config, [FIND]) as association:
        asked = identifier("STUDY", **{**dict.fromkeys(STUDY_KEYWORDS), **study})
        studies = find(association, asked, peer)
        if not studies:
            return Dataset(), []
        rejected = []
        for uid in job.derived_series:
            keys = {**study, "SeriesInstanceUID": uid, "SOPInstanceUID": None, "SOPClassUID": None}
            images = find(association, identifier("IMAGE", **keys), peer)
            pairs = tuple((str(one.SOPClassUID), str(one.SOPInstanceUID)) for one in images)
            if pairs:
                rejected.append(RejectedSeries(uid, pairs))
        return studies[0], rejected
