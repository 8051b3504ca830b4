from __future__ import annotations

import os
import signal

import pytest

from segue.indexer.interrupt import Interrupt


def test_the_second_ctrl_c_stops_at_once() -> None:
    """The first one requests a stop, so that the batch can finish; the second one raises KeyboardInterrupt."""
    with Interrupt() as interrupt:
        assert not interrupt.requested()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.requested()
        assert signal.SIGINT == interrupt.signal
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_sigterm_requests_a_stop_too() -> None:
    """Service managers send it; afterwards the previous handlers are restored."""
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGTERM)

    assert signal.SIGTERM == interrupt.signal
    assert before == signal.getsignal(signal.SIGTERM)
