"""The parts of a server, built of its settings."""

from __future__ import annotations

from dataclasses import dataclass

from segue.core.errors import Starting
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.engine import Engine
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.observability.metrics import Metrics
from segue.server.security.tls import Tls
from segue.server.security.tokens import Tokens


@dataclass(frozen=True)
class Components:
    """The parts that the services work with."""

    engine: Engine
    catalogue: LiveCatalogue
    readers: BoundedExecutor
    metrics: Metrics

    @property
    def model_id(self) -> str:
        """What the loaded network is called."""
        return self.engine.model.manifest.model_id


class DeferredComponents:
    """Gives the services their components, which are built after the port is open.

    Attributes:
        value: the components, or None until they are built.
    """

    def __init__(self) -> None:
        self.value: Components | None = None

    def get(self) -> Components:
        """Returns the components.

        Raises:
            Starting: they are not built yet.
        """
        if self.value is None:
            raise starting_error()
        return self.value


def starting_error() -> Starting:
    """Returns the error of a call that arrives before the components are built."""
    return Starting("The server is starting: it loads its model and its catalogue. Try again in a second.")


@dataclass(frozen=True)
class ListenerSecurity:
    """What guards the port.

    Attributes:
        tls: what secures the port, or None for plain text.
        tokens: who may call, or None for everyone.
    """

    tls: Tls | None = None
    tokens: Tokens | None = None
