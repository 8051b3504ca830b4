"""The signals that stop the server."""

from __future__ import annotations

import signal


def stop_signals() -> list[signal.Signals]:
    """Returns SIGTERM, SIGINT and, unless nohup has disabled it, SIGHUP."""
    hang_up = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
    return [signal.SIGTERM, signal.SIGINT, *hang_up]
