from __future__ import annotations

from pathlib import Path

import pytest

from node.config import Config
from node.config_file import (
    config_warnings,
    load_config,
    missing_files,
    parse_config,
    plain_scalar,
    valid_keys,
)
from node.errors import ConfigError

GOOD = """\
node: {ae_title: VSCANNER, data_dir: /tmp/x}
peers:
  - {name: pacs, ae_title: ORTHANC, host: 127.0.0.1, port: 4242}
routes:
  - name: low-dose chest
    pipeline: ldct_denoise
    when: {Modality: CT, SeriesDescription: {matches: "(?i)low.?dose"}}
    send_to: [pacs, source]
"""


def faults_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return list(caught.value.faults)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "node.yaml"
    path.write_text(GOOD)
    config = load_config(path)
    assert config.peers[0].port == 4242
    assert config.routes[0].send_to == ("pacs", "source")
    assert config_warnings(config) == []


def test_no_file_means_the_defaults_and_a_warning_that_nobody_is_accepted() -> None:
    config = load_config(None)
    assert config == Config()
    assert "accepts nobody" in config_warnings(config)[0]


def test_an_empty_file_means_the_defaults() -> None:
    assert parse_config("# nothing\n") == Config()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("node:\n  prt: 1\n", "line 2: there is no setting node.prt; did you mean port?"),
        ("\n\nrouts: []\n", "line 3: there is no setting routs; did you mean routes?"),
        ("node:\n  port: 99999\n", "line 2: node.port should be less than or equal to 65535"),
        ("node:\n  receivers: two\n", "line 2: node.receivers should be a whole number, got 'two'"),
        ("node: 5\n", "line 1: node should be a mapping of key: value, got 5."),
        ("peers:\n", "line 1: peers should be a list, got None."),
        ("node:\n  ae_title: 'A\\B'\n", "line 2: node.ae_title should be printable ASCII"),
        ("node:\n  port: 1\n  port: 2\n", "line 3: port stands here for the second time"),
        ("node: [\n", "this is not YAML"),
        ("just words\n", "settings as `key: value` are wanted"),
        (
            "node:\n  ae_title: SEVENTEEN-LETTERS\n",
            "line 2: node.ae_title should be at most 16 characters long, got 'SEVENTEEN-LETTERS'.",
        ),
        (
            "node:\n  database: mysql://x\n",
            "line 2: node.database should be sqlite, or postgresql://user@host/name, got a value",
        ),
        (
            "node:\n  database: postgresql://u@h:abc/db\n",
            "line 2: node.database should be sqlite, or postgresql://user@host:port/name, the port",
        ),
        (
            "node:\n  database: 'postgresql://[::1/db'\n",
            "line 2: node.database should be sqlite, or postgresql://user@host:port/name, the port",
        ),
        ("jobs:\n  device: tpu\n", "jobs.device should be auto, cpu, cuda or cuda:N, got 'tpu'."),
        (
            "peers:\n- {name: a, ae_title: A, host: h, port: 1, transfer_syntaxes: [jpeg]}\n",
            "peers[0].transfer_syntaxes[0] should be 1.2.840.10008.1.2.1 or 1.2.840.10008.1.2",
        ),
        (
            "peers:\n  - {name: a, ae_title: A, host: h}\n",
            "line 2: peers[0].port is missing; it has no default.",
        ),
        (
            "peers:\n- {name: a, ae_title: A, host: h, port: 1, tls: {certifcate: x}}\n",
            "line 2: there is no setting peers[0].tls.certifcate; did you mean certificate?",
        ),
        ("node:\n  receivers: true\n", "line 2: node.receivers should be a number, got True."),
        ("assembly:\n  limit_s: inf\n", "assembly.limit_s should be a finite number, got 'inf'."),
        ("assembly:\n  limit_s: 1e18\n", "should be at most 3155760000 seconds, got 1e+18."),
        ("web:\n  host: ''\n", "web.host should be text of at least one character, got ''."),
        ("node: &me {peers: [*me]}\n", "nested too deeply, or an alias (*) holds itself."),
        (
            "peers:\n- {name: a, ae_title: A, host: h, port: 1, dicomweb: pacs/dicom-web}\n",
            "peers[0].dicomweb should be http:// or https:// and a host; a log-in goes to username",
        ),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, sentence: str) -> None:
    assert any(sentence in fault for fault in faults_of(text)), faults_of(text)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("[pacs, source]", "[pac]", "line 8: there is no peer 'pac'; did you mean pacs?"),
        ("[pacs, source]", "[]", "line 8: send_to names nobody"),
        ("ldct_denoise", "ldct_denois", "line 6: There is no pipeline 'ldct_denois'; did you mean"),
        ("Modality: CT", "Modalty: CT", "line 7: Modalty is not a DICOM keyword; did you mean"),
        ("(?i)low", "(low", "line 7: SeriesDescription: a regular expression is wanted"),
        ("name: pacs", "name: source", "line 3: 'source' means the sender"),
        ("port: 4242", "port: 1, send_by: stow-rs", "needs the peer's dicomweb URL"),
        ("port: 4242", "port: 1, send_by: orthanc-rest", "needs the peer's orthanc_rest URL"),
        ("send_to", "parameters: {strong: 1}\n    send_to", "has no parameter 'strong'"),
        ("send_to", "parameters: {strength: 7}\n    send_to", "takes a number from 0 to 1, got 7"),
    ],
)
def test_a_fault_between_settings(old: str, new: str, sentence: str) -> None:
    faults = faults_of(GOOD.replace(old, new))
    assert any(sentence in fault for fault in faults), faults


ROUTE = "- {name: all, pipeline: ldct_denoise, send_to: [source]}\n"


def peers(one: str, other: str) -> str:
    """Two peers with AE titles and whatever follows."""
    return (
        f"peers:\n  - {{name: a, port: 1, ae_title: {one}}}\n"
        f"  - {{name: b, port: 2, ae_title: {other}}}\n"
    )


@pytest.mark.parametrize("host", ["h", "elsewhere"])
def test_callers_that_cannot_be_told_apart_are_refused(host: str) -> None:
    (fault,) = faults_of(peers("'ONE ', host: h", f"ONE, host: {host}"))
    assert "line 3: peers 'a' and 'b' both have the AE title ONE" in fault
    assert "may_call: false" in fault


@pytest.mark.parametrize("first", [True, False])
def test_of_one_ae_title_the_peer_that_may_call_is_meant(first: bool) -> None:
    callers = f"may_call: {str(first).lower()}", f"may_call: {str(not first).lower()}"
    config = parse_config(peers(*(f"ONE, host: h, {may_call}" for may_call in callers)))
    caller = config.peer_by_ae_title("ONE")
    assert caller is not None
    assert caller.name == ("a" if first else "b")
    assert config_warnings(config)[0].startswith("No routes")


@pytest.mark.parametrize(("quiet_s", "warned"), [(599, False), (600, True), (900, True)])
def test_a_limit_that_is_no_longer_than_the_quiet_time_is_warned_of(
    quiet_s: int, warned: bool
) -> None:
    found = config_warnings(parse_config(f"{GOOD}assembly: {{quiet_s: {quiet_s}}}\n"))
    assert found == [one for one in found if one.startswith("assembly.limit_s (600)")]
    assert bool(found) is warned


@pytest.mark.parametrize(
    ("peer", "warned"),
    [
        ("query: false", False),
        ("query: false, storage_commitment: false", True),
        ("query: false, storage_commitment: false, may_call: false", False),  # nobody's source
    ],
)
def test_a_destination_that_can_confirm_nothing_is_warned_of(peer: str, warned: bool) -> None:
    text = peers("ONE, host: h", f"TWO, host: h, {peer}") + "routes:\n" + ROUTE
    found = config_warnings(parse_config(text))
    assert found == [one for one in found if one.startswith("b can confirm nothing")]
    assert bool(found) is warned


@pytest.mark.parametrize("hosts", ["web: {port: 1}", "web: {host: 0.0.0.0, port: 1}"])
def test_one_port_for_two_services_is_refused(hosts: str) -> None:
    (fault,) = faults_of(f"node: {{port: 1}}\n{hosts}\n")
    assert "line 2: node.port and web.port are both 1" in fault


def test_one_port_of_two_addresses_is_fine() -> None:
    parse_config("node: {host: 10.0.0.1, port: 1}\nweb: {port: 1}\n")


def test_workers_that_would_be_lost_between_two_beats_are_refused() -> None:
    (fault,) = faults_of("jobs: {heartbeat_s: 20}\n")
    assert "jobs.lost_after_s should be longer than jobs.heartbeat_s (20), got 15" in fault


def test_names_are_unique() -> None:
    twice = GOOD + GOOD.split("routes:\n")[1]
    (fault,) = faults_of(twice)
    assert "line 9: the name 'low-dose chest' is taken" in fault


def test_all_faults_are_listed_from_top_to_bottom() -> None:
    faults = faults_of("node:\n  prt: 1\n  port: x\nweb: {pot: 5}\n")
    assert [fault.split(":")[0] for fault in faults] == [
        "node.yaml, line 2",
        "node.yaml, line 3",
        "node.yaml, line 4",
    ]


PEER = "peers: [{name: a, ae_title: A, host: h, port: 1, transfer_syntaxes: [%s]}]"


def test_a_list_whose_one_item_is_wrong_is_not_called_empty_as_well() -> None:
    (only,) = faults_of(PEER % "1.2.3")
    assert "peers[0].transfer_syntaxes[0] should be 1.2.840.10008.1.2.1 or" in only
    (only,) = faults_of(PEER % "")
    assert only.endswith("peers[0].transfer_syntaxes should be a list of at least one, got [].")


def test_a_password_is_never_shown() -> None:
    text = "peers:\n- {name: a, ae_title: A, host: h, port: 1, password: [hunter2]}\n"
    assert "hunter2" not in "".join(faults_of(text))
    good = parse_config(text.replace("[hunter2]", "hunter2"))
    assert "hunter2" not in repr(good)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("YES", "YES"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("12:30", "12:30"),
        ("2025-01-01", "2025-01-01"),
        ("0x10", "0x10"),
        ("-7", -7),
        ("2.5e8", 2.5e8),
        ("1.2.840", "1.2.840"),
        ("~", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


def test_a_dicom_yes_stays_a_text() -> None:
    config = parse_config(GOOD.replace("Modality: CT", "Modality: CT, BurnedInAnnotation: NO"))
    assert config.routes[0].when["BurnedInAnnotation"] == "NO"


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "absent.yaml")


def test_valid_keys_follow_the_models() -> None:
    assert "certificate" in valid_keys(("peers", 0, "tls"))
    assert valid_keys(("routes", 0, "when")) == []


def test_the_password_in_a_database_address_is_never_shown() -> None:
    assert "hunter2" not in "".join(faults_of("node: {database: 'mysql://a:hunter2@b/c'}\n"))


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:1"])
def test_every_device_can_be_named(device: str) -> None:
    assert parse_config(f"jobs: {{device: '{device}'}}").jobs.device == device


def test_files_that_are_not_here_are_named(tmp_path: Path) -> None:
    here = tmp_path / "here.pem"
    here.write_text("")
    tls = f"tls: {{certificate: {here}, key: /nope.key, ca: {here}}}"
    config = parse_config(f"peers:\n- {{name: a, ae_title: A, host: h, port: 1, {tls}}}\n")
    assert missing_files(config) == [
        "peers[0].tls.key needs a PEM file that this user can read, got /nope.key."
    ]
    assert missing_files(parse_config(GOOD)) == []


def test_a_log_in_within_an_address_is_refused_and_not_shown() -> None:
    peer = "{name: a, ae_title: A, host: h, port: 1, dicomweb: 'https://me:secret@h/dicom-web'}"
    (fault,) = faults_of(f"peers: [{peer}]")
    assert "username and password" in fault
    assert "secret" not in fault
