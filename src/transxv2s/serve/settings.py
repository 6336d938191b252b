"""Settings of the server: a typed YAML file in which every key is known, and changes to it."""

import ipaddress
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from transxv2s.errors import ConfigError
from transxv2s.files import read_yaml

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
        data_dir: Folder of the database file and the images.
        database_url: SQLAlchemy's, for PostgreSQL; None is an SQLite file in `data_dir`.
        checkpoint: Checkpoint directory; None takes the default one.
        device: "auto" (the GPU if there is one), or a torch device.
        keep: Whose images are stored: those of referred cases, all, or none. Findings are always stored.
        retention_days: After so many days images, findings, comments and details of a case are deleted.
        export_days: From its first review a case is kept at most this long, for the export.
        max_upload_bytes: Of one file.
        max_pixels: Of one image, width × height.
        max_images_per_case: Images of one lesion that can be sent together.
        workers: Processes that decode images and run the network.
        queue: Images that may wait for a worker; more are refused with a time to try again.
        upload_seconds: In which a request must have arrived.
        work_seconds: In which a worker must be done with one image, or it is killed.
        attempts_per_user: Failed attempts to log in as one user, within `attempt_minutes`.
        attempts_per_address: The same from one address (IPv6: from one /64 network).
        attempt_minutes: Length of the sliding window in which attempts are counted.
        idle_minutes: A session ends when it is not used so long.
        session_hours: A session ends so long after the login at the latest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Field(default_factory=_data_folder)
    database_url: str | None = Field(default=None, repr=False)  # may hold a password
    checkpoint: Path | None = None
    device: str = "auto"
    keep: Keep = "referred"
    retention_days: int = Field(default=30, ge=1)
    export_days: int = Field(default=7, ge=0)
    max_upload_bytes: int = Field(default=20_000_000, ge=1)
    max_pixels: int = Field(default=40_000_000, ge=256)
    max_images_per_case: int = Field(default=8, ge=1)
    workers: int = Field(default=1, ge=1)
    queue: int = Field(default=16, ge=0)
    upload_seconds: float = Field(default=60, gt=0)
    work_seconds: float = Field(default=60, gt=0)
    attempts_per_user: int = Field(default=5, ge=1)
    attempts_per_address: int = Field(default=20, ge=1)
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
