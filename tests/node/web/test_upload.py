"""One request's instances: events in, files and failure reasons out."""

from __future__ import annotations

import io

import pytest
import sqlalchemy as sa
from pydicom import Dataset

from node.counters import CounterBuffer, read_counts
from node.database.tables import associations
from node.spool import InstanceMismatch, SpoolFull, UnreadableDataset
from node.web.multipart import Event, MultipartError, PartData, PartEnd, PartStart
from node.web.upload import (
    CANNOT_UNDERSTAND,
    CLASS_NOT_SUPPORTED,
    META_LIMIT_BYTES,
    MOST_REFUSED,
    Refusal,
    Upload,
    failure_reason,
)
from tests.node.web.world import World
from tests.synthetic import write_ct_dataset

START = PartStart({"content-type": "application/dicom"})


@pytest.fixture
def upload(world: World) -> Upload:
    return Upload(world.spool, world.config, "PACS", "stow1", CounterBuffer())


def take(upload: Upload, *events: Event) -> None:
    for event in events:
        upload.take(event)


def dicom() -> bytes:
    return dicom_of(write_ct_dataset())


def dicom_of(ds: Dataset) -> bytes:
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_bytes_may_come_one_by_one(upload: Upload, world: World) -> None:
    data = dicom()
    pieces = [PartData(data[i : i + 1]) for i in range(700)] + [PartData(data[700:])]
    take(upload, START, *pieces, PartEnd())
    assert len(upload.result.stored) == 1
    assert world.spool.admit_incoming() == 1


def test_the_association_and_the_totals_are_noted(upload: Upload, world: World) -> None:
    take(upload, START, PartData(dicom()), PartEnd(), START, PartData(b"?" * 200), PartEnd())
    upload.close()
    world.spool.admit_incoming()
    with world.database.connect() as connection:
        (row,) = connection.execute(sa.select(associations))
        totals = read_counts(connection)
    assert (row.source_ae, row.outcome, row.instance_count) == ("PACS", "RELEASED", 1)
    assert totals["stow_instances", "stored"] == totals["stow_instances", "refused"] == 1


def test_half_an_instance_leaves_nothing(upload: Upload, world: World) -> None:
    take(upload, START, PartData(dicom()[:5000]))
    upload.close()
    assert upload.result.stored == []
    assert not list((world.config.node.data_dir / "incoming").rglob("*.dcm"))


def test_a_head_that_says_it_is_endless_is_not_collected(upload: Upload) -> None:
    data = dicom()
    take(upload, START, PartData(data[:140] + META_LIMIT_BYTES.to_bytes(4, "little")))
    assert [failed.reason for failed in upload.result.failed] == [CANNOT_UNDERSTAND]


def test_another_kind_of_part_is_refused(upload: Upload) -> None:
    take(upload, PartStart({"content-type": "text/plain"}), PartData(dicom()), PartEnd())
    assert [failed.reason for failed in upload.result.failed] == [0xC000]


@pytest.mark.parametrize("which", ["MediaStorageSOPInstanceUID", "TransferSyntaxUID"])
def test_a_uid_that_is_none_is_named_nowhere(
    upload: Upload, which: str, caplog: pytest.LogCaptureFixture
) -> None:
    ds = write_ct_dataset()
    data, uid = dicom_of(ds), str(ds.file_meta[which].value)
    odd = data.replace(uid.encode(), b"SECRET\n".ljust(len(uid)), 1)
    take(upload, PartStart({}), PartData(odd), PartEnd())
    (failed,) = upload.result.failed
    assert (failed.reason, failed.sop_instance_uid) == (CANNOT_UNDERSTAND, "")
    assert "SECRET" not in caplog.text


def test_a_body_of_nothing_but_refusals_ends(upload: Upload) -> None:
    """Each would be kept in memory, and be a line of the log."""
    parts: list[Event] = [PartStart({}), PartEnd()] * (MOST_REFUSED - 1)
    take(upload, *parts)
    upload.take(PartStart({}))
    with pytest.raises(MultipartError, match="10000 instances were refused"):
        upload.take(PartEnd())


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SpoolFull(""), 0xA700),
        (InstanceMismatch(""), 0xA900),
        (UnreadableDataset(""), 0xC000),
        (Refusal(CLASS_NOT_SUPPORTED, ""), 0x0122),
    ],
)
def test_failure_reasons(error: Exception, reason: int) -> None:
    assert failure_reason(error) == reason
