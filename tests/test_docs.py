"""What the pages say is so: paths exist, commands exist, the tree in the README is the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from node.__main__ import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "orthanc_config/README.md",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for place in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
        assert (page.parent / place).exists(), f"{page.name} links to {place}"


def test_the_readme_shows_every_folder() -> None:
    tree = (ROOT / "README.md").read_text().split("## The files")[1].split("```")[1]
    shown = {line.split("/")[0] for line in tree.splitlines() if line and line[0] != " "}
    real = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and any(path.glob("**/*.py"))
    }
    assert real - {"var"} <= shown
    assert all((ROOT / name).is_dir() for name in shown)


@pytest.mark.parametrize("command", [name for name, _ in COMMANDS])
def test_every_command_has_its_module(command: str) -> None:
    assert (ROOT / "node" / "commands" / f"{command}.py").is_file()


def test_commands_named_in_the_pages_exist() -> None:
    known = {name for name, _ in COMMANDS}
    for page in PAGES:
        named = set(re.findall(r"`(?:\.venv/bin/)?vscanner ([a-z]+)", page.read_text()))
        assert named <= known, f"{page.name} names {sorted(named - known)}"


def test_no_page_names_a_workplace() -> None:
    for page in PAGES:
        text = page.read_text()
        assert "/work/" not in text, page.name
        assert "../shared" not in text, page.name
