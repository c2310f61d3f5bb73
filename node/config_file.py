"""Reading `node.yaml`: every fault is named with its line, what was wanted and what came.

All faults are reported together. Scalars follow YAML 1.2: only `true` and `false` are booleans, so
that `SyntheticData: YES` and `BurnedInAnnotation: NO` stay the DICOM values that they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from node.config import Config, PeerSettings, RouteSettings, is_everywhere
from node.errors import ConfigError
from node.routing.conditions import ConditionError, parse_condition
from pipelines import catalog
from pipelines.errors import PipelineError

Key = tuple[str | int, ...]
"""Path of a setting: ("peers", 0, "port")."""

Fault = tuple[Key, str]
"""A fault: the setting and one sentence."""

SOURCE = "source"
"""The word in `send_to` for the peer that sent the series."""

INTEGER = re.compile(r"[-+]?[0-9]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SECRETS = ("password", "database")  # a database URL may carry a password
LOG_IN = re.compile("://[^/]*@")  # so may any other
WANTED = {  # pydantic's kinds of fault: in words of the file, where its own are not
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text of at least one character",
    "tuple_type": "a list",
    "too_short": "a list of at least one",
    "dict_type": "a mapping of key: value",
    "model_type": "a mapping of key: value",
    "string_pattern_mismatch": "printable ASCII without a backslash, not only spaces",
}


def load_config(path: Path | None) -> Config:
    """Read and check a configuration; the embedded defaults when no path is given.

    Raises:
        ConfigError: the file cannot be read, or has faults; the message lists all of them.
    """
    if path is None:
        return Config()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"The configuration {path} cannot be read: {reason}."]) from error
    return parse_config(text, str(path))


def parse_config(text: str, name: str = "node.yaml") -> Config:
    """Check the text of a configuration.

    Raises:
        ConfigError: the message lists every fault with its line.
    """
    document = Document(text, name)
    if document.faults:
        raise ConfigError(document.faults)
    try:
        config = Config.model_validate(document.content)
    except ValidationError as error:
        found = [_model_fault(fault) for fault in error.errors() if not _follows(fault)]
        raise ConfigError(document.in_order(found)) from error
    faults = cross_check(config)
    if faults:
        raise ConfigError(document.in_order(faults))
    return config


def config_warnings(config: Config) -> list[str]:
    """What may be a mistake but does not stop the node; one sentence each."""
    found = []
    if not config.peers:
        found.append("No peers are configured: the node accepts nobody; add peers to node.yaml.")
    elif not any(peer.may_call for peer in config.peers):
        found.append("No peer may call (may_call is false for all): the node accepts nobody.")
    if not config.routes:
        found.append("No routes are configured: series are received but none is translated.")
    if config.assembly.limit_s <= config.assembly.quiet_s:
        found.append(
            f"assembly.limit_s ({config.assembly.limit_s:g}) is not longer than assembly.quiet_s "
            f"({config.assembly.quiet_s:g}): series are taken by the limit, whole or not."
        )
    found += [
        f"{peer.name} can confirm nothing (storage_commitment and query are false): what is sent "
        "there, and its sources, are kept here for ever and fill the disk; allow one of them."
        for peer in _destinations(config)
        if peer.send_by == "c-store" and not (peer.storage_commitment or peer.query)
    ]
    return found


def _destinations(config: Config) -> list[PeerSettings]:
    """Peers to which some route may send."""
    names = {name for route in config.routes for name in route.send_to}
    return [
        peer for peer in config.peers if peer.name in names or (SOURCE in names and peer.may_call)
    ]


def missing_files(config: Config) -> list[str]:
    """Files that the configuration names and that are not here, one sentence each."""
    named = [("node.tls", config.node.tls)]
    named += [(f"peers[{index}].tls", peer.tls) for index, peer in enumerate(config.peers)]
    return [
        f"{section}.{name} needs a PEM file that this user can read, got {path}."
        for section, settings in named
        if settings is not None
        for name, path in settings
        if not os.access(path, os.R_OK)
    ]


class Document:
    """A YAML text with the line of every key.

    Args:
        text: the YAML.
        name: what messages call the file.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.faults: list[str] = []
        self._lines: dict[Key, int] = {}
        self.content: Any = {}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            if root is not None:
                self.content = self._build(root, ())
        except yaml.YAMLError as error:
            self.faults.append(self._syntax_fault(error))
            return
        except RecursionError:
            self.faults.append(f"{name}: it is nested too deeply, or an alias (*) holds itself.")
            return
        if not isinstance(self.content, dict) and not self.faults:
            self.faults.append(f"{name}: settings as `key: value` are wanted, got other text.")

    def line(self, key: Key) -> int:
        """Line of a key; of the nearest parent when it has none."""
        while key and key not in self._lines:
            key = key[:-1]
        return self._lines.get(key, 1)

    def in_order(self, faults: Sequence[Fault]) -> list[str]:
        """The sentences, each with its line, from the top of the file to its end."""
        placed = sorted((self.line(key), sentence) for key, sentence in faults)
        return [f"{self.name}, line {line}: {sentence}" for line, sentence in placed]

    def _syntax_fault(self, error: yaml.YAMLError) -> str:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        where = f"{self.name}, line {mark.line + 1}" if mark else self.name
        return f"{where}: this is not YAML: {problem}."

    def _build(self, node: yaml.Node, key: Key) -> Any:
        self._lines.setdefault(key, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._build_mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, (*key, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return node.value if node.style in ("'", '"', "|", ">") else plain_scalar(node.value)

    def _build_mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                line = key_node.start_mark.line + 1
                self.faults.append(f"{self.name}, line {line}: a plain word is wanted as a key.")
                continue
            word, line = str(key_node.value), key_node.start_mark.line + 1
            if word in content:
                first = self._lines[(*key, word)]
                self.faults.append(
                    f"{self.name}, line {line}: {word} stands here for the second time (first in "
                    f"line {first}); keep one."
                )
                continue
            self._lines[(*key, word)] = line
            content[word] = self._build(value_node, (*key, word))
        return content


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar, by the core schema of YAML 1.2."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text


def _follows(fault: Mapping[str, Any]) -> bool:
    """Whether it only says that a list is empty once its wrong items are left out."""
    return fault["type"] == "too_short" and bool(fault["input"])


def _model_fault(fault: Mapping[str, Any]) -> Fault:
    key: Key = tuple(fault["loc"])
    name = dotted(key)
    if fault["type"] == "extra_forbidden":
        known = valid_keys(key[:-1])
        near = get_close_matches(str(key[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"valid here: {', '.join(known)}."
        return key, f"there is no setting {name}; {hint}"
    if fault["type"] == "missing":
        return key[:-1], f"{name} is missing; it has no default."
    shown = repr(fault["input"])
    got = "a value that is not shown" if key[-1] in SECRETS or LOG_IN.search(shown) else shown
    return key, f"{name} should be {_wanted(fault)}, got {got}."


def _wanted(fault: Mapping[str, Any]) -> str:
    """What pydantic wanted, in words that follow "should be"."""
    if fault["type"] == "string_too_long":
        return f"at most {fault['ctx']['max_length']} characters long"
    text = WANTED.get(fault["type"]) or str(fault["msg"])
    return text.removeprefix("Input should be ").removeprefix("Value error, ")


def dotted(key: Key) -> str:
    """A key as people write it: `peers[0].port`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def valid_keys(key: Key) -> list[str]:
    """The settings that may stand below a key."""
    model: Any = Config
    for part in key:
        model = _item_type(model) if isinstance(part, int) else _field_type(model, part)
    return list(model.model_fields) if _is_model(model) else []


def _field_type(model: Any, name: str) -> Any:
    if not _is_model(model) or name not in model.model_fields:
        return None
    found = model.model_fields[name].annotation
    if get_origin(found) in (Union, UnionType):
        return next((part for part in get_args(found) if _is_model(part)), None)
    return found


def _item_type(found: Any) -> Any:
    return get_args(found)[0] if get_args(found) else None


def _is_model(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, BaseModel)


def cross_check(config: Config) -> list[Fault]:
    """Faults between settings: the key and one sentence for each."""
    faults = _peer_faults(config) + _ambiguous_callers(config) + _node_faults(config)
    faults += _duplicate_names("routes", [r.name for r in config.routes])
    for index, route in enumerate(config.routes):
        key = ("routes", index)
        faults += [((*key, *part), text) for part, text in _route_faults(route, config)]
    return faults


def _duplicate_names(section: str, names: Sequence[str]) -> list[Fault]:
    return [
        ((section, index, "name"), f"the name {name!r} is taken; names in {section} are unique.")
        for index, name in enumerate(names)
        if name in names[:index]
    ]


def _peer_faults(config: Config) -> list[Fault]:
    faults = _duplicate_names("peers", [peer.name for peer in config.peers])
    for index, peer in enumerate(config.peers):
        key = ("peers", index)
        if peer.name == SOURCE:
            faults.append(((*key, "name"), "'source' means the sender; choose another name."))
        if peer.send_by == "stow-rs" and not peer.dicomweb:
            faults.append(((*key, "send_by"), "send_by: stow-rs needs the peer's dicomweb URL."))
        if peer.send_by == "orthanc-rest" and not peer.orthanc_rest:
            text = "send_by: orthanc-rest needs the peer's orthanc_rest URL."
            faults.append(((*key, "send_by"), text))
    return faults


def _ambiguous_callers(config: Config) -> list[Fault]:
    """Callers that we could not tell apart: by its AE title we know who calls, and send back.

    Its address says less: behind a gateway, or with several network cards, it is another one.
    """
    faults: list[Fault] = []
    first: dict[str, str] = {}
    for index, peer in enumerate(config.peers):
        title = peer.ae_title.strip()
        if not peer.may_call:
            continue
        if title in first:
            text = (
                f"peers {first[title]!r} and {peer.name!r} both have the AE title {title}, so who "
                "calls, and who is 'source', cannot be told; give one its own AE title, or set "
                "may_call: false for the one that is only sent to."
            )
            faults.append((("peers", index, "ae_title"), text))
        first.setdefault(title, peer.name)
    return faults


def _node_faults(config: Config) -> list[Fault]:
    node, web, jobs = config.node, config.web, config.jobs
    faults: list[Fault] = []
    meet = node.host == web.host or is_everywhere(node.host) or is_everywhere(web.host)
    if node.port == web.port and meet:
        text = f"node.port and web.port are both {web.port}; the status page needs its own."
        faults.append((("web", "port"), text))
    if jobs.lost_after_s <= jobs.heartbeat_s:
        text = (
            f"jobs.lost_after_s should be longer than jobs.heartbeat_s ({jobs.heartbeat_s:g}), got "
            f"{jobs.lost_after_s:g}: workers that live would lose their jobs."
        )
        faults.append((("jobs", "lost_after_s"), text))
    return faults


def _route_faults(route: RouteSettings, config: Config) -> list[Fault]:
    faults: list[Fault] = []
    names = [SOURCE, *(peer.name for peer in config.peers)]
    for index, name in enumerate(route.send_to):
        if name not in names:
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}."
            faults.append((("send_to", index), f"there is no peer {name!r}; {hint}"))
    if not route.send_to:
        faults.append((("send_to",), "send_to names nobody, so the result would go nowhere."))
    for keyword, wanted in route.when.items():
        try:
            parse_condition(keyword, wanted)
        except ConditionError as error:
            faults.append((("when", keyword), str(error)))
    return faults + _pipeline_faults(route)


def _pipeline_faults(route: RouteSettings) -> list[Fault]:
    try:
        card = catalog.card(route.pipeline)
        for part in ("gate", "recognition"):  # every series is held against them
            catalog.module(route.pipeline, part)
    except PipelineError as error:
        return [(("pipeline",), str(error))]
    try:
        card.parameters_from(route.parameters)
    except PipelineError as error:
        return [(("parameters",), str(error))]
    return []
