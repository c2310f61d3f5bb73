"""Assembly and routing of a folder of DICOM files, as the node would decide; nothing is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dicom_profiles.reading import FolderContents, group_series, read_instances
from dicom_profiles.sources.series import SourceInstance
from node.assembling.assembly import Evidence, folder_evidence
from node.assembling.positions import examine_positions
from node.config import Config, RouteSettings
from node.errors import CommandError
from node.routing.pairing import Group, Member, group_stacks
from node.routing.routed_jobs import decision_json
from node.routing.rules import Explanation, Rule, StackFinding, compile_rules, route_series
from pipelines import catalog


@dataclass(frozen=True, eq=False)
class FolderSeries:
    """One series of a folder and the decision about it.

    Attributes:
        groups: of inputs of one job, in which one of its stacks is.
    """

    series_instance_uid: str
    instances: tuple[SourceInstance, ...]
    evidence: Evidence
    explanation: Explanation
    groups: tuple[Group, ...] = ()

    @property
    def study_instance_uid(self) -> str:
        """Study Instance UID."""
        return str(self.instances[0].header.StudyInstanceUID)

    def group_of(self, finding: StackFinding) -> Group | None:
        """The group in which a stack of this series is."""
        found = (g for g in self.groups if any(m.finding is finding for m in g.members))
        return next(found, None)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "series": self.series_instance_uid,
            "instances": len(self.instances),
            "evidence": self.evidence.to_json(),
            **decision_json(self.explanation, self.groups),
        }


def default_routes() -> tuple[RouteSettings, ...]:
    """Without a configuration: one route for each pipeline, by its own recognition."""
    return tuple(RouteSettings(name=name, pipeline=name) for name in catalog.names())


def rules_of(config: Config | None, pipeline: str | None) -> tuple[Rule, ...]:
    """The rules for a folder.

    Args:
        config: the node's; None for the default routes.
        pipeline: a person asked for this one: every acquired series goes to its gate.

    Raises:
        UnknownPipeline: there is no such pipeline.
    """
    if pipeline is None:
        return compile_rules(config.routes if config else default_routes())
    catalog.folder(pipeline)
    routes = [route for route in (config.routes if config else ()) if route.pipeline == pipeline]
    parameters = routes[0].parameters if routes else {}
    asked = RouteSettings(name=f"asked for {pipeline}", pipeline=pipeline, parameters=parameters)
    return (Rule(asked, (), asked_for=True),)


def read_folder(folder: Path) -> FolderContents:
    """Headers of everything below a folder; a second file of the same instance is left out.

    Raises:
        CommandError: there is no such folder, or nothing in it is DICOM.
    """
    if not folder.exists():
        raise CommandError(f"A folder of DICOM files is wanted, {folder} does not exist.")
    contents = read_instances(folder)
    if not contents.instances:
        raise CommandError(
            f"{folder} holds no readable DICOM instance ({contents.ignored} other files, "
            f"{len(contents.unreadable)} unreadable)."
        )
    unique = {str(one.header.SOPInstanceUID): one for one in reversed(contents.instances)}
    return replace(contents, instances=tuple(reversed(unique.values())))


def explain_folder(
    contents: FolderContents, rules: Sequence[Rule], source_ae: str | None = None
) -> list[FolderSeries]:
    """Assembly and routing of every series, as the node would decide.

    Args:
        contents: of the folder.
        rules: to hold the series against.
        source_ae: AE title of the sender; None for what each file says, which few do.
    """
    found = []
    for uid, instances in group_series(contents.instances).items():
        positions = examine_positions([instance.header for instance in instances])
        evidence = folder_evidence(len(instances), positions)
        sender = source_ae or _sender_of(instances[0])
        explanation = route_series(rules, instances, sender)
        found.append(FolderSeries(uid, tuple(instances), evidence, explanation))
    return list(_grouped(found))


def _sender_of(instance: SourceInstance) -> str:
    return str(instance.header.file_meta.get("SourceApplicationEntityTitle", ""))


def _grouped(found: Sequence[FolderSeries]) -> Iterator[FolderSeries]:
    """The same series, with the groups of inputs that their studies hold."""
    groups: list[Group] = []
    for study in dict.fromkeys(series.study_instance_uid for series in found):
        members = [
            Member(series.series_instance_uid, finding)
            for series in found
            if series.study_instance_uid == study
            for finding in series.explanation.asked_for
        ]
        groups += group_stacks(members)
    for series in found:
        own = (group for group in groups if series.series_instance_uid in group.series)
        yield replace(series, groups=tuple(own))
