"""Which series are worth fetching, and what the fetched ones are for.

The routes of the pipeline decide, as they do for translation: what would be translated is an input
to learn from. Further roles (`PT` of a CT, say) are named by conditions in the same language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from pydicom.dataset import Dataset

from dicom_profiles.recognition.series import is_synthetic
from dicom_profiles.sources.series import SourceInstance
from node.assembling.stacks import split_series
from node.config import Config, RouteSettings
from node.errors import CommandError
from node.routing.conditions import Condition, ConditionError, parse_conditions
from node.routing.folder_decisions import FolderSeries, explain_folder, read_folder
from node.routing.rules import Outcome, Rule, compile_rules
from pipelines import catalog

WHY_LEFT = {
    Outcome.TAKEN: "The gate refuses its inputs together.",
    Outcome.HELD: "What it is is in doubt.",
    Outcome.REFUSED: "The pipeline refuses it.",
    Outcome.UNROUTED: "No route of the pipeline takes it.",
}


@dataclass(frozen=True)
class Wanted:
    """What is looked for.

    Attributes:
        pipeline: that is to be trained.
        rules: its routes; its own recognition where it has none.
        further: role to conditions for series besides the inputs.
        unpaired: further series are wanted without an input in their study, too.
    """

    pipeline: str
    rules: tuple[Rule, ...]
    further: Mapping[str, tuple[Condition, ...]]
    unpaired: bool = False

    def modalities(self) -> tuple[str, ...]:
        """Modalities that the inputs can have, from the model card."""
        inputs = catalog.card(self.pipeline).inputs.values()
        return tuple(dict.fromkeys(one.scope.modality for one in inputs))

    def worth_fetching(self, summary: Dataset) -> bool:
        """Whether what the index says about a series does not speak against it."""
        every = [rule.conditions for rule in self.rules] + list(self.further.values())
        return any(not _speaks_against(conditions, summary) for conditions in every)


@dataclass(frozen=True, eq=False)
class Chosen:
    """One stack to be kept.

    Attributes:
        role: key of the pipeline's input, or name of a further role.
        instances: of the stack.
        number: 2 and on for further stacks of the same series and role (mammograms).
    """

    role: str
    instances: tuple[SourceInstance, ...]
    number: int = 1

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID of the source."""
        return str(self.instances[0].header.SeriesInstanceUID)


def wanted_for(
    pipeline: str, config: Config, also: Sequence[str], *, unpaired: bool = False
) -> Wanted:
    """What is looked for to train a pipeline.

    Args:
        pipeline: its name.
        config: has its routes.
        also: `ROLE={Keyword: condition, ...}` for every further role.
        unpaired: further series are wanted without an input in their study, too.

    Raises:
        CommandError: a further role cannot be understood.
    """
    routes = [route for route in config.routes if route.pipeline == pipeline]
    rules = compile_rules(routes or [RouteSettings(name=pipeline, pipeline=pipeline)])
    return Wanted(pipeline, rules, dict(_role(words) for words in also), unpaired)


def choose(wanted: Wanted, folder: Path) -> tuple[list[Chosen], list[str]]:
    """What of a fetched study is kept, and why the rest is not.

    Returns:
        The stacks to keep, and one sentence for each series that is not kept.
    """
    decided = explain_folder(read_folder(folder), wanted.rules)
    inputs = list(_inputs(decided))
    further = list(_further(wanted, decided)) if inputs or wanted.unpaired else []
    kept = list(_numbered([*inputs, *further]))
    used = {one.series_instance_uid for one in kept}
    left = [_why_left(one) for one in decided if one.series_instance_uid not in used]
    return kept, left


def _further(wanted: Wanted, decided: Sequence[FolderSeries]) -> Iterator[Chosen]:
    """Stacks with further roles: the largest of a series; of single images, every one."""
    for series in decided:
        stacks = split_series(series.instances)
        single = len(stacks[0].instances) == 1
        for stack in stacks if single else stacks[:1]:
            for role, conditions in wanted.further.items():
                if _holds(conditions, stack.headers) and not any(map(is_synthetic, stack.headers)):
                    yield Chosen(role, stack.instances)


def _numbered(chosen: Sequence[Chosen]) -> Iterator[Chosen]:
    """Tell stacks of one series and role apart; a stack that comes again is left out."""
    stacks: dict[tuple[str, str], list[frozenset[str]]] = {}
    for one in chosen:
        known = stacks.setdefault((one.series_instance_uid, one.role), [])
        uids = frozenset(str(instance.header.SOPInstanceUID) for instance in one.instances)
        if uids not in known:
            known.append(uids)
            yield replace(one, number=len(known))


def _why_left(series: FolderSeries) -> str:
    """One of a few sentences: the explanation's own quotes headers, which may name somebody."""
    stacks = series.explanation.stacks
    if any(stack.signs for stack in stacks):
        return "It is synthetic."
    outcomes = {stack.outcome for stack in stacks}
    return next(
        (sentence for outcome, sentence in WHY_LEFT.items() if outcome in outcomes),
        "No further role takes it.",
    )


def _inputs(decided: Sequence[FolderSeries]) -> Iterator[Chosen]:
    """The stacks of every group that the gate accepts without a person's word, once a series."""
    for series in decided:
        for group in series.groups:
            if group.verdict.accepted and not group.held:
                yield from (Chosen(m.key, m.finding.stack.instances) for m in group.members)


def _role(words: str) -> tuple[str, tuple[Condition, ...]]:
    role, equals, text = words.partition("=")
    wanted = f"--also takes ROLE={{Keyword: condition}}, as 'PT={{Modality: PT}}'; got {words!r}"
    try:
        when = yaml.safe_load(text)
        if role.strip().isidentifier() and equals and isinstance(when, dict):
            return role.strip(), parse_conditions(when)
    except (yaml.YAMLError, ConditionError) as error:
        raise CommandError(f"{wanted}: {' '.join(str(error).split())}.") from error
    raise CommandError(f"{wanted}.")


def _speaks_against(conditions: Sequence[Condition], summary: Dataset) -> bool:
    """Whether a condition on something that the index knows does not hold."""
    return any(
        not condition.evaluate([summary], "").holds
        for condition in conditions
        if summary.get(condition.keyword) not in (None, "")
    )


def _holds(conditions: Sequence[Condition], headers: Sequence[Dataset]) -> bool:
    return all(condition.evaluate(headers, "").holds for condition in conditions)
