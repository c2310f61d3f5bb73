"""Assembly: is a series complete, and by what evidence? Pure: facts and time in, a decision out.

Evidence, the strongest first:

    forced          a person said so
    peer count      the sender, asked by C-FIND, holds as many images as are here
    step            the scanner's performed procedure step (MPPS) ended and lists as many
    image count     Images in Acquisition is reached without a gap
    no gap          the slices follow each other regularly, and none came for the quiet time
    released        the association was released, and none came for the quiet time
    quiet           none came for the quiet time
    limit           too long since the first image: taken as it is, with what is missing said

A sender that holds more images, or a gap between the slices, makes us wait until the limit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from node.assembling.positions import Positions
from node.config import AssemblySettings

SETTLE_S = 1.0
"""No evidence but a person's word counts while an image came within this time (or quiet_s, when
that is less): a sender that forwards image by image holds, for a moment, as many as are here."""

QUESTION_S = 5.0
"""How long the decision waits for the sender's answer."""

ASK_AGAIN_S = 10.0
"""An answer that says that images are missing is asked for again after this time."""

ABORTED_FACTOR = 2.0
"""After an aborted association the sender may try again: the quiet time counts this many times."""


class SeriesState(StrEnum):
    """Where a series is."""

    RECEIVING = "RECEIVING"  # images arrive, or are waited for
    COMPLETE = "COMPLETE"  # complete by evidence; the rules are asked next
    ROUTED = "ROUTED"  # a rule takes it: there is a job
    REFUSED = "REFUSED"  # a rule takes it, its pipeline's gate does not: a refused job says why
    UNROUTED = "UNROUTED"  # no rule takes it; the reason says why


OPEN = (SeriesState.RECEIVING, SeriesState.COMPLETE)
"""States in which the assembler still has something to do."""


class EvidenceKind(StrEnum):
    """What showed that a series is complete."""

    FORCED = "forced"
    PEER_COUNT = "peer_count"
    PERFORMED_STEP = "performed_step"
    IMAGE_COUNT = "image_count"
    NO_GAP = "no_gap"
    RELEASED = "released"
    QUIET = "quiet"
    LIMIT = "limit"
    FOLDER = "folder"  # offline: the folder is all there is


@dataclass(frozen=True)
class Evidence:
    """Why a series counts as complete.

    Attributes:
        kind: the strongest evidence that there was.
        sentence: for people.
        findings: what may be missing all the same; none when nothing is known to be.
        facts: counts and seconds, for machines.
    """

    kind: EvidenceKind
    sentence: str
    findings: tuple[str, ...]
    facts: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "kind": str(self.kind),
            "sentence": self.sentence,
            "findings": list(self.findings),
            "facts": dict(self.facts),
        }


@dataclass(frozen=True)
class PeerAnswer:
    """What the sender says by C-FIND.

    Attributes:
        asked: when.
        instances: how many of our images there were when it was asked.
        count: how many it holds; None when it has not answered (yet) or cannot say.
        pending: the answer is still awaited.
    """

    asked: datetime
    instances: int
    count: int | None
    pending: bool = False


@dataclass(frozen=True)
class SeriesFacts:
    """Everything that the decision may rest on.

    Attributes:
        instances: how many images are here.
        opened: arrival of the first image of this revision.
        last_received: arrival of the latest image.
        forced: a person said that it is complete.
        released: the latest association ended so; None when it has not ended or is unknown.
        can_ask: the sender is a peer that may be asked.
        answer: the sender's latest answer.
        performed: images that the scanner's ended procedure steps list; None when none lists any.
        positions: what the slice positions show.
        gone: images that were here before, and that retention has deleted.
    """

    instances: int
    opened: datetime
    last_received: datetime
    forced: bool = False
    released: bool | None = None
    can_ask: bool = False
    answer: PeerAnswer | None = None
    performed: int | None = None
    positions: Positions = field(default_factory=Positions)
    gone: int = 0


@dataclass(frozen=True)
class AssemblyDecision:
    """What to do about a series now.

    Attributes:
        complete: it is.
        evidence: why, when complete.
        reason: one sentence, also while waiting.
        ask: ask the sender how many images it holds.
        again_at: when to decide again if nothing happens before.
    """

    complete: bool
    evidence: Evidence | None
    reason: str
    ask: bool
    again_at: datetime


def decide(facts: SeriesFacts, settings: AssemblySettings, now: datetime) -> AssemblyDecision:
    """Decide whether a series is complete.

    Args:
        facts: what is known about it.
        settings: quiet time and limit.
        now: the time, with its zone.
    """
    if facts.forced:
        return _complete(EvidenceKind.FORCED, "A person said that it is complete.", facts, now)
    settled_at = facts.last_received + timedelta(seconds=min(SETTLE_S, settings.quiet_s))
    limit_at = facts.opened + timedelta(seconds=settings.limit_s)
    if now < settled_at:
        return _wait(f"{_images(facts.instances)}, still arriving.", settled_at)
    ask = _should_ask(facts, now)
    if now >= limit_at:
        text = f"The limit of {settings.limit_s:g} s is over; it is taken as it is."
        return _complete(EvidenceKind.LIMIT, text, facts, now)
    strong = _by_counts(facts)
    if strong:
        return _complete(*strong, facts, now)
    missing = what_is_missing(facts)
    if missing:
        text = f"{missing[0]} Waiting until {limit_at.astimezone():%H:%M:%S} at most."
        return _wait(text, min(limit_at, now + timedelta(seconds=ASK_AGAIN_S)), ask)
    return _by_silence(facts, settings, now, ask)


def _by_counts(facts: SeriesFacts) -> tuple[EvidenceKind, str] | None:
    """The evidence of counts, which needs no quiet time."""
    n, answer, positions = facts.instances, facts.answer, facts.positions
    if positions.regular is False:
        return None
    if answer and answer.instances == n and answer.count == n:
        return EvidenceKind.PEER_COUNT, f"The sender holds {_images(n)}, and {_all(n)} here."
    if facts.performed == n:
        text = f"The scanner's procedure step made {_images(n)}, and {_all(n)} here."
        return EvidenceKind.PERFORMED_STEP, text
    if positions.regular and positions.images_in_acquisition == n:
        text = f"The scanner announced {_images(n)}, and {_all(n)} here without a gap."
        return EvidenceKind.IMAGE_COUNT, text
    return None


def _by_silence(
    facts: SeriesFacts, settings: AssemblySettings, now: datetime, ask: bool
) -> AssemblyDecision:
    """The evidence of quiet time, weaker or stronger by what else is known."""
    quiet_s = settings.quiet_s * (ABORTED_FACTOR if facts.released is False else 1.0)
    due = facts.last_received + timedelta(seconds=quiet_s)
    if now < due:
        return _wait(f"{_images(facts.instances)}; waiting for {quiet_s:g} s of quiet.", due, ask)
    answer = facts.answer
    question_ends = (answer.asked if answer and answer.pending else now) + timedelta(
        seconds=QUESTION_S
    )
    if ask or (answer and answer.pending and now < question_ends):
        return _wait("The sender is being asked how many images it holds.", question_ends, ask)
    quiet = f"none for {quiet_s:g} s"
    if facts.positions.regular:
        text = f"{facts.instances} images follow each other without a gap, {quiet}."
        return _complete(EvidenceKind.NO_GAP, text, facts, now)
    if facts.released:
        text = f"{_images(facts.instances)}, the association was released, {quiet}."
        return _complete(EvidenceKind.RELEASED, text, facts, now)
    return _complete(EvidenceKind.QUIET, f"{_images(facts.instances)}, {quiet}.", facts, now)


def what_is_missing(facts: SeriesFacts) -> list[str]:
    """What shows that images are missing, one sentence each."""
    found = []
    if facts.gone:
        text = f"{_images(facts.gone)} of this series {_is(facts.gone)} no longer kept here"
        found.append(f"{text}; send the whole series again.")
    answer, here = facts.answer, f"{facts.instances} {_is(facts.instances)} here."
    if answer and answer.count is not None and answer.count > facts.instances:
        found.append(f"The sender holds {_images(answer.count)}, {here}")
    if facts.performed is not None and facts.performed > facts.instances:
        found.append(f"The scanner's procedure step made {_images(facts.performed)}, {here}")
    if facts.positions.regular is False:
        found.append(facts.positions.finding)
    return found


def _should_ask(facts: SeriesFacts, now: datetime) -> bool:
    """Ask once for each count of images, and again while the sender holds more."""
    answer = facts.answer
    if not facts.can_ask or (answer and answer.pending):
        return False
    if answer is None or answer.instances != facts.instances:
        return True
    return bool(what_is_missing(facts)) and now >= answer.asked + timedelta(seconds=ASK_AGAIN_S)


def _wait(reason: str, again_at: datetime, ask: bool = False) -> AssemblyDecision:
    return AssemblyDecision(False, None, reason, ask, again_at)


def _complete(
    kind: EvidenceKind, sentence: str, facts: SeriesFacts, now: datetime
) -> AssemblyDecision:
    findings = tuple(what_is_missing(facts))
    answer, positions = facts.answer, facts.positions
    record = {
        "instances": facts.instances,
        "seconds_since_first": round((now - facts.opened).total_seconds(), 1),
        "seconds_since_last": round((now - facts.last_received).total_seconds(), 1),
        "sender_count": answer.count if answer else None,
        "performed_step_count": facts.performed,
        "slices_regular": positions.regular,
        "images_in_acquisition": positions.images_in_acquisition,
        "association_released": facts.released,
    }
    evidence = Evidence(kind, sentence, findings, record)
    return AssemblyDecision(True, evidence, " ".join((sentence, *findings)), False, now)


def folder_evidence(instances: int, positions: Positions) -> Evidence:
    """Offline: the folder is all there is, and a gap is said all the same."""
    findings = (positions.finding,) if positions.finding else ()
    facts = {"instances": instances, "slices_regular": positions.regular}
    return Evidence(EvidenceKind.FOLDER, f"The folder holds {_images(instances)}.", findings, facts)


def _images(count: int) -> str:
    return f"{count} image" if count == 1 else f"{count} images"


def _all(count: int) -> str:
    return "it is" if count == 1 else "all are"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
