"""The web process: no torch, quiet about addresses, ends in peace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers import free_port, listening, wait_until

CONFIG = """\
node: {{ae_title: VSCANNER, host: 127.0.0.1, port: {port}, data_dir: {data_dir}}}
web: {{port: {web_port}}}
"""


@pytest.fixture
def web_port() -> int:
    return free_port()


@pytest.fixture
def config_file(tmp_path: Path, web_port: int) -> Path:
    path = tmp_path / "node.yaml"
    path.write_text(CONFIG.format(port=free_port(), web_port=web_port, data_dir=tmp_path / "data"))
    return path


@pytest.fixture
def process(config_file: Path, web_port: int, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "node", "web", "--config", str(config_file)]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as started:
        try:
            wait_until(lambda: listening(web_port), 60, "the status page")
            yield started
        finally:
            if started.poll() is None:
                os.kill(started.pid, signal.SIGTERM)
                started.wait(30)


def test_the_command_serves_and_ends_on_sigterm(
    process: subprocess.Popen[bytes], web_port: int, tmp_path: Path
) -> None:
    base = f"http://127.0.0.1:{web_port}"
    with httpx.Client(base_url=base, trust_env=False) as client:
        assert client.get("/health/live").status_code == 200
        assert "Virtual Scanner" in client.get("/studies/1.2.840.4711").text
        assert "server" not in client.get("/").headers
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 0
    assert not listening(web_port)
    log = (tmp_path / "log").read_text()
    assert "web_started" in log
    assert "1.2.840.4711" not in log
    assert "Traceback" not in log


def test_nothing_of_the_web_imports_torch() -> None:
    code = "import node.web.server, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
