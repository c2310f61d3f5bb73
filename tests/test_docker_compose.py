"""`docker-compose.yml`, and the configuration of its node: each names what the other has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml

from node.config_file import load_config

ROOT = Path(__file__).parents[1]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def test_the_line_of_the_configuration_for_postgresql_leads_to_the_database(tmp_path: Path) -> None:
    """As the guide says: the line without its `#`, the password from the environment."""
    text = (ROOT / "orthanc_config/node.compose.yaml").read_text()
    uncommented = tmp_path / "node.yaml"
    uncommented.write_text(text.replace("  # database: ", "  database: "))
    url = sa.make_url(load_config(uncommented).node.database)
    database = SERVICES[str(url.host)]["environment"]
    assert url.username == database["POSTGRES_USER"]
    assert url.database == database["POSTGRES_DB"]
    assert url.password is None
    assert SERVICES["node"]["environment"]["PGPASSWORD"] == database["POSTGRES_PASSWORD"]


def test_a_further_worker_is_a_node_without_doors() -> None:
    """It opens no port that the node has, and is not held unhealthy for serving no page."""
    node, worker = SERVICES["node"], SERVICES["worker"]
    own = {"command", "profiles", "ports", "healthcheck"}
    assert {key for key in worker if worker[key] != node.get(key)} == own
    assert worker["command"] == ["work", *node["command"][1:]]
    assert worker["profiles"] == SERVICES["database"]["profiles"]
    assert worker["ports"] == []
    assert worker["healthcheck"] == {"disable": True}


def test_peers_of_the_composition_are_its_services() -> None:
    peers = load_config(ROOT / "orthanc_config/node.compose.yaml").peers
    assert {peer.host for peer in peers} <= set(SERVICES)
