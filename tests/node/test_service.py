"""The service starts its processes, restarts the dead, and takes them with it when it dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from node.config import Config, NodeSettings, WebSettings
from node.database.tables import open_database
from node.service import ROLES, DataDirUnusable, PortInUse, Service, open_listener
from tests.servers import LOOPBACK, free_port, listening, running, wait_until

PATIENCE_S = 120.0  # the machine may be busy
CONFIG = """\
node: {{ae_title: VSCANNER, host: 127.0.0.1, port: {port}, data_dir: {data_dir}, receivers: 2}}
web: {{port: {web_port}}}
peers:
  - {{name: pacs, ae_title: PACS, host: 127.0.0.1, port: {peer_port}, query: false}}
"""


def config_for(folder: Path, port: int) -> Config:
    return Config(node=NodeSettings(host=LOOPBACK, port=port, data_dir=folder))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`vscanner receive`: two receivers and an assembler, as IT would start them."""
    port = free_port()
    file = tmp_path / "node.yaml"
    file.write_text(
        CONFIG.format(
            port=port, data_dir=tmp_path / "data", web_port=free_port(), peer_port=free_port()
        )
    )
    process = subprocess.Popen([sys.executable, "-m", "node", "receive", "--config", str(file)])
    process.port = port  # type: ignore[attr-defined]
    wait_until(lambda: len(children(process)) >= 3 and listening(port), PATIENCE_S, "the start")
    yield process
    if process.poll() is None:
        process.terminate()
        process.wait(PATIENCE_S)


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Receivers and assembler (not multiprocessing's own resource tracker)."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_a_port_in_use_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"{LOOPBACK}:{port}.*set another node.port"):
            open_listener(config_for(tmp_path, port))


@pytest.mark.parametrize("role", ["web", "serve"])
def test_a_port_of_the_page_in_use_is_one_clear_sentence(tmp_path: Path, role: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        config = config_for(tmp_path, free_port())
        busy = config.model_copy(update={"web": WebSettings(host=LOOPBACK, port=port)})
        with pytest.raises(PortInUse, match=f"{LOOPBACK}:{port}.*set another web.port"):
            Service(role, busy)


def test_an_address_of_the_page_that_is_not_ours_is_one_clear_sentence(tmp_path: Path) -> None:
    config = config_for(tmp_path, free_port())
    nowhere = config.model_copy(update={"web": WebSettings(host="192.0.2.1", port=8080)})
    with pytest.raises(PortInUse, match=r"web\.host"):
        Service("web", nowhere)


@pytest.mark.parametrize("role", ["serve", "receive", "work", "web"])
def test_a_data_directory_that_is_a_file_is_one_clear_sentence(tmp_path: Path, role: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        config = config_for(folder, free_port())
        with pytest.raises(DataDirUnusable, match=r"set another node\.data_dir"):
            Service(role, config)


def test_a_read_only_mount_is_not_taken_for_missing_rights(tmp_path: Path) -> None:
    """As below systemd's ProtectSystem=strict, where another owner would not help."""
    (tmp_path / "data").mkdir()
    config = tmp_path / "node.yaml"
    config.write_text(
        f"node: {{data_dir: {tmp_path / 'data'}, host: 127.0.0.1, port: {free_port()}}}\n"
    )
    mounted = "mount --bind data data && mount -o remount,bind,ro data && "
    own_mounts = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
    if subprocess.run([*own_mounts, mounted + "true"], cwd=tmp_path, check=False).returncode:
        pytest.skip("mounts of one's own are not allowed here")
    serve = f"exec {sys.executable} -m node serve --config {config}"
    ended = subprocess.run(
        [*own_mounts, mounted + serve],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 1
    assert "data, got: Read-only file system; " in ended.stderr


def test_roles_have_the_parts_that_the_configuration_asks_for(tmp_path: Path) -> None:
    config = Config(
        node=NodeSettings(host=LOOPBACK, port=free_port(), receivers=3, data_dir=tmp_path),
        web=WebSettings(port=free_port()),
    )
    service = Service("serve", config)
    assert [part.name for part in service.parts] == ["receiver"] * 3 + list(ROLES["serve"][1:])
    service._end()


def test_receivers_go_before_the_assembler(service: subprocess.Popen[bytes]) -> None:
    ours = psutil.Process().nice()
    wanted = [ours, ours, min(ours + 5, 19)]
    wait_until(
        lambda: sorted(child.nice() for child in children(service)) == wanted,
        PATIENCE_S,
        "two receivers at our niceness and an assembler that gives way",
    )


def test_a_dead_receiver_is_started_again(service: subprocess.Popen[bytes]) -> None:
    before = {child.pid for child in children(service)}
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    wait_until(
        lambda: len({c.pid for c in children(service)} - {victim}) >= len(before),
        PATIENCE_S,
        "the dead process to be started again",
    )
    assert service.poll() is None


def test_terminate_ends_every_process(service: subprocess.Popen[bytes]) -> None:
    processes = children(service)
    service.terminate()
    assert service.wait(PATIENCE_S) == 0
    wait_until(lambda: gone(processes), PATIENCE_S, "all processes to end")


def test_children_do_not_outlive_a_killed_service(service: subprocess.Popen[bytes]) -> None:
    processes = children(service)
    service.kill()
    service.wait(PATIENCE_S)
    wait_until(lambda: gone(processes), PATIENCE_S, "the children of the killed service to end")


def test_a_worker_that_cannot_begin_is_started_again(tmp_path: Path) -> None:
    """Its child, and threads, kept it alive: it did no work, and nobody saw it end."""
    file, log = tmp_path / "node.yaml", tmp_path / "log"
    ports = {name: free_port() for name in ("port", "web_port", "peer_port")}
    file.write_text(CONFIG.format(data_dir=tmp_path / "data", **ports))
    engine = open_database(NodeSettings(data_dir=tmp_path / "data"))
    refuse = "BEFORE INSERT ON executors BEGIN SELECT RAISE(ABORT, 'read only'); END"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER refuse {refuse}")
    engine.dispose()
    with running([sys.executable, "-m", "node", "work", "--config", str(file)], log):
        wait_until(lambda: "worker ended by itself" in log.read_text(), PATIENCE_S, "its end")
    assert "worker cannot go on" in log.read_text()
