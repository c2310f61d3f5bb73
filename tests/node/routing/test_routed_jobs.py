from __future__ import annotations

from node.assembling.assembly import SeriesState
from node.assembling.stacks import Stack
from node.config import RouteSettings
from node.routing.pairing import Group, Member
from node.routing.routed_jobs import first_state, model_of, state_after
from node.routing.rules import Explanation, Outcome, StackFinding
from pipelines import catalog
from pipelines.contract import GateVerdict

ACCEPTED = GateVerdict.from_reasons(())
REFUSED = GateVerdict.from_reasons(("why",))


def finding(outcome: Outcome) -> StackFinding:
    return StackFinding(Stack((), "axial CT", ""), outcome, "why")


def group(outcome: Outcome = Outcome.TAKEN, verdict: GateVerdict = ACCEPTED) -> Group:
    return Group((Member("1.2.3", finding(outcome)),), (), (), verdict)


def test_the_state_of_a_series_follows_its_stacks_and_their_groups() -> None:
    def state(*outcomes: Outcome, groups: tuple[Group, ...] = ()) -> SeriesState:
        return state_after(Explanation(tuple(map(finding, outcomes))), groups)

    assert state(Outcome.TAKEN, Outcome.SET_ASIDE, groups=(group(),)) == SeriesState.ROUTED
    assert state(Outcome.TAKEN, groups=(group(verdict=REFUSED),)) == SeriesState.REFUSED
    assert state(Outcome.UNROUTED, Outcome.REFUSED) == SeriesState.REFUSED
    assert state(Outcome.UNROUTED) == SeriesState.UNROUTED
    assert state() == SeriesState.UNROUTED


def test_the_first_state_of_a_job_carries_its_sentence() -> None:
    def state(one: Group) -> list[str]:
        return [str(part) for part in first_state(one)]

    assert state(group(verdict=REFUSED)) == ["REFUSED", "why"]
    assert state(group(Outcome.HELD)) == ["HELD", "why"]
    assert state(group()) == ["QUEUED", ""]


def test_the_model_is_named_to_the_bit_with_all_parameters() -> None:
    card = catalog.card("ldct_denoise")
    asked = model_of(RouteSettings(name="r", pipeline="ldct_denoise"))
    assert asked["model"] == f"{card.name}@{card.version}"
    assert asked["weights_sha256"] == card.weights.sha256
    assert set(asked["parameters"]) == set(card.parameters)
