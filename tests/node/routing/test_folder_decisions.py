from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread

from node.config import Config
from node.errors import CommandError
from node.routing.folder_decisions import default_routes, explain_folder, read_folder, rules_of
from node.routing.rules import Outcome
from pipelines import catalog
from pipelines.errors import UnknownPipeline
from tests.node.feeding import make_config
from tests.synthetic import write_ct_series


def test_without_a_configuration_there_is_one_route_a_pipeline() -> None:
    assert [route.pipeline for route in default_routes()] == list(catalog.names())
    assert [rule.settings.name for rule in rules_of(None, None)] == list(catalog.names())


def test_a_configuration_without_routes_has_no_rules() -> None:
    assert rules_of(Config(), None) == ()


def test_a_named_pipeline_keeps_the_parameters_of_its_route(tmp_path: Path) -> None:
    route = {"name": "half", "pipeline": "ldct_denoise", "parameters": {"strength": 0.5}}
    (rule,) = rules_of(make_config(tmp_path, routes=[route]), "ldct_denoise")
    assert rule.asked_for
    assert rule.settings.parameters == {"strength": 0.5}
    with pytest.raises(UnknownPipeline):
        rules_of(None, "ldct")


def test_each_series_is_decided_for_itself(tmp_path: Path) -> None:
    write_ct_series(tmp_path / "a", slices=12)
    write_ct_series(tmp_path / "b", slices=2)
    write_ct_series(tmp_path / "c", slices=12)[4].unlink()
    found = explain_folder(read_folder(tmp_path), rules_of(None, None))
    outcomes = [series.explanation.stacks[0].outcome for series in found]
    assert outcomes == [Outcome.TAKEN, Outcome.REFUSED, Outcome.REFUSED]
    assert [len(series.evidence.findings) for series in found] == [0, 0, 1]


def test_the_source_ae_of_the_file_meta_counts(tmp_path: Path) -> None:
    for path in write_ct_series(tmp_path / "in", slices=6):
        ds = dcmread(path)
        ds.file_meta.SourceApplicationEntityTitle = "CT_ONE"
        ds.save_as(path)
    route = {"name": "one", "pipeline": "ldct_denoise", "when": {"source_ae": "CT_ONE"}}
    rules = rules_of(make_config(tmp_path, routes=[route]), None)
    (series,) = explain_folder(read_folder(tmp_path / "in"), rules)
    assert series.explanation.stacks[0].rules[0].conditions[0].holds


def test_a_folder_that_is_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="does not exist"):
        read_folder(tmp_path / "absent")
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(CommandError, match=r"no readable DICOM instance \(1 other"):
        read_folder(tmp_path)
