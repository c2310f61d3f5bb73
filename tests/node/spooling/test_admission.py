from __future__ import annotations

import contextlib
import os
import resource
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, generate_uid
from sqlalchemy.engine import Engine

from node.config import NodeSettings
from node.counters import read_counts
from node.database.tables import associations, conflicts, instances, metadata, open_database, series
from node.spool import Spool
from node.spooling import admission
from node.spooling.incoming import exclusive
from tests.node.datasets import encoded, facts_of, files_in, same_series, small_ct
from tests.node.spooled import last_release, series_paths

ROOT = Path(__file__).parents[3]
NOBODY = 65534


@pytest.fixture
def database(either_database: str, tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(NodeSettings(data_dir=tmp_path, database=either_database))
    metadata.drop_all(engine)
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def spool(tmp_path: Path, database: Engine) -> Spool:
    return Spool(tmp_path, database)


def receive(spool: Spool, *datasets: Dataset) -> None:
    for ds in datasets:
        spool.receive(encoded(ds), facts_of(ds))


def rows_of(spool: Spool, table: sa.Table) -> list[sa.RowMapping]:
    with spool.database.connect() as connection:
        return list(connection.execute(sa.select(table)).mappings())


def count(spool: Spool, label: str) -> int:
    with spool.database.connect() as connection:
        return read_counts(connection).get(("instances", label), 0)


def test_the_index_knows_everything_until_the_oldest_that_waits(spool: Spool) -> None:
    now = datetime.now(UTC)
    assert spool.admitted_until(now) == now
    receive(spool, small_ct())
    assert now < spool.admitted_until(now + timedelta(days=1)) < datetime.now(UTC)
    assert spool.admitted_until(now) == now
    spool.admit_incoming()
    assert spool.admitted_until(now + timedelta(days=1)) == now + timedelta(days=1)


def test_a_received_instance_gets_its_place_and_its_row(spool: Spool) -> None:
    ds = small_ct()
    receive(spool, ds)
    assert spool.admit_incoming() == 1
    (row,) = rows_of(spool, instances)
    place = f"spool/{ds.StudyInstanceUID}/{ds.SeriesInstanceUID}/{ds.SOPInstanceUID}.dcm"
    assert row["path"] == place
    assert files_in(spool.data_dir / "incoming") == []
    assert series_paths(spool, ds.SeriesInstanceUID) == [spool.data_dir / place]
    assert (row["source_ae"], row["sop_class_uid"]) == ("PACS", ds.SOPClassUID)
    assert row["size_bytes"] == (spool.data_dir / place).stat().st_size
    assert row["attributes"]["00080060"] == {"vr": "CS", "Value": ["CT"]}


def test_a_series_row_says_what_its_instances_say(spool: Spool) -> None:
    slices = same_series(5)
    receive(spool, *slices[:3])
    spool.admit_incoming()
    receive(spool, *slices[3:])
    spool.admit_incoming()
    (row,) = rows_of(spool, series)
    assert (row["state"], row["instance_count"], row["revision"]) == ("RECEIVING", 5, 1)
    assert row["first_received"] < row["last_received"]
    assert row["last_received"].tzinfo is not None


def test_a_later_instance_leaves_the_state_to_assembly(spool: Spool) -> None:
    first, second = same_series(2)
    receive(spool, first)
    spool.admit_incoming()
    with spool.database.begin() as connection:
        connection.execute(sa.update(series).values(state="COMPLETE", reason="why"))
    receive(spool, second)
    spool.admit_incoming()
    (row,) = rows_of(spool, series)
    assert (row["state"], row["reason"], row["instance_count"]) == ("COMPLETE", "why", 2)


def test_the_limit_holds_and_the_oldest_come_first(spool: Spool) -> None:
    slices = same_series(5)
    receive(spool, *slices)
    assert spool.admit_incoming(limit=2) == 2
    assert {r["sop_instance_uid"] for r in rows_of(spool, instances)} == {
        ds.SOPInstanceUID for ds in slices[:2]
    }
    assert spool.admit_incoming() == 3
    assert spool.admit_incoming() == 0


@pytest.mark.parametrize("together", [True, False])
def test_the_same_again_is_kept_once(spool: Spool, together: bool) -> None:
    ds = small_ct()
    receive(spool, ds)
    if not together:
        spool.admit_incoming()
    receive(spool, ds, ds)
    spool.admit_incoming()
    assert len(files_in(spool.data_dir / "spool")) == len(rows_of(spool, instances)) == 1
    assert files_in(spool.data_dir / "incoming") == files_in(spool.data_dir / "conflicts") == []
    assert (count(spool, "admitted"), count(spool, "duplicate")) == (1, 2)


@pytest.mark.parametrize("together", [True, False])
def test_a_second_content_is_kept_aside_and_the_first_is_untouched(
    spool: Spool, together: bool, caplog: pytest.LogCaptureFixture
) -> None:
    ds = small_ct()
    receive(spool, ds)
    if not together:
        spool.admit_incoming()
    original = encoded(ds)
    ds.SeriesDescription = "another content"
    receive(spool, ds, ds)
    spool.admit_incoming()
    receive(spool, ds)  # and a day later
    spool.admit_incoming()
    (path,) = series_paths(spool, ds.SeriesInstanceUID)
    assert path.read_bytes().endswith(original)
    (row,) = rows_of(spool, conflicts)
    assert (spool.data_dir / row["path"]).read_bytes().endswith(encoded(ds))
    assert len(files_in(spool.data_dir / "conflicts")) == count(spool, "conflict") == 1
    assert "instance_conflict" in [getattr(r, "action", "") for r in caplog.records]


def test_an_unreadable_file_is_put_aside_with_its_reason(spool: Spool) -> None:
    receive(spool, *same_series(3))
    broken = files_in(spool.data_dir / "incoming")[1]
    broken.write_bytes(broken.read_bytes()[:200])
    assert spool.admit_incoming() == 3
    assert len(rows_of(spool, instances)) == 2
    rejected, reason = files_in(spool.data_dir / "rejected")
    assert rejected.name == broken.name
    assert "cut short" in reason.read_text()
    assert count(spool, "rejected") == 1


@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        (0x00200011, b"IS", b"9" * 400),
        (0x00080005, b"PN", b"ISO_IR 100"),
        (0x00080005, b"DS", b"1 "),
        (0x0020000D, b"DS", b"12"),
        (0x0020000D, b"IS", b"12"),
        (0x0020000E, b"PN", b"12"),
    ],
)
def test_what_is_written_oddly_does_not_stop_the_others(
    spool: Spool, tag: int, vr: bytes, value: bytes
) -> None:
    odd, other = small_ct(), small_ct()
    element = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
    name = struct.pack("<HH2sH", 0x0010, 0x0010, b"PN", 2) + b"\xe4 "
    if tag in odd:
        del odd[tag]
    spool.receive(element + name + encoded(odd), facts_of(odd))
    receive(spool, other)
    assert spool.admit_incoming() == 2
    assert {row["sop_instance_uid"] for row in rows_of(spool, instances)} == {
        odd.SOPInstanceUID,
        other.SOPInstanceUID,
    }


def test_a_file_on_which_we_fail_does_not_stop_the_others(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive(spool, small_ct(), small_ct())
    first = files_in(spool.data_dir / "incoming")[0]

    def failing(path: Path) -> admission.Candidate:
        if path == first:
            raise RuntimeError("a mistake of ours")
        return admission_reads(path)

    admission_reads = admission.read_candidate
    monkeypatch.setattr(admission, "read_candidate", failing)
    assert spool.admit_incoming() == 2
    assert len(rows_of(spool, instances)) == 1
    rejected, _reason = files_in(spool.data_dir / "rejected")
    assert rejected.name == first.name


def test_an_empty_file_is_put_aside(spool: Spool) -> None:
    receive(spool, small_ct())
    (path,) = files_in(spool.data_dir / "incoming")
    path.write_bytes(b"")
    assert spool.admit_incoming() == 1
    assert len(files_in(spool.data_dir / "rejected")) == 2


@contextlib.contextmanager
def free_descriptors(count: int) -> Iterator[None]:
    """Leave this process so many files to open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 20, limits[1]))
    held = []
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(held.pop())
        yield
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("count", range(1, 5))
def test_without_free_descriptors_files_wait(tmp_path: Path, count: int) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    spool = Spool(tmp_path, engine)
    receive(spool, *same_series(2))
    spool.admit_incoming()  # the database keeps its connection
    receive(spool, *same_series(2))
    with free_descriptors(count), contextlib.suppress(OSError):
        spool.admit_incoming()
    assert not (tmp_path / "rejected").exists()
    spool.admit_incoming()
    assert len(rows_of(spool, instances)) == 4
    engine.dispose()


def test_what_retention_deleted_comes_back_when_it_is_sent_again(spool: Spool) -> None:
    ds = small_ct()
    receive(spool, ds)
    spool.admit_incoming()
    (path,) = series_paths(spool, ds.SeriesInstanceUID)
    path.unlink()
    with spool.database.begin() as connection:
        connection.execute(sa.update(instances).values(deleted=sa.func.current_timestamp()))
    assert series_paths(spool, ds.SeriesInstanceUID) == []
    receive(spool, ds)
    spool.admit_incoming()
    assert series_paths(spool, ds.SeriesInstanceUID) == [path]
    assert path.is_file()


def test_a_deflated_instance_is_indexed(spool: Spool) -> None:
    ds = small_ct()
    spool.receive(encoded(ds, DeflatedExplicitVRLittleEndian), facts_of(ds))
    spool.admit_incoming()
    (row,) = rows_of(spool, instances)
    assert row["attributes"]["00080018"]["Value"] == [ds.SOPInstanceUID]


def test_a_note_becomes_evidence(spool: Spool) -> None:
    ds = small_ct()
    receive(spool, ds)
    note = {
        "association": "abc",
        "source_ae": "PACS",
        "outcome": "RELEASED",
        "ended": "2026-01-02T03:04:05+00:00",
        "series": {ds.SeriesInstanceUID: 1},
    }
    spool.incoming.write_note("abc", note)
    spool.incoming.write_note("abc", {"unlike": "a note"})
    spool.admit_incoming()
    (row,) = rows_of(spool, associations)
    assert (row["outcome"], row["instance_count"]) == ("RELEASED", 1)
    released = last_release(spool, ds.SeriesInstanceUID)
    assert released is not None
    assert released.isoformat() == note["ended"]
    assert last_release(spool, generate_uid()) is None


def test_only_one_process_admits(spool: Spool) -> None:
    receive(spool, small_ct())
    with exclusive(spool.data_dir / "incoming") as free:
        assert free
        assert spool.admit_incoming() == 0
    assert spool.admit_incoming() == 1


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from node.config import NodeSettings
from node.database.tables import open_database
from node.spool import Spool
from node.spooling import admission

def admit(data_dir, wanted):
    seen = 0
    def count_lines(frame, event, argument):
        nonlocal seen
        if not frame.f_code.co_filename.endswith(("admission.py", "rows.py", "counters.py")):
            return None
        if event == "line":
            seen += 1
            if seen == wanted:
                os.kill(os.getpid(), signal.SIGKILL)
        return count_lines
    spool = Spool(data_dir, open_database(NodeSettings(data_dir=data_dir)))
    sys.settrace(count_lines)
    spool.admit_incoming()
    sys.settrace(None)
    return seen

for folder, line in zip(sys.argv[1::2], sys.argv[2::2]):
    if not int(line):
        print(admit(Path(folder), 0))
    elif not (child := os.fork()):
        admit(Path(folder), int(line))
        os._exit(3)  # the line was not reached
    else:
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (line, status)
"""


def outcome_of(spool: Spool) -> tuple[object, ...]:
    return (
        {(r["sop_instance_uid"], r["path"]) for r in rows_of(spool, instances)},
        {r["instance_count"] for r in rows_of(spool, series)},
        len(rows_of(spool, conflicts)),
        [p.name for p in files_in(spool.data_dir / "spool")],
        len(files_in(spool.data_dir / "conflicts")),
        files_in(spool.data_dir / "incoming"),
        count(spool, "admitted"),
        count(spool, "conflict"),
    )


def admit_with_kills(kills: dict[Path, int]) -> str:
    """In each folder, admit with SIGKILL before a line of the code (0: no kill)."""
    command = [sys.executable, "-c", KILLED_AT]
    command += [str(word) for folder_and_line in kills.items() for word in folder_and_line]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def filled_spool(folder: Path, slices: list[Dataset]) -> Spool:
    spool = Spool(folder, open_database(NodeSettings(data_dir=folder)))
    receive(spool, *slices)
    return spool


def test_a_kill_before_any_line_changes_nothing(tmp_path: Path) -> None:
    slices = same_series(3)
    slices += same_series(1)  # with a second content under the UID of the first:
    slices[3].SOPInstanceUID = slices[0].SOPInstanceUID
    whole = filled_spool(tmp_path / "whole", slices)
    lines = int(admit_with_kills({whole.data_dir: 0}))
    wanted = outcome_of(whole)
    whole.database.dispose()
    assert lines > 200
    kills = {tmp_path / str(line): line for line in range(1, lines, max(lines // 30, 1))}
    spools = [filled_spool(folder, slices) for folder in kills]
    admit_with_kills(kills)
    for spool in spools:
        while spool.admit_incoming():
            pass
        found = outcome_of(spool)
        spool.database.dispose()
        assert found == wanted, f"killed before line {spool.data_dir.name} of {lines}"


def test_the_index_that_was_lost_is_made_again_from_the_file(spool: Spool) -> None:
    ds = small_ct()
    receive(spool, ds)
    spool.admit_incoming()
    with spool.database.begin() as connection:
        connection.execute(sa.delete(instances))
    original = encoded(ds)
    ds.SeriesDescription = "another content"
    receive(spool, ds)
    spool.admit_incoming()
    (row,) = rows_of(spool, instances)
    assert row["attributes"]["0008103E"]["Value"] != ["another content"]
    assert (spool.data_dir / row["path"]).read_bytes().endswith(original)
    assert len(rows_of(spool, conflicts)) == 1
    assert (spool.data_dir / row["path"]).stat().st_nlink == 1


def test_a_damaged_file_of_the_spool_gives_way_to_the_one_that_came_again(spool: Spool) -> None:
    ds, other = same_series(2)
    receive(spool, ds)
    spool.admit_incoming()
    (path,) = series_paths(spool, ds.SeriesInstanceUID)
    with spool.database.begin() as connection:  # the index was lost, and made again without it
        connection.execute(sa.delete(instances))
    path.write_bytes(path.read_bytes()[:200])
    receive(spool, ds, other)
    assert spool.admit_incoming() == 2
    assert len(series_paths(spool, ds.SeriesInstanceUID)) == 2
    assert path.read_bytes().endswith(encoded(ds))
    assert [file.suffix for file in files_in(spool.data_dir / "rejected")] == [".dcm", ".reason"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
def test_folders_above_the_data_directory_need_not_be_readable() -> None:
    with tempfile.TemporaryDirectory() as home:
        data_dir = Path(home) / "data"
        data_dir.mkdir()
        os.chown(data_dir, NOBODY, NOBODY)
        Path(home).chmod(0o711)
        engine = open_database(NodeSettings(data_dir=data_dir))
        for path in data_dir.iterdir():
            os.chown(path, NOBODY, NOBODY)
        spool, ds = Spool(data_dir, engine), small_ct()
        os.seteuid(NOBODY)
        try:
            receive(spool, ds)
            ds.SeriesDescription = "another content"
            receive(spool, ds)
            assert spool.admit_incoming() == 2
        finally:
            os.seteuid(0)
            engine.dispose()
