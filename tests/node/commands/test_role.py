"""What the commands that run processes say before they run them."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.commands import serve
from node.errors import ConfigError


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The command sets up logging for a process of its own."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]
    logging.captureWarnings(False)


def arguments(folder: Path, text: str) -> argparse.Namespace:
    file = folder / "node.yaml"
    file.write_text(text)
    return argparse.Namespace(config=file)


def test_it_says_at_start_that_nobody_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve.COMMAND.start(arguments(tmp_path, "node: {ae_title: A}\n"))
    said = [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]
    assert "No peers are configured: the node accepts nobody; add peers to node.yaml." in said


def test_it_does_not_start_without_its_certificates(tmp_path: Path) -> None:
    text = "node: {tls: {certificate: /nope.pem, key: /nope.key, ca: /nope.ca}}\n"
    with pytest.raises(ConfigError, match=r"node\.tls\.certificate needs a PEM file"):
        serve.COMMAND.start(arguments(tmp_path, text))
