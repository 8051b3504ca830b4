"""The parts of a server, built of its settings."""

from __future__ import annotations

from dataclasses import dataclass

from segue.server.inference.bounded_executor import BoundedThreads
from segue.server.inference.engine import Engine
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.observability.metrics import Metrics
from segue.server.security.tls import Tls
from segue.server.security.tokens import Tokens


@dataclass(frozen=True)
class Parts:
    """The parts that the services work with."""

    engine: Engine
    catalogue: LiveCatalogue
    readers: BoundedThreads
    metrics: Metrics

    @property
    def model_id(self) -> str:
        """What the loaded network is called."""
        return self.engine.model.manifest.model_id


@dataclass(frozen=True)
class ListenerSecurity:
    """What guards the port.

    Attributes:
        tls: what secures the port, or None for plain text.
        tokens: who may call, or None for everyone.
    """

    tls: Tls | None = None
    tokens: Tokens | None = None
