"""The web process: no torch, quiet about addresses, ends in peace."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from node.config_file import load_config
from node.database.tables import unopened_database
from node.web import server
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


@contextlib.contextmanager
def web(config_file: Path, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`vscanner web`, listening."""
    command = [sys.executable, "-m", "node", "web", "--config", str(config_file)]
    with log.open("wb") as output, subprocess.Popen(command, stderr=output) as started:
        try:
            wait_until(lambda: listening(port), 60, "the status page")
            yield started
        finally:
            if started.poll() is None:
                os.kill(started.pid, signal.SIGTERM)
                started.wait(30)


@pytest.fixture
def process(config_file: Path, web_port: int, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with web(config_file, web_port, tmp_path / "log") as started:
        yield started


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


def test_the_page_says_that_the_database_is_waited_for(
    config_file: Path, web_port: int, tmp_path: Path
) -> None:
    obstacle = tmp_path / "data" / "node.sqlite"
    obstacle.mkdir(parents=True)  # SQLite cannot open it
    log, base = tmp_path / "log", f"http://127.0.0.1:{web_port}"
    with web(config_file, web_port, log), httpx.Client(base_url=base, trust_env=False) as client:
        for path in ("/", "/api/jobs", "/metrics"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "waits for its database, which does not answer" in answer.text
            assert int(answer.headers["Retry-After"]) > 0
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200
        obstacle.rmdir()
        wait_until(lambda: client.get("/").status_code == 200, 60, "the page")
    assert "Traceback" not in log.read_text()


def test_nothing_of_the_web_imports_torch() -> None:
    code = "import node.web.server, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@contextlib.contextmanager
def page(config_file: Path, port: int) -> Iterator[tuple[str, int]]:
    """The server of the page in this process; gives its address."""
    config = load_config(config_file)
    running = server.make_server(config, unopened_database(config.node))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        wait_until(lambda: listening(port), 60, "the status page")
        yield "127.0.0.1", port
    finally:
        running.should_exit = True
        thread.join()


def is_closed(connection: socket.socket) -> bool:
    """Waits for the end of it, whatever comes before."""
    while connection.recv(1 << 16):
        pass
    return True


def test_a_connection_without_a_request_does_not_stay(
    config_file: Path, web_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "REQUEST_S", 0.3)
    whole = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    with page(config_file, web_port) as address:
        for said in (b"", whole[:20], whole + b"G"):
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(said)
                assert is_closed(connection)


def test_those_who_ask_nothing_give_way(
    config_file: Path, web_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    with page(config_file, web_port) as address, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(address, timeout=30))
        with socket.create_connection(address, timeout=30) as last:
            last.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            assert last.recv(1 << 16).startswith(b"HTTP/1.1 200")
