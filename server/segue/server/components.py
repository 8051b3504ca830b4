"""The built components of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from segue.core.errors import Starting
from segue.core.model.artifact import Manifest
from segue.server.inference.bounded_executor import BoundedExecutor
from segue.server.inference.engine import Engine
from segue.server.inference.spool import Spool
from segue.server.live_catalogue.catalogue import LiveCatalogue
from segue.server.live_catalogue.catalogue_search import CatalogueSearch
from segue.server.live_catalogue.playlists.search import PlaylistSearch
from segue.server.live_catalogue.text_search import TextSearch
from segue.server.security.tls import Tls
from segue.server.security.tokens import Tokens
from segue.server.writing.jobs import Writes


class CallCount:
    """Counts the calls in its blocks."""

    def __init__(self) -> None:
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> None:
        self._calls += 1
        self._idle.clear()

    def __exit__(self, *_: object) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    async def wait_until_idle(self) -> None:
        """Waits until no call is in a block."""
        await self._idle.wait()


@dataclass(frozen=True)
class Components:
    """The components that the services use.

    Attributes:
        engine: analyzes clips.
        catalogue: follows the catalogue.
        nearest: finds the tracks to recommend.
        playlists: finds playlists.
        readers: threads that wait for the store.
        spool: disk space for the clips of streams.
        clip_bytes: largest clip in one message.
        search: searches the texts of the catalogue.
        searchers: the thread that searches them.
        writes: writes what callers ask for.
        calls: the calls that use these components.
    """

    engine: Engine
    catalogue: LiveCatalogue
    nearest: CatalogueSearch
    playlists: PlaylistSearch
    readers: BoundedExecutor
    spool: Spool
    clip_bytes: int
    search: TextSearch
    searchers: BoundedExecutor
    writes: Writes
    calls: CallCount = field(default_factory=CallCount, compare=False)

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
    """Components that are built after the port is open, and again for another model.

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

    @contextmanager
    def using(self) -> Iterator[Components]:
        """Yields the components of one call: the same from its beginning to its end, even if others replace them.

        Raises:
            Starting: they are not built yet.
        """
        components = self.get()
        with components.calls:
            _of_this_call.set(components)
            yield components


_of_this_call: ContextVar[Components] = ContextVar("components")


class ComponentsUser:
    """Gives a service the components of its call, which ``DeferredComponents.using`` has set."""

    @property
    def _components(self) -> Components:
        return _of_this_call.get()


@dataclass(frozen=True)
class ListenerSecurity:
    """The certificates and tokens of the port.

    Attributes:
        tls: certificates, or None for plain text.
        tokens: tokens that permit calls, or None if every caller is allowed.
    """

    tls: Tls | None = None
    tokens: Tokens | None = None
