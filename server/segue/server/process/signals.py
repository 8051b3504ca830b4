"""The signals that end a server in good order."""

from __future__ import annotations

import signal


def stop_signals() -> list[signal.Signals]:
    """Those of a supervisor and of Ctrl-C, and that of a terminal that is closed, unless nohup keeps it away."""
    hang_up = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN else []
    return [signal.SIGTERM, signal.SIGINT, *hang_up]
