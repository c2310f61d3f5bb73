from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from node.__main__ import main
from node.commands.check import Line, check_node
from tests.servers import OrthancServer, free_port


def write_config(folder: Path, **sections: Any) -> Path:
    path = folder / "node.yaml"
    content = {"node": {"data_dir": str(folder / "data"), "ae_title": "VSCANNER"}, **sections}
    path.write_text(yaml.safe_dump(content))
    return path


def line_about(lines: list[Line], part: str) -> Line:
    (line,) = [line for line in lines if part in line.part]
    return line


@pytest.mark.orthanc
def test_a_real_peer_answers_in_every_way(orthanc: OrthancServer, tmp_path: Path) -> None:
    peer = {
        "name": "pacs",
        "ae_title": orthanc.ae_title,
        "host": "127.0.0.1",
        "port": orthanc.dicom_port,
        "dicomweb": orthanc.dicomweb,
        "orthanc_rest": orthanc.url,
    }
    lines = list(check_node(write_config(tmp_path, peers=[peer])))
    for part in ("C-ECHO", "DICOMweb", "Orthanc REST", "data directory", "database"):
        assert line_about(lines, part).ok, line_about(lines, part)


@pytest.mark.filterwarnings(  # pynetdicom leaves a refused socket to the garbage collector
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_peers_that_are_down_are_wrong_and_say_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    peer = {"name": "gone", "ae_title": "GONE", "host": "127.0.0.1", "port": port}
    peer |= {"dicomweb": url, "orthanc_rest": url}
    path = write_config(tmp_path, peers=[peer])
    lines = list(check_node(path))
    for part in ("C-ECHO", "DICOMweb", "Orthanc REST"):
        assert not line_about(lines, part).ok
    assert "is it running?" in line_about(lines, "C-ECHO").text
    assert main(["check", "--config", str(path)]) == 1


def test_a_disk_that_is_too_full_is_wrong(tmp_path: Path) -> None:
    node = {"data_dir": str(tmp_path / "data"), "min_free_bytes": 10**18}
    line = line_about(list(check_node(write_config(tmp_path, node=node))), "data directory")
    assert (line.ok, "make room" in line.text) == (False, True)


def test_a_data_dir_that_cannot_be_made_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    node = {"data_dir": str(tmp_path / "file" / "data")}
    lines = list(check_node(write_config(tmp_path, node=node)))
    assert "set another node.data_dir" in line_about(lines, "data directory").text
    assert not line_about(lines, "database").ok


def test_a_database_that_is_away_is_wrong(tmp_path: Path) -> None:
    node = {
        "data_dir": str(tmp_path / "data"),
        "database": f"postgresql://nobody@127.0.0.1:{free_port()}/none",
    }
    line = line_about(list(check_node(write_config(tmp_path, node=node))), "PostgreSQL")
    assert (line.ok, "see node.database" in line.text) == (False, True)


def test_every_fault_of_the_configuration_has_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path, nod={}, wep={})
    assert main(["check", "--config", str(path)]) == 1
    output = capsys.readouterr().out
    assert output.count("WRONG") == 2
    assert "did you mean node?" in output


def test_no_peers_is_a_warning(tmp_path: Path) -> None:
    warnings = [line.text for line in check_node(write_config(tmp_path)) if line.warning]
    assert any("accepts nobody" in text for text in warnings)


def test_the_last_line_counts_the_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No peers, no routes, no node yet, no data directory yet."""
    assert main(["check", "--config", str(write_config(tmp_path))]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == f"Everything works, with {said.count('warning ')} warning(s)."


def test_it_makes_nothing_where_no_node_is(tmp_path: Path) -> None:
    lines = list(check_node(write_config(tmp_path)))
    folder, database = line_about(lines, "data directory"), line_about(lines, "database")
    assert (folder.ok, "vscanner serve" in folder.text) == (True, True)
    assert (database.ok, database.warning) == (True, True)
    assert "There is no node" in database.text
    assert not (tmp_path / "data").exists()


def test_a_folder_that_is_there_is_written_and_still_no_node(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    lines = list(check_node(write_config(tmp_path)))
    assert "writable" in line_about(lines, "data directory").text
    assert "There is no node" in line_about(lines, "database").text
    assert not list((tmp_path / "data").iterdir())
