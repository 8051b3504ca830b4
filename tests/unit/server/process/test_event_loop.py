from __future__ import annotations

import asyncio
import sys
from contextlib import closing

import pytest

from segue.server.process.event_loop import new_event_loop


def test_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without uvloop has Python's own event loop."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    with closing(new_event_loop()) as loop:
        assert isinstance(loop, asyncio.SelectorEventLoop)


def test_with_uvloop() -> None:
    """A server with uvloop has its event loop."""
    uvloop = pytest.importorskip("uvloop")
    with closing(new_event_loop()) as loop:
        assert isinstance(loop, uvloop.Loop)
