"""`vscanner check`: is this node ready to work? One line for each part, and what to do."""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa
from rich.console import Console
from rich.markup import escape

from dicom_profiles.errors import ProfileError
from node.config import Config, PeerSettings
from node.config_file import config_warnings, load_config, missing_files
from node.database.tables import NoNodeThere, open_existing_database
from node.database.waiting import reason_of
from node.dispatch.associate import associated
from node.dispatch.errors import DispatchError
from node.errors import ConfigError, NodeError
from node.installed import verify
from pipelines import catalog
from pipelines.errors import PipelineError

VERIFICATION = "1.2.840.10008.1.1"  # PS3.4 A.4: C-ECHO
SUCCESS = 0x0000
HTTP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Line:
    """One part of the node and how it is.

    Attributes:
        part: what was tried.
        ok: whether it works.
        text: what was found, and what to do when it is wrong.
        warning: it works, but may be a mistake.
    """

    part: str
    ok: bool
    text: str
    warning: bool = False


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser(
        "check",
        help="test configuration, destinations, database, disk and weights",
        description="Try everything that the node needs: the configuration, the data directory, "
        "the database, every peer (C-ECHO, DICOMweb, Orthanc REST), the weights by their digest. "
        "Exit code 1 if anything is wrong.",
        epilog="example: vscanner check --config node.yaml",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="node.yaml")


def run(arguments: argparse.Namespace) -> int:
    """Print one line a part; 1 if anything is wrong."""
    console = Console(highlight=False, soft_wrap=True)
    wrong = warnings = 0
    for line in check_node(arguments.config):
        wrong += not line.ok
        word, style = ("OK", "green") if line.ok else ("WRONG", "bold red")
        if line.ok and line.warning:
            word, style = "warning", "yellow"
            warnings += 1
        console.print(f"[{style}]{word:<7}[/{style}] {escape(line.part)}: {escape(line.text)}")
    console.print(_summary(wrong, warnings))
    return 1 if wrong else 0


def _summary(wrong: int, warnings: int) -> str:
    if wrong:
        return f"{wrong} part(s) are wrong."
    return f"Everything works, with {warnings} warning(s)." if warnings else "Everything works."


def check_node(path: Path | None) -> Iterator[Line]:
    """Try every part, one after the other."""
    try:
        config = load_config(path)
    except ConfigError as error:
        for fault in error.faults:
            yield Line("configuration", False, fault)
        return
    name = str(path) if path else "embedded defaults"
    yield Line("configuration", True, f"{name}, {len(config.routes)} route(s)")
    for sentence in config_warnings(config):
        yield Line("configuration", True, sentence, warning=True)
    for sentence in missing_files(config):
        yield Line("configuration", False, sentence)
    yield check_data_dir(config)
    yield check_database(config)
    for peer in config.peers:
        for check in CHECKS_OF_A_PEER:
            line = check(peer, config)
            if line is not None:
                yield line
    yield from check_weights()


def check_data_dir(config: Config) -> Line:
    """The data directory, or where it will be made, can be written and has room."""
    folder, part = config.node.data_dir, f"data directory {config.node.data_dir}"
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".check-") as file:
            file.write(b"x")
            os.fsync(file.fileno())
    except OSError as error:
        reason = error.strerror or str(error)
        word = "written" if there == folder else "made"
        return Line(part, False, f"cannot be {word} ({reason}); set another node.data_dir.")
    free, least = shutil.disk_usage(there).free, config.node.min_free_bytes
    word = "writable" if there == folder else "not there yet, `vscanner serve` will make it"
    text = f"{word}, {free / 1e9:.1f} GB free"
    if free < least:
        text += f", but C-STORE is refused below {least / 1e9:.1f} GB; make room."
    return Line(part, free >= least, text)


def check_database(config: Config) -> Line:
    """The database opens and answers; where no node has been started, it is not made."""
    kind = "SQLite" if config.node.database == "sqlite" else "PostgreSQL"
    part = f"database ({kind})"
    try:
        engine = open_existing_database(config.node)
        with engine.connect() as connection:
            count = connection.scalar(sa.text("SELECT count(*) FROM series"))
        engine.dispose()
    except NoNodeThere as error:
        return Line(part, True, str(error), warning=True)
    except NodeError as error:
        return Line(part, False, str(error))
    except (sa.exc.SQLAlchemyError, OSError) as error:
        return Line(part, False, f"cannot be opened ({reason_of(error)}); see node.database.")
    return Line(part, True, f"answers, {count} series")


def check_echo(peer: PeerSettings, config: Config) -> Line | None:
    """C-ECHO (PS3.4 annex A)."""
    part = f"peer {peer.name}, C-ECHO to {peer.ae_title} at {peer.host}:{peer.port}"
    try:
        with associated(peer, config, [VERIFICATION]) as association:
            status = association.send_c_echo().get("Status")
    except (DispatchError, RuntimeError, ValueError, OSError) as error:
        return Line(part, False, str(error))
    if status != SUCCESS:
        return Line(part, False, "no success; does the peer know our AE title?")
    return Line(part, True, "answers")


def check_dicomweb(peer: PeerSettings, config: Config) -> Line | None:
    """A QIDO-RS query for one study (PS3.18 10.6)."""
    if not peer.dicomweb:
        return None
    return _get(peer, f"peer {peer.name}, DICOMweb", f"{peer.dicomweb.rstrip('/')}/studies?limit=1")


def check_orthanc_rest(peer: PeerSettings, config: Config) -> Line | None:
    """Orthanc's `/system`."""
    if not peer.orthanc_rest:
        return None
    url = f"{peer.orthanc_rest.rstrip('/')}/system"
    return _get(peer, f"peer {peer.name}, Orthanc REST", url)


CHECKS_OF_A_PEER: tuple[Callable[[PeerSettings, Config], Line | None], ...] = (
    check_echo,
    check_dicomweb,
    check_orthanc_rest,
)


def _get(peer: PeerSettings, part: str, url: str) -> Line:
    password = peer.password.get_secret_value() if peer.password else ""
    auth = (peer.username, password) if peer.username else None
    with requests.Session() as session:
        session.trust_env = False  # a proxy or CA bundle of the environment is not the peer's
        try:
            answer = session.get(
                url, auth=auth, timeout=HTTP_TIMEOUT_S, headers={"Accept": "application/dicom+json"}
            )
        except requests.RequestException as error:
            kind = type(error).__name__
            return Line(part, False, f"{url} cannot be reached ({kind}); is the URL right?")
    if answer.status_code in (200, 204):
        return Line(part, True, f"answers {answer.status_code}")
    return Line(part, False, f"{url} should answer 200, got {answer.status_code}.")


def check_weights() -> Iterator[Line]:
    """The weights of every pipeline, by digest."""
    for name in catalog.names():
        try:
            digest = verify(name)
        except (PipelineError, ProfileError) as error:
            yield Line(f"weights of {name}", False, str(error))
        else:
            version = catalog.card(name).version
            yield Line(f"weights of {name}", True, f"version {version}, SHA-256 {digest[:16]}…")
