"""Counts that everybody who looks shares, and for how long they are good."""

from __future__ import annotations

from node.web.search import Search
from node.web.tally import GOOD_FOR_S, Tally
from tests.node.query_plans import asked
from tests.node.web.conftest import SendSeries
from tests.node.web.world import World


def test_a_count_is_good_for_longer_the_more_is_remembered(
    world: World, send_series: SendSeries
) -> None:
    now = [100.0]
    tally = Tally(lambda: now[0])

    def counted(show: str) -> tuple[int, bool]:
        with asked(world.database) as steps, world.database.connect() as connection:
            found = tally.count(connection, Search(show))
        return found, bool(steps)

    for _ in range(3):
        send_series()
    world.assemble()
    assert counted("working") == (3, True)
    send_series()
    now[0] += 2.5 * GOOD_FOR_S
    assert counted("working") == (3, False)
    assert counted("all") == (3, False)
    assert counted("attention") == (0, True)
    now[0] += GOOD_FOR_S
    assert counted("all") == (4, True)
    assert counted("working") == (4, True)


def test_with_nothing_here_every_look_counts(world: World, send_series: SendSeries) -> None:
    tally = Tally(lambda: 100.0)
    with world.database.connect() as connection:
        assert tally.count(connection, Search()) == 0
        send_series()
        assert tally.count(connection, Search()) == 1


def test_counts_that_are_no_longer_good_are_let_go(world: World, send_series: SendSeries) -> None:
    now = [100.0]
    tally = Tally(lambda: now[0])
    send_series()
    with world.database.connect() as connection:
        for number in range(50):
            tally.count(connection, Search(find=f"1.2.3{number}"))
            now[0] += 1.0
    assert len(tally._known) <= 2
