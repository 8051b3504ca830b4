from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from segue.server.process.memory import freeze_gc


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """The collector sees all objects again after each test."""
    yield
    gc.unfreeze()


def test_loaded_objects_are_not_collected_again() -> None:
    """A full collection visits almost no object, and still finds new garbage."""
    loaded = [[number] for number in range(10_000)]
    freeze_gc()
    assert len(gc.get_objects()) < len(loaded)
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() >= 1
