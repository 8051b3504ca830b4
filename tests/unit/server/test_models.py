"""The switch from one model to another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import cast

import pytest

from segue.core.errors import ArtifactDamaged
from segue.server import models as switching
from segue.server.components import CallCount, Components, DeferredComponents
from segue.server.models import Models


class FakeAssembly:
    """Builds components of a model in no time; ``failure`` is raised instead."""

    def __init__(self, model_id: str, failure: Exception | None = None) -> None:
        self.is_closed = False
        self.abandoned_in: str | None = None
        self.catalogue = SimpleNamespace(is_replaced=False)
        self._model_id, self._failure = model_id, failure

    def build(self, *, search_seconds: float = 0.0) -> Components:
        """Returns the components."""
        if self._failure:
            raise self._failure
        parts = SimpleNamespace(model_id=self._model_id, catalogue=self.catalogue, calls=CallCount())
        return cast("Components", parts)

    def abandon(self) -> None:
        """Remembers its thread."""
        self.abandoned_in = threading.current_thread().name

    def close(self) -> None:
        """Remembers that it was closed."""
        self.is_closed = True


class Endless(FakeAssembly):
    """Builds until it is abandoned."""

    def __init__(self, model_id: str) -> None:
        super().__init__(model_id)
        self._over = threading.Event()

    def build(self, *, search_seconds: float = 0.0) -> Components:
        """Waits."""
        self._over.wait(30)
        raise ArtifactDamaged("abandoned")

    def abandon(self) -> None:
        """Ends ``build``."""
        super().abandon()
        self._over.set()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the pauses short."""
    monkeypatch.setattr(switching, "POLL_SECONDS", 0.001)
    monkeypatch.setattr(switching, "_RETRY_SECONDS", 0.001)


async def until(condition: Callable[[], bool]) -> None:
    """Waits until a condition is true."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.001)


class Switch:
    """A server's models, with an assembly for each of them.

    Attributes:
        deferred: the components that serve.
        models: the models.
    """

    def __init__(self, *assemblies: FakeAssembly) -> None:
        self.deferred = DeferredComponents()
        rest = iter(assemblies)
        self.models = Models(lambda: next(rest), self.deferred)
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Switch:
        await self.models.build()
        self._following = asyncio.create_task(self.models.follow_catalogue())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self.models.close()

    async def stop(self) -> None:
        """Stops to follow the catalogue."""
        following = cast("asyncio.Task[None]", self._following)
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    def serves(self, model_id: str) -> bool:
        """Returns whether a model serves."""
        return model_id == str(self.deferred.get().model_id)


async def test_an_open_stream() -> None:
    """A call that still uses a replaced model does not delay the next switch, and keeps only its own model."""
    first, second, third = FakeAssembly("a"), FakeAssembly("b"), FakeAssembly("a again")
    async with Switch(first, second, third) as switch:
        with switch.deferred.using():
            first.catalogue.is_replaced = True
            await until(lambda: switch.serves("b"))
            second.catalogue.is_replaced = True
            await until(lambda: switch.serves("a again"))
            await until(lambda: second.is_closed)
            assert not first.is_closed
        await until(lambda: first.is_closed)
        assert not third.is_closed


@pytest.mark.parametrize("failure", [ArtifactDamaged("damaged"), OSError(28, "No space left on device")])
async def test_a_model_that_cannot_be_loaded(failure: Exception) -> None:
    """Whatever keeps a model from loading, the old one serves on, and another try follows."""
    first, failing, second = FakeAssembly("a"), FakeAssembly("b", failure), FakeAssembly("b")
    async with Switch(first, failing, second) as switch:
        first.catalogue.is_replaced = True
        await until(lambda: switch.serves("b"))
        assert failing.is_closed
        await until(lambda: first.is_closed)


async def test_a_stop_while_a_model_loads() -> None:
    """A stop abandons the model that loads, without blocking the event loop, and says that a thread may go on."""
    first, loading = FakeAssembly("a"), Endless("b")
    async with Switch(first, loading) as switch:
        assert not switch.models.was_abandoned
        first.catalogue.is_replaced = True
        await asyncio.sleep(0.05)
        await switch.stop()
        assert switch.models.was_abandoned
        assert threading.main_thread().name != loading.abandoned_in
        assert loading.abandoned_in
    assert (True, False) == (first.is_closed, loading.is_closed)
