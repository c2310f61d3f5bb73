"""What `vscanner train NAME --from PEER` does before it trains."""

from __future__ import annotations

import argparse
import re

from rich.console import Console

from dicom_profiles.deidentification.data_set import DataSet
from dicom_profiles.deidentification.pseudonyms import kept_salt
from node.config import Config, PeerSettings
from node.config_file import load_config
from node.errors import CommandError
from node.gathering.archive import Archive, Question
from node.gathering.dicomweb_archive import DicomWebArchive
from node.gathering.dimse_archive import DimseArchive
from node.gathering.gather import Gathering, Places
from node.gathering.wanted import wanted_for

SALT_FILE = "training.salt"
ASIDE = "gathering"
"""Below `node.data_dir`: the site's salt, and fetched images until they are de-identified."""

DATES = re.compile(r"(\d{8}(-(\d{8})?)?|-\d{8})?")
"""Of days and ranges of them (PS3.4 C.2.2.2.5.1); nothing stands for all."""


def gather(pipeline: str, asked: argparse.Namespace) -> DataSet:
    """Gather a data set as the command line asks for, and say what is in it.

    Args:
        pipeline: that is to be trained.
        asked: the options of `vscanner train`.

    Raises:
        CommandError: no such peer, or an option that cannot be understood.
        GatherError: the archive does not answer, or the folder holds another set.
    """
    if not DATES.fullmatch(asked.dates):
        raise CommandError(
            "--dates takes a day or a range, as 20250101, 20250101- or 20250101-20251231; "
            f"got {asked.dates!r}."
        )
    config = load_config(asked.config)
    peer = config.peer_by_name(asked.peer)
    if peer is None:
        known = ", ".join(one.name for one in config.peers) or "none"
        raise CommandError(f"--from takes the name of a peer, got {asked.peer!r}; known: {known}.")
    console = Console(highlight=False, stderr=True)
    wanted = wanted_for(pipeline, config, asked.also, unpaired=asked.unpaired)
    archive = archive_of(peer, config, asked.by)
    pseudonyms = kept_salt(asked.salt or config.node.data_dir / SALT_FILE)
    places = Places(asked.data, config.node.data_dir / ASIDE)
    console.print(f"finding by {archive.finds_by}, fetching by {archive.fetches_by}")
    modalities = () if asked.unpaired else wanted.modalities()
    gathering = Gathering(archive, wanted, pseudonyms, places)
    data_set = gathering.gather(Question(asked.dates, modalities), asked.studies, console.print)
    for sentence in summary(data_set):
        console.print(sentence, markup=False)
    if not data_set.series:
        raise CommandError("Nothing was kept: no series of the archive is one to learn from.")
    return data_set


def archive_of(peer: PeerSettings, config: Config, by: str) -> Archive:
    """The way to ask a peer.

    Raises:
        CommandError: DICOMweb is asked for and the peer has no address for it.
    """
    if by == "dicomweb" and not peer.dicomweb:
        raise CommandError(
            f"{peer.name} has no `dicomweb` in the configuration; add it, or take --by dimse."
        )
    if by == "dimse" or not peer.dicomweb:
        return DimseArchive(peer, config)
    return DicomWebArchive(peer, config)


def summary(data_set: DataSet) -> list[str]:
    """What is in a set, for people: counts only."""
    kept = [
        f"{split}: {counts['patients']} patients, {counts['series']} series, "
        f"{counts['instances']} images"
        for split, counts in data_set.counts().items()
    ]
    left = [f"left out {count}: {reason}" for reason, count in sorted(data_set.left_out.items())]
    return [*kept, *left, f"digest of the data set: {data_set.sha256}"]
