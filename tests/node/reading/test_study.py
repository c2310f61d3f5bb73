from __future__ import annotations

import pytest

from node.reading.errors import UnknownReading
from tests.node.reading.conftest import Made


def test_each_reader_has_an_order_of_their_own_that_stays(made: Made) -> None:
    study = made.reading.study
    first, second = (study.order_of(reader.alias) for reader in study.readers)
    assert sorted(first) == sorted(second) == list(study.cases)
    assert study.order_of("R1") == first
    orders = {study.order_of(f"R{number}") for number in range(60)}
    assert len(orders) > 12  # of the 24 that four cases have
    assert study.case_at("R1", 1) == first[0]
    with pytest.raises(UnknownReading, match="cases 1 to 4, got 5"):
        study.case_at("R1", 5)


def test_a_link_names_its_reader_and_stands_nowhere(made: Made) -> None:
    study, links = made.reading.study, made.made.links
    assert {alias: study.reader_of(link).alias for alias, link in links.items()} == {
        "R1": "R1",
        "R2": "R2",
    }
    with pytest.raises(UnknownReading, match="whole link"):
        study.reader_of("x" * 22)
    text = (made.reading.folder / "study.json").read_text()
    assert not any(link in text for link in links.values())
