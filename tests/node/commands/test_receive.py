from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
import yaml

from node.config import NodeSettings
from node.database.tables import instances, open_database
from node.spool import Spool
from tests.node.datasets import encoded, facts_of, same_series


def receive_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "node", "receive", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_shows_an_example() -> None:
    shown = receive_command("--help")
    assert shown.returncode == 0
    assert "vscanner receive --config node.yaml" in shown.stdout


def test_the_index_is_rebuilt(tmp_path: Path) -> None:
    engine = open_database(NodeSettings(data_dir=tmp_path))
    spool = Spool(tmp_path, engine)
    for ds in same_series(3):
        spool.receive(encoded(ds), facts_of(ds))
    spool.admit_incoming()
    with engine.begin() as connection:
        connection.execute(sa.delete(instances))
    config = tmp_path / "node.yaml"
    config.write_text(yaml.safe_dump({"node": {"data_dir": str(tmp_path)}}))
    rebuilt = receive_command("--config", str(config), "--rebuild-index")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert "3 instances" in rebuilt.stdout
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(instances)) == 3
    engine.dispose()
