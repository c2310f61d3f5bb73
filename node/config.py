"""The configuration: every setting, its default and its meaning, in one place.

`load_config` reads `node.yaml`. Unknown keys are errors that name the key, its line and the
nearest valid key. Units stand in the names (`quiet_s`, `min_free_bytes`).
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from sqlalchemy.engine import make_url

AETitle = Annotated[
    str, Field(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]*[!-\[\]-~][ -\[\]-~]*$")
]
"""AE title: 1 to 16 characters, no backslash, not only spaces (PS3.5 6.2, VR AE)."""

Port = Annotated[int, Field(ge=1, le=65535)]


def _known_database(value: str) -> str:
    if value != "sqlite" and not re.fullmatch(r"postgresql://.+", value):
        raise ValueError("sqlite, or postgresql://user@host/name")
    if value != "sqlite" and not _is_readable(value):
        raise ValueError("sqlite, or postgresql://user@host:port/name, the port a number")
    return value


def _is_readable(database: str) -> bool:
    """Whether SQLAlchemy can read it, which allows in a password what other readers do not."""
    try:
        make_url(database)
    except ValueError:
        return False
    return True


def _known_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]+)?", value):
        raise ValueError("auto, cpu, cuda or cuda:N")
    return value


def _written_syntax(value: str) -> str:
    if value not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        raise ValueError(
            "1.2.840.10008.1.2.1 or 1.2.840.10008.1.2 (Explicit or Implicit VR Little Endian): "
            "we write no others"
        )
    return value


def _web_address(value: str) -> str:
    found = urlsplit(value)
    if found.scheme not in ("http", "https") or not found.hostname or "@" in found.netloc:
        raise ValueError("http:// or https:// and a host; a log-in goes to username and password")
    return value


Database = Annotated[str, AfterValidator(_known_database)]
Device = Annotated[str, AfterValidator(_known_device)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Text = Annotated[str, Field(min_length=1)]
"""Text that is there: an empty host, for one, would mean every address of this machine."""

LONGEST_S = 3_155_760_000
"""A hundred years: what a clock can still count."""
TransferSyntaxUID = Annotated[str, AfterValidator(_written_syntax)]


class Settings(BaseModel):
    """Base of all settings: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _sound_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse truth for a number, and times that no clock can count."""
        name = str(info.field_name)
        if cls.model_fields[name].annotation in (int, float):
            if isinstance(value, bool):
                raise ValueError("a number")
            if name.endswith("_s") and isinstance(value, int | float) and value > LONGEST_S:
                raise ValueError(f"at most {LONGEST_S} seconds")
        return value


class TLSSettings(Settings):
    """Certificates for a TLS association (PS3.15 B.12)."""

    certificate: Path = Field(description="our certificate, PEM")
    key: Path = Field(description="our private key, PEM")
    ca: Path = Field(description="certificates of those whom we trust, PEM")


class NodeSettings(Settings):
    """Who we are on the network and where we keep data."""

    ae_title: AETitle = Field("VSCANNER", description="our AE title; a caller must use it")
    host: Text = Field(
        "0.0.0.0",
        description="address on which we accept associations; `::` takes IPv6 and IPv4",
    )
    port: Port = Field(11112, description="port on which we accept associations")
    data_dir: Path = Field(Path("/var/lib/vscanner"), description="spool, jobs, derived objects")
    database: Database = Field("sqlite", description="'sqlite', or postgresql://user@host/name")
    receivers: int = Field(2, ge=1, le=64, description="receiving processes on the one port")
    max_associations: int = Field(25, ge=1, description="associations at a time, a process")
    max_pdu_bytes: int = Field(131072, ge=4096, description="largest PDU that we accept")
    idle_timeout_s: float = Field(
        60, gt=0, description="an association, or a body of STOW-RS, silent this long is given up"
    )
    min_free_bytes: int = Field(
        1_000_000_000, ge=0, description="below this free space C-STORE answers A700H"
    )
    tls: TLSSettings | None = Field(None, description="accept TLS associations only")


class PeerSettings(Settings):
    """An application entity that may call us, and that we can call."""

    name: Text = Field(description="the name that routes use in send_to")
    ae_title: AETitle = Field(description="its AE title")
    host: Text = Field(description="its address")
    port: Port = Field(description="its DICOM port")
    dicomweb: WebAddress | None = Field(None, description="root URL of its DICOMweb services")
    orthanc_rest: WebAddress | None = Field(None, description="root URL of its Orthanc REST API")
    username: str | None = Field(None, description="HTTP user name")
    password: SecretStr | None = Field(None, description="HTTP password")
    send_by: Literal["c-store", "stow-rs", "orthanc-rest"] = Field(
        "c-store", description="the way by which derived series go to it"
    )
    associations: int = Field(
        1, ge=1, le=8, description="associations at a time for one series that we send by C-STORE"
    )
    may_call: bool = Field(True, description="whether it may open associations to us")
    storage_commitment: bool = Field(
        True, description="ask it for storage commitment; otherwise counts are compared by C-FIND"
    )
    query: bool = Field(True, description="ask it by C-FIND how many instances a series has")
    transfer_syntaxes: tuple[TransferSyntaxUID, ...] = Field(
        ("1.2.840.10008.1.2.1",),
        min_length=1,
        description="transfer syntax UIDs in which it takes our objects by C-STORE, the best "
        "first; Implicit VR Little Endian (1.2.840.10008.1.2) is always offered as well",
    )
    tls: TLSSettings | None = Field(None, description="use TLS when we call it")


class WebSettings(Settings):
    """The status page and the HTTP interface."""

    host: Text = Field("127.0.0.1", description="address of the status page; `::` takes IPv6 alone")
    port: Port = Field(8080, description="port of the status page")
    names: tuple[str, ...] = Field(
        (), description="dotted host names by which browsers reach the page, a proxy's say"
    )
    max_instance_bytes: int = Field(
        4_000_000_000, ge=1, description="largest instance that STOW-RS takes"
    )


class AssemblySettings(Settings):
    """When a series counts as complete."""

    quiet_s: float = Field(5, ge=0, description="seconds without a new instance")
    limit_s: float = Field(600, gt=0, description="seconds after which a series is taken as it is")
    partner_s: float = Field(
        30,
        ge=0,
        description="seconds without a new instance of the study before a series is translated "
        "without the partner that its pipeline would rather have",
    )


class JobSettings(Settings):
    """How often and how long a job is tried."""

    max_attempts: int = Field(5, ge=1, description="tries of a step before the job fails")
    backoff_s: float = Field(5, gt=0, description="wait before the second try; doubles each time")
    backoff_limit_s: float = Field(600, gt=0, description="longest wait between two tries")
    destination_wait_s: float = Field(
        86_400,
        ge=0,
        description="a destination that is away, or cannot confirm, is tried for about so long "
        "before the job fails or stays unconfirmed",
    )
    concurrency: int = Field(1, ge=1, description="jobs at a time in one worker (one GPU)")
    heartbeat_s: float = Field(5, gt=0, description="a worker's sign of life")
    lost_after_s: float = Field(15, gt=0, description="a worker silent this long has lost its jobs")
    commitment_timeout_s: float = Field(
        60, gt=0, description="wait for a commitment report before counting by C-FIND"
    )
    answer_timeout_s: float = Field(
        30, gt=0, description="a destination that takes longer for one answer is given up for now"
    )
    device: Device = Field("auto", description="auto, cpu, cuda or cuda:N")


class RetentionSettings(Settings):
    """What is kept, and for how long."""

    received_keep_s: float = Field(
        86_400, ge=0, description="received instances are kept this long after commitment"
    )
    unrouted_keep_s: float = Field(
        604_800, ge=0, description="instances that no rule took are kept this long"
    )
    derived_keep_s: float = Field(
        604_800,
        ge=0,
        description="derived instances are kept this long after commitment, and what was "
        "recorded of a job's way this long after its end",
    )
    failed_keep_s: float = Field(
        2_592_000,
        ge=0,
        description="what went wrong is kept this long for a person: folders of failed jobs, "
        "other content under a known UID, files that could not be read",
    )
    memory_keep_s: float = Field(
        31_536_000,
        ge=0,
        description="what is remembered of series whose images were deleted, patients' names "
        "among it, is kept this long",
    )
    jobs_keep_s: float = Field(
        315_360_000,
        ge=0,
        description="rows of jobs, without names, are kept this long after the job's end, those "
        "of failed jobs too; `vscanner recall` finds what was made by them",
    )


class RouteSettings(Settings):
    """One routing rule: which series go to which pipeline, and where the result goes."""

    name: Text = Field(description="what the status page calls this route")
    pipeline: str = Field(description="name of a pipeline, see `vscanner models`")
    when: dict[str, Any] = Field(
        default_factory=dict, description="conditions over DICOM keywords; all must hold"
    )
    send_to: tuple[str, ...] = Field(
        ("source",), description="names of peers; 'source' is the peer that sent the series"
    )
    priority: Literal["low", "normal", "high"] = Field("normal", description="order in the queue")
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="parameters of the pipeline, see its model card"
    )


class Config(Settings):
    """The whole of `node.yaml`."""

    node: NodeSettings = Field(default_factory=lambda: NodeSettings())
    peers: tuple[PeerSettings, ...] = Field((), description="who may call us, whom we can call")
    web: WebSettings = Field(default_factory=lambda: WebSettings())
    assembly: AssemblySettings = Field(default_factory=lambda: AssemblySettings())
    jobs: JobSettings = Field(default_factory=lambda: JobSettings())
    retention: RetentionSettings = Field(default_factory=lambda: RetentionSettings())
    routes: tuple[RouteSettings, ...] = Field((), description="routing rules, first match first")

    def peer_by_name(self, name: str) -> PeerSettings | None:
        """The peer of that name, if there is one."""
        return next((peer for peer in self.peers if peer.name == name), None)

    def peer_by_ae_title(self, ae_title: str) -> PeerSettings | None:
        """The peer that calls itself so (PS3.8 9.3.2: spaces around do not count).

        Of several only one may call, which a configuration file is held to: it is meant.
        """
        named = [peer for peer in self.peers if peer.ae_title.strip() == ae_title.strip()]
        return next((peer for peer in named if peer.may_call), next(iter(named), None))


def is_everywhere(host: str) -> bool:
    """Whether a server that listens at this host listens on all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
