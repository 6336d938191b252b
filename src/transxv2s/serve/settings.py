"""Settings of the server: a typed YAML file in which every key is known, and changes to it."""

import ipaddress
import os
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError

from transxv2s.errors import ConfigError
from transxv2s.files import read_yaml

FORM_BYTES = 65_536  # of a request beside its images
Keep = Literal["referred", "all", "nothing"]


def _data_folder() -> Path:
    """`$XDG_DATA_HOME/transxv2s`, or `~/.local/share/transxv2s` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "transxv2s"


class Settings(BaseModel):
    """How the server runs, what it takes, and what it keeps for how long.

    Attributes:
        host: Address to listen on; any but a loopback address serves other machines, and needs users.
        port: TCP port; 0 takes a free one.
        hosts: Names under which others reach the server, through a proxy for example; it then needs users
            and says its cookies are for TLS only. Addresses and "localhost" need not be listed.
        proxies: Addresses of proxies in front, which are believed who asks (`X-Forwarded-For`).
        data_dir: Folder of the database file and the images.
        database_url: SQLAlchemy's, for PostgreSQL; None is an SQLite file in `data_dir`.
        checkpoint: Checkpoint directory; None takes the default one.
        device: "auto" (the GPU if there is one), or a torch device.
        engine: What runs the network, see docs/engines.md.
        keep: Whose images are stored: those of referred cases, all, or none. Findings are always stored.
        retention_days: After so many days images, findings, comments and details of a case are deleted.
        export_days: So many days after its first review the images of a case are deleted; until then they
            can be exported.
        max_upload_bytes: Of one file.
        max_pixels: Of one image, width × height.
        max_images_per_case: Images of one lesion that can be sent together.
        workers: Processes that decode images and run the network.
        worker_memory: Bytes that a worker may take beside the loaded network, on Linux.
        upload_memory: Bytes of uploads in memory at once; more are refused with a time to try again.
        queue: Images that may wait for a worker; more are refused with a time to try again.
        upload_seconds: In which a request must have arrived.
        work_seconds: In which a worker must be done with one image, or it is killed.
        recent_minutes: So long pictures of a case can be shown whose images are not kept; in memory only.
        recent_bytes: Of such pictures; the oldest go first.
        attempts_per_user: Failed attempts to log in as one user from one address (IPv6: one /64 network),
            within `attempt_minutes`.
        attempts_per_address: From one address as whomever.
        attempts_per_user_anywhere: As one user from all addresses; many more, as who reaches it locks the
            user out.
        attempt_minutes: Length of the sliding window in which attempts are counted.
        idle_minutes: A session ends when it is not used so long.
        session_hours: A session ends so long after the login at the latest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    hosts: tuple[str, ...] = ()
    proxies: tuple[IPvAnyAddress, ...] = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
    data_dir: Path = Field(default_factory=_data_folder)
    database_url: str | None = Field(default=None, repr=False)  # may hold a password
    checkpoint: Path | None = None
    device: str = "auto"
    engine: str = "eager"
    keep: Keep = "referred"
    retention_days: int = Field(default=30, ge=1)
    export_days: int = Field(default=7, ge=0)
    max_upload_bytes: int = Field(default=20_000_000, ge=1)
    max_pixels: int = Field(default=40_000_000, ge=256)
    max_images_per_case: int = Field(default=8, ge=1)
    workers: int = Field(default=1, ge=1)
    worker_memory: int = Field(default=3_000_000_000, ge=100_000_000)
    upload_memory: int = Field(default=400_000_000, ge=1)
    queue: int = Field(default=16, ge=0)
    upload_seconds: float = Field(default=60, gt=0)
    work_seconds: float = Field(default=60, gt=0)
    recent_minutes: float = Field(default=15, ge=0)
    recent_bytes: int = Field(default=300_000_000, ge=0)
    attempts_per_user: int = Field(default=5, ge=1)
    attempts_per_address: int = Field(default=20, ge=1)
    attempts_per_user_anywhere: int = Field(default=100, ge=1)
    attempt_minutes: int = Field(default=15, ge=1)
    idle_minutes: int = Field(default=30, ge=1)
    session_hours: int = Field(default=12, ge=1)

    @classmethod
    def load(cls, path: Path | None = None, **overrides: Any) -> Self:
        """Settings from a YAML file.

        Args:
            path: The file; None takes the defaults.
            **overrides: Settings that win over the file's; None stands for one that is not given.

        Raises:
            ConfigError: The file cannot be read, or a key or value is wrong.
        """
        given = {key: value for key, value in overrides.items() if value is not None}
        try:
            return cls.model_validate(_content(path) | given)
        except ValidationError as error:
            raise ConfigError(f"{path or 'settings'}: {_explain(error)}") from None

    @property
    def database(self) -> str:
        """URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'transxv2s.sqlite'}"

    @property
    def images(self) -> Path:
        """Folder of the stored images."""
        return self.data_dir / "images"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def needs_users(self) -> bool:
        """Whether others than the person at this machine can reach the server."""
        return not self.is_local or bool(self.hosts)

    @property
    def max_case_bytes(self) -> int:
        """Of one request with all images of a case, and what is around them."""
        return self.max_images_per_case * self.max_upload_bytes + FORM_BYTES

    @property
    def retention(self) -> timedelta:
        """How long a case is kept."""
        return timedelta(days=self.retention_days)


def _content(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    content = read_yaml(path, f"there is no settings file {path}")
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a line 'key: value' for each setting")
    return content or {}


def _explain(error: ValidationError) -> str:
    """One sentence for the first problem."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key}: known are {', '.join(Settings.model_fields)}"
    return f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}"
