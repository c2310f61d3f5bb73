"""Faults of reception: nothing that was acknowledged is lost, nothing half is kept."""

from __future__ import annotations

import contextlib
import copy
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pydicom
import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ImplicitVRLittleEndian, generate_uid

from node.counters import read_counts
from node.database.tables import conflicts
from tests.faults.receiving_node import (
    ReceivingNode,
    Sender,
    database_of,
    receiving_node,
    send,
    write_files,
)
from tests.node.datasets import dataset_bytes, files_in, same_series
from tests.node.receiving.running import (
    RawPeer,
    make_config,
    p_data,
    pdv,
    status_of,
    store_command,
)
from tests.servers import missing_part, wait_until
from tests.synthetic import write_ct_dataset

pytestmark = pytest.mark.dcmtk


@pytest.fixture(scope="module")
def large_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """60 slices of half a megabyte, so that a transfer takes a while."""
    uids: dict[str, Any] = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}
    ds = write_ct_dataset(np.zeros((512, 512), np.float32), **uids)
    slices = []
    for number in range(60):
        ds.SOPInstanceUID = generate_uid()
        ds.InstanceNumber = number + 1
        slices.append(copy.deepcopy(ds))
    return write_files(tmp_path_factory.mktemp("large"), slices)


def uid_of(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def assert_kept(node: ReceivingNode, files: list[Path]) -> None:
    """Each of the files is in the spool, with the data set that was sent."""
    paths = node.paths()
    for file in files:
        held = paths[uid_of(file)]
        assert dataset_bytes(held.read_bytes()) == dataset_bytes(file.read_bytes())


@pytest.mark.parametrize("victim", ["receivers", "everything", "sender"])
def test_a_kill_in_the_middle_of_a_transfer_loses_nothing_acknowledged(
    tmp_path: Path, large_files: list[Path], victim: str
) -> None:
    files = large_files
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(receiving_node(tmp_path))
        sender = Sender(node.config.node.port, files, tmp_path / "sender.log")
        wait_until(lambda: len(sender.statuses()) >= 10, what="the transfer to be under way")
        if victim == "receivers":
            for process in node.parts("receiver"):
                process.send_signal(signal.SIGKILL)
        elif victim == "everything":
            node.kill_everything()
        else:
            sender.process.kill()
        sender.end()
        acknowledged = sender.acknowledged()
        assert 10 <= len(acknowledged) < len(files)
        if victim == "everything":
            node = stack.enter_context(receiving_node(tmp_path, node.config))
        wait_until(lambda: node.ready() >= 2, 60, "the receivers to be there (again)")
        wait_until(lambda: not list((node.data_dir / "incoming").glob("*.dcm")), 60)
        assert_kept(node, acknowledged)
        again = send(node.config.node.port, files, tmp_path / "again.log")
        assert len(again.acknowledged()) == len(files)
        node.wait_for(len(files))
        assert_kept(node, files)
        assert len(files_in(node.data_dir / "spool")) == len(files)
        assert not files_in(node.data_dir / "conflicts")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB, which root can make."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "vscanner", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("min_free_bytes", [0, 4_000_000])
def test_a_full_disk_refuses_and_loses_nothing(
    tmp_path: Path, small_disk: Path, large_files: list[Path], min_free_bytes: int
) -> None:
    files = large_files
    config = make_config(small_disk / "data", receivers=2, min_free_bytes=min_free_bytes)
    with receiving_node(tmp_path, config) as node:
        first = Sender(config.node.port, files[:40], tmp_path / "first.log")
        first.end()
        assert len(first.statuses()) == 40 or "Out of Resources" in first.statuses()[-1]
        second = send(config.node.port, files[40:], tmp_path / "second.log")
        refused = [*first.statuses(), *second.statuses()]
        assert any("Resources" in status for status in refused), refused[-1]
        kept = [*first.acknowledged(), *second.acknowledged()]
        assert 10 < len(kept) < len(files)
        resize = ["mount", "-o", "remount,size=128m", str(small_disk)]
        subprocess.run(resize, check=True, capture_output=True)
        node.wait_for(len(kept))
        assert_kept(node, kept)
        assert len(send(config.node.port, files, tmp_path / "third.log").acknowledged()) == 60
        node.wait_for(len(files))
        assert_kept(node, files)
        assert not files_in(node.data_dir / "rejected")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceivingNode]:
    with receiving_node(tmp_path_factory.mktemp("node")) as running:
        yield running


def test_two_senders_duplicates_and_disorder(node: ReceivingNode, tmp_path: Path) -> None:
    before = len(node.paths())
    slices = same_series(40)
    files = write_files(tmp_path / "files", slices)
    draw = random.Random(7)
    senders = []
    for number in range(3):
        some = draw.sample(files, 30) + draw.sample(files, 10)
        rest = files if number == 2 else some
        draw.shuffle(rest)
        senders.append(Sender(node.config.node.port, rest, tmp_path / f"{number}.log"))
    assert [sender.end() for sender in senders] == [0, 0, 0]
    assert all(len(sender.acknowledged()) == 40 for sender in senders)
    node.wait_for(before + 40)
    assert_kept(node, files)
    with database_of(node.config) as engine, engine.connect() as connection:
        assert read_counts(connection)["instances", "duplicate"] == 80


def test_a_second_content_never_overwrites_the_first(node: ReceivingNode, tmp_path: Path) -> None:
    before = len(node.paths())
    (ds,) = same_series(1)
    (first,) = write_files(tmp_path / "first", [ds])
    send(node.config.node.port, [first], tmp_path / "1.log")
    node.wait_for(before + 1)
    ds.SeriesDescription = "another content"
    (second,) = write_files(tmp_path / "second", [ds])
    assert len(send(node.config.node.port, [second], tmp_path / "2.log").acknowledged()) == 1
    node.wait_for(before + 1)
    assert_kept(node, [first])
    with database_of(node.config) as engine, engine.connect() as connection:
        row = connection.execute(
            sa.select(conflicts).where(conflicts.c.sop_instance_uid == ds.SOPInstanceUID)
        ).one()
    aside = node.data_dir / row.path
    assert dataset_bytes(aside.read_bytes()) == dataset_bytes(second.read_bytes())


def test_the_assembler_may_die_at_any_time(
    node: ReceivingNode, large_files: list[Path], tmp_path: Path
) -> None:
    before = len(node.paths())
    files = large_files
    sender = Sender(node.config.node.port, files, tmp_path / "sender.log")
    for count in (5, 25):
        wait_until(lambda wanted=count: len(sender.statuses()) >= wanted)  # type: ignore[misc]
        for process in node.parts("assembler"):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
    assert sender.end() == 0
    node.wait_for(before + len(files))
    assert_kept(node, files)


CANNOT_UNDERSTAND = {  # file: why
    "HTJ2KLossless_08_RGB.dcm": "no Study Instance UID",
    "HTJ2K_08_RGB.dcm": "no Study Instance UID",
    "JLSL_16_15_1_1F.dcm": "no Study Instance UID",
    "MR_truncated.dcm": "cut short",
    "bad_sequence.dcm": "UIDs that are not UIDs",
    "chrSQEncoding.dcm": "no SOP Class UID",
    "chrSQEncoding1.dcm": "no SOP Class UID",
    "fodicom_FreezePattern.dcm": "a sequence that does not end",
    "meta_missing_tsyntax.dcm": "no SOP Class UID",
    "no_meta.dcm": "no data set of any encoding that was announced",
}
NOT_NEGOTIATED = (  # retired processes of JPEG
    "CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm",
    "CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm",
)
ABORTED = 7


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_odd_file_is_stored_or_refused_and_the_node_goes_on(
    node: ReceivingNode, shared_data: Path, tmp_path: Path
) -> None:
    folders = ("odd", "syntaxes_cornerstone", "syntaxes_wg04")
    paths = [p for folder in folders for p in sorted((shared_data / folder).rglob("*.dcm"))]
    if not paths:
        missing_part("odd files")
    stored = []
    for path in paths:
        status = send_as_it_is(node, path)
        if path.name in NOT_NEGOTIATED:
            assert status is None, path.name
        elif path.name in CANNOT_UNDERSTAND:
            assert status == 0xC000, path.name
        else:
            assert status == 0, path.name
            stored.append(dataset_of(path)[0])
    held = {dataset_bytes(file.read_bytes()) for file in received(node)}
    assert all(data in held for data in stored)
    (good,) = write_files(tmp_path, same_series(1))
    assert len(send(node.config.node.port, [good], tmp_path / "log").acknowledged()) == 1


def received(node: ReceivingNode) -> list[Path]:
    """Every admitted file, those kept aside included: some of the files share a UID."""
    wait_until(lambda: not list((node.data_dir / "incoming").glob("*.dcm")), 60, "admission")
    assert not (node.data_dir / "rejected").exists()
    return [*files_in(node.data_dir / "spool"), *files_in(node.data_dir / "conflicts")]


def dataset_of(path: Path) -> tuple[bytes, Dataset]:
    """The bytes behind the File Meta Information, and that; some files have none."""
    raw = path.read_bytes()
    if raw[128:132] != b"DICM":
        return raw, Dataset()
    return dataset_bytes(raw), read_file_meta_info(path)


def send_as_it_is(node: ReceivingNode, path: Path) -> int | None:
    """Send the bytes of a file unread; the status, or None where nothing was negotiated."""
    data, meta = dataset_of(path)
    ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    announced = Dataset()
    announced.SOPClassUID = ds.get("SOPClassUID") or "1.2.840.10008.5.1.4.1.1.2"
    announced.SOPInstanceUID = ds.get("SOPInstanceUID") or "1.2.3"
    syntax = meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    with RawPeer(node.config) as peer:
        peer.associate(abstract=announced.SOPClassUID, transfer=syntax)
        peer.send(p_data(pdv(store_command(announced), command=True, last=True)))
        with contextlib.suppress(ConnectionError):  # aborted while we were sending
            for start in range(0, len(data), 16000):
                last = start + 16000 >= len(data)
                peer.send(p_data(pdv(data[start : start + 16000], command=False, last=last)))
        answer = peer.receive()
        if answer is None or answer[0] == ABORTED:
            return None
        return status_of(answer)
