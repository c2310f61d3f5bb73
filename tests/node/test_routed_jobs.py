from __future__ import annotations

from node.assembly import SeriesState
from node.config import RouteSettings
from node.routed_jobs import first_state, model_of, state_after
from node.routing import Explanation, Outcome, StackFinding
from node.stacks import Stack
from pipelines import catalog


def finding(outcome: Outcome) -> StackFinding:
    return StackFinding(Stack((), "axial CT", ""), outcome, "why")


def test_the_state_of_a_series_follows_its_stacks() -> None:
    def state(*outcomes: Outcome) -> SeriesState:
        return state_after(Explanation(tuple(map(finding, outcomes))))

    assert state(Outcome.TAKEN, Outcome.SET_ASIDE) == SeriesState.ROUTED
    assert state(Outcome.UNROUTED, Outcome.REFUSED) == SeriesState.REFUSED
    assert state(Outcome.UNROUTED) == SeriesState.UNROUTED
    assert state() == SeriesState.UNROUTED


def test_a_refused_job_carries_the_gates_sentence() -> None:
    assert [str(part) for part in first_state(finding(Outcome.REFUSED))] == ["REFUSED", "why"]
    assert [str(part) for part in first_state(finding(Outcome.TAKEN))] == ["QUEUED", ""]


def test_the_model_is_named_to_the_bit_with_all_parameters() -> None:
    card = catalog.card("ldct_denoise")
    asked = model_of(RouteSettings(name="r", pipeline="ldct_denoise"))
    assert asked["model"] == f"{card.name}@{card.version}"
    assert asked["weights_sha256"] == card.weights.sha256
    assert set(asked["parameters"]) == set(card.parameters)
