from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, generate_uid
from pynetdicom.dsutils import encode
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityPerformedProcedureStep,
    Verification,
)

from node.assembler import Assembler
from node.config import Config
from node.database.tables import open_database
from node.receiving.performed_steps import (
    StepReport,
    create_step,
    performed_count,
    read_step,
    set_step,
)
from node.spooling.elements import EXPLICIT, IMPLICIT
from tests.node.feeding import feed, look_until_decided, series_rows
from tests.node.feeding import make_config as feeding_config
from tests.node.receiving.running import associate, make_config, running_receiver
from tests.servers import wait_until
from tests.synthetic import write_ct_series

SERIES = "1.2.840.99999.7"


def step_dataset(status: str = "", series: Mapping[str, int] | None = None) -> Dataset:
    ds = Dataset()
    if status:
        ds.PerformedProcedureStepStatus = status
    if series is not None:
        ds.PerformedSeriesSequence = Sequence()
    for uid, count in (series or {}).items():
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedImageSequence = Sequence([reference() for _ in range(count)])
        item.ReferencedNonImageCompositeSOPInstanceSequence = Sequence()
        ds.PerformedSeriesSequence.append(item)
    return ds


def reference() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = generate_uid()
    return item


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    made = make_config(tmp_path)
    with running_receiver(made):
        yield made


@pytest.mark.parametrize("implicit", [True, False])
def test_a_step_is_read(implicit: bool) -> None:
    series = {SERIES: 1500, SERIES + ".1": 0}
    data = encode(step_dataset("COMPLETED", series), implicit, True)
    assert data is not None
    found = read_step(data, IMPLICIT if implicit else EXPLICIT)
    assert found == StepReport("COMPLETED", series)
    assert read_step(b"") == StepReport("", None)


def test_a_series_that_nothing_can_be_named_after_is_not_kept() -> None:
    data = encode(step_dataset("IN PROGRESS", {SERIES: 1, SERIES + ".1": 2}), False, True)
    assert data is not None
    data = data.replace(f"{SERIES}.1".encode(), f"{SERIES}.x".encode())
    assert read_step(data) == StepReport("IN PROGRESS", {SERIES: 1})


def test_an_ended_step_counts_and_is_changed_no_more(config: Config) -> None:
    database = open_database(config.node)
    uid = generate_uid()
    contexts = [build_context(ModalityPerformedProcedureStep), build_context(Verification)]
    scanner = associate(config, contexts=contexts)
    try:

        def create(status: str) -> int:
            answer, _ = scanner.send_n_create(
                step_dataset(status, {}), ModalityPerformedProcedureStep, uid
            )
            return int(answer.Status)

        def change(status: str, series: Mapping[str, int] | None, step: str = uid) -> int:
            answer, _ = scanner.send_n_set(
                step_dataset(status, series), ModalityPerformedProcedureStep, step
            )
            return int(answer.Status)

        assert create("COMPLETED") == 0x0106
        assert change("", {SERIES: 3}) == 0x0112
        assert create("IN PROGRESS") == 0x0000
        assert create("IN PROGRESS") == 0x0111
        assert change("", {SERIES: 3}) == 0x0000
        assert performed_count(database, SERIES) is None  # not before it has ended
        assert change("MAYBE", None) == 0x0106
        assert change("COMPLETED", {SERIES: 30}) == 0x0000
        assert performed_count(database, SERIES) == 30
        assert change("COMPLETED", {SERIES: 31}) == 0x0110
        assert performed_count(database, SERIES) == 30
        assert performed_count(database, SERIES + ".9") is None
        assert scanner.send_c_echo().Status == 0x0000
    finally:
        scanner.release()
        database.dispose()


def test_lists_count_that_came_when_steps_began(tmp_path: Path) -> None:
    """Two steps may have made images of one series; a step without a UID is none."""
    database = open_database(make_config(tmp_path).node)
    for uid in ("", "../../x", "1." * 5000 + "1", "1.2\n"):
        assert create_step(database, uid, StepReport("IN PROGRESS"), "CT1") == 0x0106
    for uid, count in (("1.2.3", 4), ("1.2.4", 2)):
        assert create_step(database, uid, StepReport("IN PROGRESS", {SERIES: count}), "CT1") == 0
    assert set_step(database, "1.2.3", StepReport("COMPLETED")) == 0
    assert performed_count(database, SERIES) == 4
    assert set_step(database, "1.2.4", StepReport("DISCONTINUED")) == 0
    assert performed_count(database, SERIES) == 6
    database.dispose()


def test_its_list_completes_a_series_before_the_quiet_time(tmp_path: Path) -> None:
    config = feeding_config(
        tmp_path,
        node={"data_dir": str(tmp_path / "data")},
        assembly={"quiet_s": 300, "limit_s": 600},
    )
    database = open_database(config.node)
    assembler = Assembler(config, database)
    create_step(database, "1.2.3", StepReport("IN PROGRESS"), "CT1")
    paths = write_ct_series(tmp_path / "ct", slices=20, series_uid=SERIES)
    feed(assembler.spool, paths[:15])
    set_step(database, "1.2.3", StepReport("COMPLETED", {SERIES: 20}))
    wait_until(lambda: missing_five(assembler), 60, "the sentence about what is missing")
    feed(assembler.spool, paths[15:])
    (row,) = look_until_decided(assembler)
    assert (row.evidence["kind"], row.revision) == ("performed_step", 1)
    assert row.evidence["facts"]["performed_step_count"] == 20
    assembler.close()
    database.dispose()


def missing_five(assembler: Assembler) -> bool:
    assembler.look()
    rows = series_rows(assembler.database)
    return bool(rows) and "step made 20 images, 15 are here" in str(rows[0].reason)
