"""More clips than the server admits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from segue.v1 import audio_pb2, classification_service_pb2, classification_service_pb2_grpc
from tests.helpers.clips import wav
from tests.helpers.machine.processes import decoder, stopped
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, failure


def test_a_full_queue(tmp_path: Path, tiny_model: Path) -> None:
    """Calls above the limit fail at once with the time after which to try again, a stream before its first message."""
    options = ("--data", str(tmp_path), "--model", str(tiny_model), "--workers", "1", "--queue-seconds", "125")
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        service = classification_service_pb2_grpc.ClassificationServiceStub(stubs.channel)
        request = classification_service_pb2.ClassifyRequest(audio=audio_pb2.Audio(content=wav(49, rate=44_100)))
        with stopped(decoder(running.process.pid)):
            calls = [service.Classify.future(request, timeout=PATIENCE_SECONDS) for _ in range(12)]
            wait_until(lambda: 10 == sum(call.done() for call in calls))
            for call in calls:
                if call.done():
                    assert_overloaded(call)
            over = threading.Event()
            assert_overloaded(service.StreamingClassify(pause(over), timeout=PATIENCE_SECONDS))
            over.set()
        assert 2 == [call.code() for call in calls].count(grpc.StatusCode.OK)
        assert stubs.classify(wav(5)).scores


def assert_overloaded(call: Any) -> None:  # noqa: ANN401 - grpc has no name for a call that can be waited for
    """Asserts that a call is rejected with the time after which to try again."""
    with pytest.raises(grpc.RpcError) as error:
        call.result()
    code, reason, details = failure(error)
    assert ("RESOURCE_EXHAUSTED", "OVERLOADED", True) == (code, reason, "RetryInfo" in details)


def pause(over: threading.Event) -> Iterator[classification_service_pb2.StreamingClassifyRequest]:
    """No message until an event."""
    over.wait(PATIENCE_SECONDS)
    yield from ()
