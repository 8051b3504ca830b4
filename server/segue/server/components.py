"""The built components of a server."""

from __future__ import annotations

from dataclasses import dataclass

from segue.core.errors import Starting
from segue.core.model.artifact import Manifest
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.engine import Engine
from segue.server.inference.spool import Spool
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.text_search import TextSearch
from segue.server.security.tls import Tls
from segue.server.security.tokens import Tokens


@dataclass(frozen=True)
class Components:
    """The components that the services use.

    Attributes:
        engine: analyzes clips.
        catalogue: searches the catalogue.
        readers: threads that wait for the store.
        spool: disk space for the clips of streams.
        clip_bytes: largest clip in one message.
        search: searches the texts of the catalogue.
        searchers: the thread that searches them.
    """

    engine: Engine
    catalogue: LiveCatalogue
    readers: BoundedExecutor
    spool: Spool
    clip_bytes: int
    search: TextSearch
    searchers: BoundedExecutor

    @property
    def manifest(self) -> Manifest:
        """The manifest of the loaded model."""
        return self.engine.model.manifest

    @property
    def model_id(self) -> str:
        """The id of the loaded model."""
        return self.manifest.model_id

    @property
    def catalogue_state(self) -> tuple[int, bool]:
        """The revision of the catalogue, and True if the store did not answer."""
        return self.catalogue.view.revision, self.catalogue.stale


class DeferredComponents:
    """Components that are built after the port is open.

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
            raise Starting("The server is starting: it loads its model and its catalogue. Try again in a second.")
        return self.value


class ComponentsUser:
    """Gives a service its components; a call fails with STARTING until they are built."""

    def __init__(self, components: DeferredComponents) -> None:
        self._deferred = components

    @property
    def _components(self) -> Components:
        return self._deferred.get()


@dataclass(frozen=True)
class ListenerSecurity:
    """The certificates and tokens of the port.

    Attributes:
        tls: certificates, or None for plain text.
        tokens: tokens that permit calls, or None if every caller is allowed.
    """

    tls: Tls | None = None
    tokens: Tokens | None = None
