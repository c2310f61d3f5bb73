from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, generate_uid

from node.spooling.errors import InstanceMismatch, SpoolFull, UnreadableDataset
from node.spooling.incoming import (
    WORK_PREFIX,
    Incoming,
    is_uid,
    received_at,
    refuse_for_space,
)
from tests.node.datasets import encoded, facts_of, files_in, small_ct


def store(incoming: Incoming, data: bytes, ds: pydicom.Dataset) -> None:
    file = incoming.begin(facts_of(ds))
    for start in range(0, len(data), 100):
        file.write(memoryview(data)[start : start + 100])
    file.commit()


@pytest.mark.parametrize("syntax", [None, DeflatedExplicitVRLittleEndian])
def test_a_file_holds_the_bytes_as_received(tmp_path: Path, syntax: str | None) -> None:
    ds = small_ct()
    data = encoded(ds, syntax) if syntax else encoded(ds)
    store(Incoming(tmp_path), data, ds)
    (path,) = files_in(tmp_path)
    assert path.read_bytes().endswith(data)
    assert pydicom.dcmread(path).SOPInstanceUID == ds.SOPInstanceUID
    assert path.stat().st_mode & 0o007 == 0
    assert received_at(path.name) is not None


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"StudyInstanceUID": None}, UnreadableDataset),
        ({"SeriesInstanceUID": None}, UnreadableDataset),
        ({"SOPInstanceUID": None}, UnreadableDataset),
    ],
)
def test_a_missing_uid_is_refused(
    tmp_path: Path, attributes: dict[str, object], error: type[Exception]
) -> None:
    ds = small_ct()
    facts = facts_of(ds)
    for keyword in attributes:
        delattr(ds, keyword)
    data = encoded(ds)
    file = Incoming(tmp_path).begin(facts)
    file.write(memoryview(data))
    with pytest.raises(error):
        file.commit()
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("value", [b"1.2" + b"\0" * 100 + b".3", b"1.2" + b"\0" * 1201])
def test_a_uid_that_nobody_would_find_again_is_refused(tmp_path: Path, value: bytes) -> None:
    """What is not refused here could not be admitted later, when the sender is gone."""
    ds = small_ct()
    facts = facts_of(ds)
    del ds.StudyInstanceUID
    head = struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", len(value)) + value
    file = Incoming(tmp_path).begin(facts)
    file.write(memoryview(head + encoded(ds)))
    with pytest.raises(UnreadableDataset):
        file.commit()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_elements_without_end_are_refused(tmp_path: Path, syntax: UID) -> None:
    """Whoever reads the header has each of them in memory."""
    ds = small_ct()
    block = b"".join(
        struct.pack("<HH2sH", 0x7FE1 + 2 * group, number, b"SH", 0)
        for group in range(2)
        for number in range(1, 1 << 16)
    )
    data = encoded(ds) + block
    if syntax == DeflatedExplicitVRLittleEndian:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = packer.compress(data) + packer.flush()
    ds.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(UnreadableDataset, match="elements"):
        store(Incoming(tmp_path), data, ds)


@pytest.mark.parametrize("keyword", ["SOPClassUID", "SOPInstanceUID"])
def test_another_instance_than_announced_is_refused(tmp_path: Path, keyword: str) -> None:
    ds = small_ct()
    data = encoded(ds)
    setattr(ds, keyword, generate_uid())
    with pytest.raises(InstanceMismatch):
        store(Incoming(tmp_path), data, ds)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_data_set_is_refused(tmp_path: Path, share: float) -> None:
    ds = small_ct()
    data = encoded(ds)
    with pytest.raises(UnreadableDataset):
        store(Incoming(tmp_path), data[: int(share * len(data))], ds)
    assert list((tmp_path / "incoming").glob("*.dcm")) == []


def test_too_little_free_space_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpoolFull, match="min_free_bytes"):
        Incoming(tmp_path, min_free_bytes=1 << 62).begin(facts_of(small_ct()))


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the write fails half-way."""
    script = """
import resource, sys
from pathlib import Path
from node.spooling.incoming import Incoming
from node.spooling.errors import SpoolFull
from tests.node.datasets import *
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
ds = small_ct()
file = Incoming(Path(sys.argv[1])).begin(facts_of(ds))
try:
    file.write(memoryview(encoded(ds)))
except SpoolFull as error:
    sys.exit("The disk is full" not in str(error))
sys.exit(2)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[3])
    assert not any(p.is_file() for p in tmp_path.rglob("*"))


def test_a_disk_that_cannot_be_written_is_answered_like_a_full_one() -> None:
    with pytest.raises(SpoolFull, match="repair"):
        refuse_for_space(OSError(errno.EROFS, os.strerror(errno.EROFS)))


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_has_is_not(
    tmp_path: Path,
) -> None:
    script = """
import os, sys
from pathlib import Path
from node.spooling.incoming import Incoming
from tests.node.datasets import *
file = Incoming(Path(sys.argv[1])).begin(facts_of(small_ct()))
file.write(memoryview(b"half"))
os._exit(9)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    subprocess.run(command, check=False, cwd=Path(__file__).parents[3])
    assert len(list(tmp_path.glob("incoming/.work-*/*"))) == 1
    living = Incoming(tmp_path).begin(facts_of(small_ct()))
    assert len(list(tmp_path.glob("incoming/.work-*/*"))) == 1
    Incoming(tmp_path).begin(facts_of(small_ct())).discard()
    assert len(list(tmp_path.glob("incoming/.work-*/*"))) == 1
    living.discard()


@pytest.mark.parametrize("text", ["1.2.3", "0.0", "1" * 64])
def test_uids(text: str) -> None:
    assert is_uid(text)


@pytest.mark.parametrize("text", ["", ".", "..", "1..2", "1.2.", "/etc", "1/2", "1" * 65, "1.2\n"])
def test_what_could_leave_a_folder_is_no_uid(text: str) -> None:
    assert not is_uid(text)


@given(st.text(max_size=70))
def test_a_uid_is_digits_and_dots(text: str) -> None:
    if is_uid(text):
        assert set(text) <= set("0123456789.")
        assert ".." not in text


def test_working_folders_of_another_machine_are_left_to_it(tmp_path: Path) -> None:
    """Its locks cannot be seen from here on every network file system."""
    theirs = tmp_path / "incoming" / f"{WORK_PREFIX}elsewhere-0123456789ab"
    theirs.mkdir(parents=True)
    (theirs / "half").write_bytes(b"of an instance that arrives there now")
    ds = small_ct()
    Incoming(tmp_path).begin(facts_of(ds)).discard()
    assert (theirs / "half").exists()
    long_ago = time.time() - 3 * 86_400
    os.utime(theirs, (long_ago, long_ago))
    Incoming(tmp_path).begin(facts_of(ds)).discard()
    assert not theirs.exists()


def test_a_working_folder_that_was_taken_away_is_made_again(tmp_path: Path) -> None:
    incoming, ds = Incoming(tmp_path), small_ct()
    incoming.begin(facts_of(ds)).discard()
    (work,) = (tmp_path / "incoming").glob(f"{WORK_PREFIX}*")
    work.rmdir()
    incoming.begin(facts_of(ds)).discard()
