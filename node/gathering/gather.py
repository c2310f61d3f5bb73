"""Study by study: fetched aside, decided, de-identified, kept, and what was fetched is deleted.

A study is whole or not in the set: `dataset.json` is written after each, and names what counts.
Gathering again goes on where it was: the names of what is kept depend on salt and source only.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from dicom_profiles.deidentification.data_set import (
    FILE_NAME,
    DataSet,
    KeptSeries,
    digest_of,
    read_data_set,
    write_data_set,
)
from dicom_profiles.deidentification.image import METHOD, deidentified, encoded
from dicom_profiles.deidentification.pseudonyms import Pseudonyms
from dicom_profiles.encoding.part10 import PART_SUFFIX, FolderWriter
from dicom_profiles.errors import ProfileError
from dicom_profiles.sources.readable import leave_out_unreadable
from node.gathering.archive import Archive, Question
from node.gathering.errors import GatherError
from node.gathering.wanted import Chosen, Wanted, choose

log = logging.getLogger(__name__)

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Places:
    """Where things are while images are gathered.

    Attributes:
        data_set: the set that grows.
        aside: folder for fetched, identified images; emptied before and after.
    """

    data_set: Path
    aside: Path


class Gathering:
    """Fills a data set from an archive.

    Args:
        archive: that is asked.
        wanted: what is looked for.
        pseudonyms: by the site's salt.
        places: where things are.

    Raises:
        GatherError: the folder holds a set of another pipeline.
    """

    def __init__(
        self, archive: Archive, wanted: Wanted, pseudonyms: Pseudonyms, places: Places
    ) -> None:
        self._archive, self._wanted, self._pseudonyms = archive, wanted, pseudonyms
        self._places = places
        self._left_out: Counter[str] = Counter()
        self.data_set = DataSet(wanted.pipeline, (), {}, METHOD)
        if (places.data_set / FILE_NAME).exists():
            self.data_set = read_data_set(places.data_set)
        if self.data_set.pipeline != wanted.pipeline:
            raise GatherError(
                f"The data set in {places.data_set} is one for {self.data_set.pipeline}, "
                f"{wanted.pipeline} is to be trained; name another folder."
            )

    def gather(self, question: Question, limit: int, tell: Tell) -> DataSet:
        """Look at the studies of the archive until enough were kept.

        Args:
            question: which studies.
            limit: studies to keep; 0 for all.
            tell: gets a sentence after each study.

        Raises:
            GatherError: the archive does not answer, or another process gathers here.
        """
        self._places.data_set.mkdir(parents=True, exist_ok=True)
        write_data_set(self.data_set, self._places.data_set)
        kept = stale = 0
        with self._alone():
            for number, study in enumerate(self._archive.studies(question), 1):
                series = list(self._of_study(study))
                stale += self._only_before(study, series)
                self.data_set = self.data_set.joined(series, self._left_out)
                write_data_set(self.data_set, self._places.data_set)
                kept += bool(series)
                tell(f"study {number}: {len(series)} series kept; {kept} studies so far")
                if limit and kept >= limit:
                    break
        if stale:
            tell(
                f"{stale} series that were kept before would not be kept now, and stay in the set; "
                "to be without them, gather into another folder"
            )
        return self.data_set

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Have the folder for fetched images to ourselves; it is gone afterwards.

        Raises:
            GatherError: another process gathers there, and would mix its patients with ours.
        """
        aside = self._places.aside
        aside.parent.mkdir(parents=True, exist_ok=True)
        with aside.with_name(f"{aside.name}.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise GatherError(
                    f"Another process gathers in {aside}; wait until it has ended."
                ) from error
            try:
                yield
            finally:
                shutil.rmtree(aside, ignore_errors=True)

    def _of_study(self, study: str) -> Iterator[KeptSeries]:
        """Fetch and keep what is wanted of a study."""
        every = self._archive.series(study)
        candidates = [one for one in every if self._wanted.worth_fetching(one.summary)]
        self._leave_out("The archive's index speaks against it.", len(every) - len(candidates))
        shutil.rmtree(self._places.aside, ignore_errors=True)
        count = 0
        for number, series in enumerate(candidates):
            folder = self._places.aside / str(number)
            folder.mkdir(parents=True, mode=0o700)
            count += self._archive.fetch(series, folder)
        if not count:
            return
        chosen, reasons = choose(self._wanted, self._places.aside)
        for reason in reasons:
            self._leave_out(reason, 1)
        for one in chosen:
            try:
                yield self._keep(one)
            except ProfileError as error:
                self._leave_out(str(error), 1)
        log.info(
            "a study was looked at: %d instances fetched, %d stacks wanted",
            count,
            len(chosen),
            extra={"action": "study_gathered", "study": study},
        )

    def _only_before(self, study: str, series: Sequence[KeptSeries]) -> int:
        """How many series of a study the set has from before, and not from now."""
        uid, now = self._pseudonyms.uid(study), {one.folder for one in series}
        return sum(
            one.study_instance_uid == uid and one.folder not in now for one in self.data_set.series
        )

    def _keep(self, chosen: Chosen) -> KeptSeries:
        """De-identify every instance of a stack; what was kept of it before is there until then.

        Raises:
            ProfileError: one of them cannot be kept, so none is.
        """
        first = self._deidentified(chosen, 0)
        folder = Path(
            str(first.PatientID),
            str(first.StudyInstanceUID),
            str(first.SeriesInstanceUID),
            chosen.role if chosen.number == 1 else f"{chosen.role}-{chosen.number}",
        )
        whole = self._places.data_set / folder
        part = whole.with_name(f"{whole.name}{PART_SUFFIX}")
        shutil.rmtree(part, ignore_errors=True)
        try:
            with FolderWriter(part) as writer:
                for index in range(len(chosen.instances)):
                    ds = self._deidentified(chosen, index)
                    writer.write(f"{ds.SOPInstanceUID}.dcm", encoded(ds))
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        shutil.rmtree(whole, ignore_errors=True)
        part.rename(whole)
        return self._row(chosen, first, folder)

    def _row(self, chosen: Chosen, first: Dataset, folder: Path) -> KeptSeries:
        """What `dataset.json` says about a stack that was kept."""
        return KeptSeries(
            patient=str(first.PatientID),
            split=self._pseudonyms.split(str(chosen.instances[0].header.PatientID)),
            study_instance_uid=str(first.StudyInstanceUID),
            series_instance_uid=str(first.SeriesInstanceUID),
            role=chosen.role,
            modality=str(first.Modality),
            instances=len(chosen.instances),
            sha256=digest_of(list((self._places.data_set / folder).glob("*.dcm"))),
            folder=folder.as_posix(),
        )

    def _deidentified(self, chosen: Chosen, index: int) -> Dataset:
        ds = pydicom.dcmread(chosen.instances[index].path)
        leave_out_unreadable(ds)
        return deidentified(ds, self._pseudonyms)

    def _leave_out(self, reason: str, count: int) -> None:
        if count:
            self._left_out[reason] += count
