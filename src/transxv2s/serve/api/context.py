"""What the routes work with: one object, made once, found through the request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from transxv2s.checkpoint import CheckpointConfig, read_config
from transxv2s.nets import VARIANTS
from transxv2s.serve.api.metrics import Metrics
from transxv2s.serve.db.session import Database
from transxv2s.serve.images import ImageStore
from transxv2s.serve.recent import Recent
from transxv2s.serve.settings import Settings
from transxv2s.serve.worker import Pool
from transxv2s.taxonomy import Taxonomy


@dataclass(frozen=True)
class Model:
    """What is known of the network without loading it.

    Attributes:
        config: The checkpoint's config.json.
        digest: Digest of the checkpoint.
    """

    config: CheckpointConfig
    digest: str

    @classmethod
    def of(cls, checkpoint: Path) -> "Model":
        """Of a checkpoint directory.

        Raises:
            CheckpointError: It is none.
        """
        return cls(*read_config(checkpoint))

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The classes."""
        return self.config.to_taxonomy()

    def name_of(self, code: str) -> str:
        """A class in words; its code where the network, meanwhile another one, does not know it."""
        return self.taxonomy[code].name if code in self.taxonomy.codes else code

    @property
    def rare(self) -> Mapping[str, float]:
        """By code of a rare class, the probability from which a lesion may be of it."""
        return self.config.trust.policy.rare if self.config.trust else {}

    @property
    def explainable(self) -> bool:
        """Whether there are heat maps."""
        return self.config.variant in VARIANTS


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Server:
    """Everything that lives as long as the server."""

    settings: Settings
    database: Database
    store: ImageStore
    recent: Recent
    workers: Pool
    model: Model
    metrics: Metrics
    now: Callable[[], datetime] = field(default=_now)


def server_of(request: Request) -> Server:
    """The server that answers a request."""
    server: Server = request.app.state.server
    return server


TheServer = Annotated[Server, Depends(server_of)]
