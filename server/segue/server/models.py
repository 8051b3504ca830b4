"""The components of the model that serves, and their replacement when another model has built the catalogue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from segue.core.errors import SegueError
from segue.server.components import Components, DeferredComponents
from segue.server.live_catalogue.catalogue import POLL_SECONDS
from segue.server.process.memory import freeze_gc

# Until another try after a model could not be loaded.
_RETRY_SECONDS = 30.0
# The new catalogue serves even if its texts are not all read by then; searches of words fail with STARTING.
_SEARCH_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Assembly(Protocol):
    """Builds the components and closes them; ``assembly.Assembly`` does."""

    def build(self, *, search_seconds: float = 0.0) -> Components:
        """Builds the components, and waits up to some seconds until the search of texts is ready."""
        ...

    def abandon(self) -> None:
        """Closes what outlives the program, while a thread may still be building."""

    def close(self) -> None:
        """Closes the components."""


class Models:
    """Builds the components, and again when another model takes over the catalogue; the old ones finish their calls.

    Attributes:
        was_abandoned: True if a stop came while another model was loading, so that a thread may still be building.
    """

    was_abandoned = False

    def __init__(self, new_assembly: Callable[[], Assembly], deferred: DeferredComponents) -> None:
        """Builds nothing yet.

        Args:
            new_assembly: returns an assembly that has built nothing.
            deferred: receives the components, once they are built and whenever they are replaced.
        """
        self._new_assembly, self._deferred = new_assembly, deferred
        self._assemblies: list[Assembly] = []  # the newest one last
        self._retiring: set[asyncio.Task[None]] = set()

    async def build(self, search_seconds: float = 0.0) -> Components:
        """Builds the components of the catalogue's model and makes them those that serve; see ``assembly``."""
        assembly = self._new_assembly()
        self._assemblies.append(assembly)
        build = partial(assembly.build, search_seconds=search_seconds)
        # Not in the loop's default executor: the loop would wait for its threads at the end.
        components = await asyncio.get_running_loop().run_in_executor(ThreadPoolExecutor(1, "build"), build)
        self._deferred.value = components
        return components

    async def follow_catalogue(self) -> None:
        """Replaces the components whenever another model has built the catalogue, if the server has that model."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self._deferred.get().catalogue.is_replaced:
                await self._replace()

    async def _replace(self) -> None:
        old, assembly = self._deferred.get(), self._assemblies[-1]
        try:
            new = await self.build(_SEARCH_SECONDS)
        except asyncio.CancelledError:
            self.was_abandoned = True
            # It waits while the catalogue is read, and calls are still being answered.
            await asyncio.get_running_loop().run_in_executor(None, self._assemblies.pop().abandon)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the old model serves on, and the next try may succeed
            known = isinstance(error, SegueError)
            _log.warning("the model of the new catalogue cannot be loaded: %s", error, exc_info=not known)
            await self._close(self._assemblies.pop())
            await asyncio.sleep(_RETRY_SECONDS)
            return
        _log.info("%s has taken over from %s", new.model_id, old.model_id)
        # A stream may last for hours, and another switch must not wait for it.
        self._retiring.add(task := asyncio.create_task(self._retire(old, assembly)))
        task.add_done_callback(self._retiring.discard)

    async def _retire(self, old: Components, assembly: Assembly) -> None:
        await old.calls.wait_until_idle()
        self._assemblies.remove(assembly)
        await self._close(assembly)
        freeze_gc()

    async def _close(self, assembly: Assembly) -> None:
        await asyncio.get_running_loop().run_in_executor(None, assembly.close)

    def abandon(self) -> None:
        """Closes what outlives the program, while a thread may still be building."""
        for assembly in self._assemblies:
            assembly.abandon()

    def close(self) -> None:
        """Closes all components."""
        for assembly in reversed(self._assemblies):
            assembly.close()
