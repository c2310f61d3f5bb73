"""Routing: which rule takes a stack, and why each of the others does not.

Synthetic images are never taken (five signs). A rule matches when all conditions of its `when` hold
in every image. The first matching rule whose pipeline recognises the stack takes it; a rule that
names a description, a protocol, a dose or the sender is the site's own word, and is believed
without recognition. Where the recognition is in doubt (below 0.8), or hints contradict each other,
a person decides. The gate of the pipeline then accepts or refuses, with a sentence. What a rule
asks for and cannot take (synthetic, not recognised) is refused as well: a job says why.

Everything here is pure: headers and settings in, an explanation out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydicom import Dataset

from dicom_profiles.errors import ProfileError
from dicom_profiles.recognition.series import Recognition, synthetic_signs
from dicom_profiles.sources.series import SourceInstance
from dicom_profiles.sources.source import Source, source_of
from node.assembling.stacks import Stack, split_series
from node.config import RouteSettings
from node.routing.conditions import Condition, Finding, parse_conditions
from pipelines import catalog, gates
from pipelines.contract import GateVerdict

CONTRADICTORY = 0.5
"""Up to this confidence hints contradict each other: not even the site's word is enough."""

SITE_WORDS = (
    "SeriesDescription",
    "StudyDescription",
    "ProtocolName",
    "PerformedProcedureStepDescription",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
    "ProcedureCodeSequence",
    "ImageComments",
    "CTDIvol",
    "Exposure",
    "XRayTubeCurrent",
    "StationName",
    "DeviceSerialNumber",
    "SeriesInstanceUID",
    "source_ae",
)
"""A condition on one of these says what the series is, by the site's own word."""

SITE_MAY_SAY = (
    "If they are, let the rule name their description, protocol, dose or sender: by these the site "
    "says so itself."
)


class Outcome(StrEnum):
    """What becomes of a stack."""

    TAKEN = "taken"  # a rule takes it and the gate accepts it
    HELD = "held"  # a rule takes it, but what it is is in doubt: a person decides
    REFUSED = "refused"  # a rule takes it and the gate refuses it
    SET_ASIDE = "set_aside"  # refused, while another stack of the series was accepted
    UNROUTED = "unrouted"  # no rule takes it


@dataclass(frozen=True)
class Rule:
    """A route with its conditions understood.

    Attributes:
        settings: as configured.
        conditions: of its `when`.
        asked_for: a person named the pipeline: every acquired stack goes to its gate.
    """

    settings: RouteSettings
    conditions: tuple[Condition, ...]
    asked_for: bool = False

    @property
    def site_word(self) -> bool:
        """Whether the rule itself says what the series is."""
        return self.asked_for or any(
            condition.keyword.split(".")[0] in SITE_WORDS and not condition.negative
            for condition in self.conditions
        )


@dataclass(frozen=True)
class RuleFinding:
    """One rule held against one stack.

    Attributes:
        route: its name.
        pipeline: to which it leads.
        conditions: each with what was wanted and found.
        recognition: what the pipeline thinks of the stack.
        recognised: it is surely what the pipeline translates.
        takes: all conditions hold, and it is recognised or the site's word counts.
        reason: one sentence.
        input_key: which input of the pipeline it is, "" when it is none.
        doubt: why a person has to decide first, "" when nobody has to.
    """

    route: str
    pipeline: str
    conditions: tuple[Finding, ...]
    recognition: Recognition
    recognised: bool
    takes: bool
    reason: str
    input_key: str = ""
    doubt: str = ""

    @property
    def matches(self) -> bool:
        """Whether all conditions hold."""
        return all(condition.holds for condition in self.conditions)

    @property
    def asks(self) -> bool:
        """Whether it names such images, be it that they cannot be taken."""
        return self.takes or (bool(self.conditions) and self.matches)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "route": self.route,
            "pipeline": self.pipeline,
            "matches": self.matches,
            "takes": self.takes,
            "reason": self.reason,
            "input": self.input_key or None,
            "conditions": [condition.to_json() for condition in self.conditions],
            "recognition": {
                "kind": self.recognition.kind,
                "confidence": round(self.recognition.confidence, 2),
                "reasons": list(self.recognition.reasons),
            },
        }


@dataclass(frozen=True, eq=False)
class StackFinding:
    """What becomes of one stack, and why.

    Attributes:
        stack: the images.
        outcome: what becomes of it.
        reason: one sentence.
        signs: why it counts as synthetic; none for an acquired one.
        rules: every rule, in order.
        taken_by: the first rule that takes it, or asks for what is refused.
        gate: what the pipeline's gate says of this stack alone; None when no rule takes it, or
            when the pipeline takes it only together with another.
        source: the stack, proven to be one grid or one projection; None when it is not.
    """

    stack: Stack
    outcome: Outcome
    reason: str
    signs: tuple[str, ...] = ()
    rules: tuple[RuleFinding, ...] = ()
    taken_by: RuleFinding | None = None
    gate: GateVerdict | None = None
    source: Source | None = None

    @property
    def input_key(self) -> str:
        """Which input of the pipeline it is, "" when no rule takes it."""
        return self.taken_by.input_key if self.taken_by else ""

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        taken, gate = self.taken_by, self.gate
        return {
            "label": self.stack.label,
            "instances": len(self.stack.instances),
            "difference": self.stack.difference,
            "outcome": str(self.outcome),
            "reason": self.reason,
            "synthetic": list(self.signs),
            "route": taken.route if taken else None,
            "pipeline": taken.pipeline if taken else None,
            "input": self.input_key or None,
            "gate": {"accepted": gate.accepted, "reasons": list(gate.reasons)} if gate else None,
            "rules": [rule.to_json() for rule in self.rules],
        }


@dataclass(frozen=True, eq=False)
class Explanation:
    """The decision about a series: every stack, every rule, every condition."""

    stacks: tuple[StackFinding, ...]

    @property
    def reason(self) -> str:
        """The decision in one or two sentences."""
        if not self.stacks:
            return "There are no images."
        aside = [one.stack for one in self.stacks[1:] if one.outcome == Outcome.SET_ASIDE]
        if not aside:
            return " ".join(dict.fromkeys(one.reason for one in self.stacks))
        images = sum(len(stack.instances) for stack in aside)
        labels = ", ".join(sorted({stack.label for stack in aside}))
        return f"{self.stacks[0].reason} {images} other image(s) were set aside ({labels})."

    @property
    def asked_for(self) -> tuple[StackFinding, ...]:
        """The stacks that a rule takes or asks for, be it that they are refused."""
        return tuple(one for one in self.stacks if one.taken_by is not None)

    @property
    def refused(self) -> tuple[StackFinding, ...]:
        """The stacks of which refused jobs are made: every projection, else the largest stack."""
        found = [one for one in self.stacks if one.outcome == Outcome.REFUSED]
        largest = [one for one in found if not one.stack.is_projection][:1]
        return (*largest, *(one for one in found if one.stack.is_projection))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"reason": self.reason, "stacks": [stack.to_json() for stack in self.stacks]}


def compile_rules(routes: Sequence[RouteSettings]) -> tuple[Rule, ...]:
    """Understand the routes once.

    Raises:
        ConditionError: a condition cannot be understood.
    """
    return tuple(Rule(route, parse_conditions(route.when)) for route in routes)


def route_series(
    rules: Sequence[Rule], instances: Sequence[SourceInstance], source_ae: str
) -> Explanation:
    """Decide about a whole series; the order of its images does not matter.

    Args:
        rules: in order of precedence.
        instances: all images of the series.
        source_ae: AE title of the sender.
    """
    found = [route_stack(rules, stack, source_ae) for stack in split_series(instances)]
    if any(one.outcome in (Outcome.TAKEN, Outcome.HELD) for one in found):
        found = [_set_aside(one) for one in found]
    order = list(Outcome)[:2]
    found.sort(key=lambda one: (one.outcome not in order, -len(one.stack.instances)))
    return Explanation(tuple(found))


def _set_aside(finding: StackFinding) -> StackFinding:
    if finding.outcome != Outcome.REFUSED or finding.stack.is_projection:
        return finding
    return replace(finding, outcome=Outcome.SET_ASIDE)


def route_stack(rules: Sequence[Rule], stack: Stack, source_ae: str) -> StackFinding:
    """Decide about one stack: synthetic, conditions, recognition, gate."""
    headers = stack.headers
    signs = next((tuple(found) for one in headers if (found := synthetic_signs(one))), ())
    recognised: dict[str, tuple[Recognition, str | None]] = {}
    findings = tuple(hold_rule(rule, headers, source_ae, recognised) for rule in rules)
    if signs:
        reason = f"It is synthetic ({signs[0].rstrip('.')}); only acquired images are translated."
        return _not_taken(stack, reason, signs, findings)
    takers = [finding for finding in findings if finding.takes]
    # A rule that is in doubt does not take what a later one surely recognises.
    taken = next((one for one in takers if not one.doubt), takers[0] if takers else None)
    if taken is None:
        return _not_taken(stack, why_not_taken(findings, headers), signs, findings)
    verdict, source = judge(taken, stack.instances)
    if verdict is not None and not verdict.accepted:
        outcome, reason = Outcome.REFUSED, verdict.reason
    elif taken.doubt:
        outcome, reason = Outcome.HELD, taken.doubt
    else:
        outcome, reason = Outcome.TAKEN, f"Route '{taken.route}' takes it to {taken.pipeline}."
    return StackFinding(stack, outcome, reason, signs, findings, taken, verdict, source)


def _not_taken(
    stack: Stack, reason: str, signs: tuple[str, ...], findings: tuple[RuleFinding, ...]
) -> StackFinding:
    """Refused where a rule asks for such images, else nobody's."""
    asking = next((finding for finding in findings if finding.asks), None)
    outcome = Outcome.REFUSED if asking else Outcome.UNROUTED
    return StackFinding(stack, outcome, reason, signs, findings, asking)


def hold_rule(
    rule: Rule,
    headers: Sequence[Dataset],
    source_ae: str,
    recognised: dict[str, tuple[Recognition, str | None]],
) -> RuleFinding:
    """Hold one rule against a stack.

    Args:
        rule: the rule.
        headers: of all images.
        source_ae: AE title of the sender.
        recognised: what pipelines thought of this stack; asked once a pipeline.
    """
    pipeline = rule.settings.pipeline
    if pipeline not in recognised:
        recognised[pipeline] = gates.recognise(pipeline, headers)
    seen, key = recognised[pipeline]
    conditions = tuple(condition.evaluate(headers, source_ae) for condition in rule.conditions)
    failed = next((condition for condition in conditions if not condition.holds), None)
    known = key is not None and seen.confidence >= gates.accepted_confidence(pipeline)
    takes = failed is None and (key is not None or rule.site_word)
    believed = known or (rule.site_word and seen.confidence > CONTRADICTORY)
    doubt = "" if believed or key is None else _doubt(seen, key)
    reason = _why(rule, failed, seen, known=known) if not (takes and doubt) else doubt
    name, input_key = rule.settings.name, key or only_input(pipeline) or ""
    return RuleFinding(name, pipeline, conditions, seen, known, takes, reason, input_key, doubt)


def only_input(pipeline: str) -> str | None:
    """The input of a pipeline that has but one: the site's word is then enough to name it."""
    keys = tuple(catalog.card(pipeline).inputs)
    return keys[0] if len(keys) == 1 else None


def _doubt(seen: Recognition, key: str) -> str:
    return (
        f"It is not certain that this is the input {key} ({seen.kind}, confidence "
        f"{seen.confidence:.1f}: {' '.join(seen.reasons)}) Look at the images, then release or "
        "cancel the job."
    )


def _why(rule: Rule, failed: Finding | None, seen: Recognition, *, known: bool) -> str:
    """One sentence about a rule that takes a stack or does not."""
    if failed:
        return f"{failed.keyword}: wanted {failed.wanted}, found {failed.found}."
    if rule.asked_for:
        return "A person asked for this pipeline."
    if known:
        return f"All conditions hold, and the images are recognised ({seen.kind})."
    if rule.site_word:
        return "All conditions hold, and they are the site's own word."
    told = f"the images are not recognised as what {rule.settings.pipeline} translates "
    told += " ".join((f"({seen.kind}).", *seen.reasons))
    return told if seen.confidence >= gates.SURE else f"{told} {SITE_MAY_SAY}"


def why_not_taken(findings: Sequence[RuleFinding], headers: Sequence[Dataset]) -> str:
    """Why no rule takes a stack: each that asks for it, else the one that came nearest."""
    if not findings:
        return "No routes are configured."
    asking = [one for one in findings if one.asks]
    if asking:
        return " ".join(f"Route '{one.route}' does not take it: {one.reason}" for one in asking)
    modality = headers[0].get("Modality")
    nearest = max(findings, key=lambda one: _nearness(one, modality))
    return f"No rule takes it. Nearest is '{nearest.route}': {nearest.reason}"


def _nearness(finding: RuleFinding, modality: str | None) -> tuple[float, bool]:
    """The share of the conditions that hold, then whether the pipeline takes this modality."""
    held = [condition.holds for condition in finding.conditions] or [True]
    inputs = catalog.card(finding.pipeline).inputs.values()
    return sum(held) / len(held), any(one.scope.modality == modality for one in inputs)


def judge(
    rule: RuleFinding, instances: Sequence[SourceInstance]
) -> tuple[GateVerdict | None, Source | None]:
    """The gate's verdict from headers about a stack alone, and the stack as a source.

    A stack that is no regular grid is refused as well. There is no verdict where the pipeline
    takes such an input only together with another (`node.routing.pairing`).
    """
    seen = rule.recognition
    sure = not rule.recognised and seen.confidence >= gates.SURE
    # "This is no CT image" helps a technologist more than what such an object lacks.
    other_kind = seen.reasons if sure else ()
    try:
        source = source_of(instances)
    except ProfileError as error:
        return GateVerdict.from_reasons((*other_kind, str(error))), None
    if not rule.input_key:
        reasons = " ".join(seen.reasons)
        text = f"It is no input of {rule.pipeline} ({seen.kind}: {reasons})"
        return GateVerdict.from_reasons((text,)), source
    if (rule.input_key,) not in catalog.card(rule.pipeline).accepted_sets:
        return None, source
    verdict = gates.gate(rule.pipeline, {rule.input_key: source})
    if verdict.accepted and other_kind:
        verdict = GateVerdict.from_reasons(other_kind)
    return verdict, source
