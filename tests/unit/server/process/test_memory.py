from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from segue.server.process.memory import freeze_gc


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """Other tests' garbage is looked at again."""
    yield
    gc.unfreeze()


def test_what_is_loaded_is_not_gone_through_again() -> None:
    """A full collection has almost nothing to look at, and still finds what became garbage since."""
    loaded = [[number] for number in range(10_000)]
    freeze_gc()
    assert len(gc.get_objects()) < len(loaded)
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() >= 1
