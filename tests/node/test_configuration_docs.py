"""The documentation and the example know every setting, with its default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from node.config import (
    AssemblySettings,
    Config,
    JobSettings,
    NodeSettings,
    PeerSettings,
    RetentionSettings,
    RouteSettings,
    TLSSettings,
    WebSettings,
)
from node.config_file import parse_config
from node.routing.conditions import OPERATORS, parse_conditions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / "node.example.yaml").read_text(encoding="utf-8")
SECTIONS: dict[str, type[BaseModel]] = {
    "node.": NodeSettings,
    "peers[].": PeerSettings,
    "tls.": TLSSettings,
    "web.": WebSettings,
    "assembly.": AssemblySettings,
    "jobs.": JobSettings,
    "retention.": RetentionSettings,
    "routes[].": RouteSettings,
}


def settings() -> Iterator[tuple[str, FieldInfo]]:
    for prefix, model in SECTIONS.items():
        for name, field in model.model_fields.items():
            yield prefix + name, field


def written_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default: Any = field.get_default(call_default_factory=True)
    if default is None:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`[{', '.join(default)}]`"
    return f"`{int(default)}`" if default == 0 or isinstance(default, float) else f"`{default}`"


@pytest.mark.parametrize(("name", "field"), list(settings()))
def test_every_setting_is_documented(name: str, field: FieldInfo) -> None:
    row = re.search(rf"^\| `{re.escape(name)}` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", PAGE, re.M)
    assert row, f"docs/configuration.md lacks a row for {name}"
    assert row[1].strip() == written_default(field), f"another default for {name}"
    assert row[2].strip() == field.description, f"another meaning for {name}"


def test_nothing_else_is_documented() -> None:
    documented = set(re.findall(r"^\| `((?:\w+(?:\[\])?\.)\w+)` \|", PAGE, re.M))
    assert documented == {name for name, _ in settings()}


def test_sections_are_those_of_the_configuration() -> None:
    assert {name.strip(".[]") for name in SECTIONS} - {"tls"} == set(Config.model_fields)


def test_the_example_is_valid_and_shows_every_setting() -> None:
    assert parse_config(EXAMPLE).peers[0].name == "pacs"
    for name, _ in settings():
        word = name.split(".")[-1]
        assert re.search(rf"\b{word}:", EXAMPLE), f"node.example.yaml lacks {name}"


def test_the_commented_lines_of_the_example_are_valid_and_show_the_defaults() -> None:
    uncommented = re.sub(r"^( *)# (?=( *)(- )?\w+:|  - )", r"\1", EXAMPLE, flags=re.M)
    body = uncommented[uncommented.index("node:") :]
    config = parse_config(re.sub(r"postgresql://\S+", "", body))
    assert config.jobs == JobSettings()
    assert config.retention == RetentionSettings()
    assert config.node.model_copy(update={"tls": None}) == NodeSettings()


def test_every_condition_of_the_page_is_understood() -> None:
    lines = re.findall(r"^\| `([^|]+)` \|", PAGE.split("### Conditions")[1], re.M)
    texts = [part for line in lines for part in line.split("`, `")]
    whole = [text if ":" in text.split("{")[0] else f"CTDIvol: {text}" for text in texts]
    for text in whole:
        parse_conditions(yaml.safe_load(f"{{{text}}}"))
    assert len(whole) >= 12
    assert all(operator in PAGE for operator in OPERATORS)
