"""Signals to a server, before it is ready and while calls are in progress."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from segue.core.process_identity import start_time
from segue.v1 import audio_pb2, classification_service_pb2, classification_service_pb2_grpc
from tests.helpers.clips import wav
from tests.helpers.machine.processes import decoder, stopped
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs

CLASSIFYING = 'segue_requests_in_flight{method="/segue.v1.ClassificationService/Classify"}'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_server_is_ready(tmp_path: Path, tiny_model: Path, number: signal.Signals) -> None:
    """A server that is stopped before it is ready, perhaps twice, leaves no Redis behind."""
    command = [sys.executable, "-m", "segue.server", "--data", str(tmp_path), "--model", str(tiny_model)]
    with subprocess.Popen([*command, "--listen", "127.0.0.1:0"], stderr=subprocess.DEVNULL) as process:
        pid_file = tmp_path / "redis" / "redis.pid"
        wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
        pid = int(pid_file.read_text())
        process.send_signal(number)
        process.send_signal(number)
        assert 0 == process.wait(PATIENCE_SECONDS)
    wait_until(lambda: start_time(pid) is None)


@pytest.mark.parametrize("times", [1, 2])
def test_a_terminal_that_is_closed(tmp_path: Path, tiny_model: Path, times: int) -> None:
    """A server that loses its terminal stops in order, with its private Redis; the shell may send SIGHUP as well."""
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as running:
        pid = int((tmp_path / "redis" / "redis.pid").read_text())
        for _ in range(times):
            running.process.send_signal(signal.SIGHUP)
        assert 0 == running.process.wait(PATIENCE_SECONDS)
    wait_until(lambda: start_time(pid) is None)


def test_calls_in_progress_finish(tmp_path: Path, tiny_model: Path) -> None:
    """After SIGTERM a call in progress succeeds, and the server exits with 0."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--grace", str(PATIENCE_SECONDS))
    with running_server(*options, "--metrics-listen", "127.0.0.1:0") as running:
        service = classification_service_pb2_grpc.ClassificationServiceStub(Stubs(running.address).channel)
        request = classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=wav(50, rate=44_100)))
        with stopped(decoder(running.process.pid)):
            call = service.Classify.future(request, timeout=PATIENCE_SECONDS)
            wait_until(lambda: 1 == running.metrics().get(CLASSIFYING))
            running.process.terminate()
            assert running.process.stderr is not None
            assert any("stopping" in line for line in running.process.stderr)
        assert call.result().scores
        assert 0 == running.process.wait(PATIENCE_SECONDS)
