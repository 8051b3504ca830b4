from __future__ import annotations

import os
import signal

import pytest

from segue.indexer.interrupt import Interrupt


def test_the_first_signal_is_a_wish_and_the_second_stops() -> None:
    """Ctrl-C lets the batch finish; whoever presses it again cannot wait."""
    with Interrupt() as interrupt:
        assert not interrupt.requested()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.requested()
        assert signal.SIGINT == interrupt.signal
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_service_manager_may_stop_it_too() -> None:
    """SIGTERM is the same wish, and the signals are given back afterwards."""
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGTERM)

    assert signal.SIGTERM == interrupt.signal
    assert before == signal.getsignal(signal.SIGTERM)
