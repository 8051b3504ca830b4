from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import os
from segue.core.features.config import FeatureConfig
from segue.server.inference.decode_worker import DecodeWorker
os.nice({before})
worker = DecodeWorker(FeatureConfig(), 1)
worker(worker.warm_up_task())
print(os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.parametrize("before", [0, 9], ids=["usual", "nice"])
def test_a_worker_is_nicer_than_the_server(before: int) -> None:
    """A worker yields to the server, and is never less nice than it was started: only root may lower the niceness."""
    started = os.getpriority(os.PRIO_PROCESS, 0) + before
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(before=before)], capture_output=True, text=True, check=True
    )
    assert min(max(5, started), 19) == int(ended.stdout)
