from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from segue.server.observability.call_record import CallRecord
from segue.server.observability.log_setup import CallLogger, JsonFormatter

CLASSIFY = "/segue.v1.ClassificationService/Classify"


def call(code: str, reason: str = "") -> CallRecord:
    """A call that has ended."""
    return CallRecord(CLASSIFY, code, reason, 0.0123, "id-1")


@pytest.mark.parametrize(
    ("ended", "level"),
    [
        (call("OK"), logging.DEBUG),
        (call("CANCELLED"), logging.DEBUG),
        (call("INVALID_ARGUMENT", "AUDIO_SILENT"), logging.INFO),
        (call("UNAUTHENTICATED", "TOKEN_MISSING"), logging.WARNING),
        (call("PERMISSION_DENIED", "TOKEN_SCOPE"), logging.WARNING),
    ],
)
def test_how_loud_a_call_is(ended: CallRecord, level: int, caplog: pytest.LogCaptureFixture) -> None:
    """What is well is whispered, what failed is said, and who was refused is said aloud."""
    with caplog.at_level(logging.DEBUG):
        CallLogger().call_ended(ended)
    assert [level] == [record.levelno for record in caplog.records]


def test_a_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    """A call is one object with its facts, and with nothing that nobody named."""
    with caplog.at_level(logging.DEBUG):
        CallLogger().call_ended(call("INVALID_ARGUMENT", "AUDIO_SILENT"))
    caplog.records[0].token = "secret"  # noqa: S105 - of nobody
    line = json.loads(JsonFormatter().format(caplog.records[0]))
    assert line.pop("time").endswith("+00:00")
    assert {
        "level": "info",
        "message": f"{CLASSIFY} INVALID_ARGUMENT AUDIO_SILENT in 12.3 ms",
        "request_id": "id-1",
        "method": CLASSIFY,
        "code": "INVALID_ARGUMENT",
        "reason": "AUDIO_SILENT",
        "milliseconds": 12.3,
    } == line


def test_an_exception_stays_in_its_line() -> None:
    """A traceback of many lines is one value of the object."""
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        record = logging.LogRecord("segue", logging.ERROR, "", 0, "request %s failed", ("id-1",), sys.exc_info())
    line = JsonFormatter().format(record)
    assert 1 == len(line.splitlines())
    assert "ZeroDivisionError" in json.loads(line)["traceback"]


def test_many_that_fail(caplog: pytest.LogCaptureFixture) -> None:
    """Of a flood of failures only some are logged, and how many were not is said."""
    now = [100.0]
    log = CallLogger(clock=lambda: now[0])
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            log.call_ended(call("RESOURCE_EXHAUSTED", "OVERLOADED"))
        assert 20 == len(caplog.records)
        now[0] += 1
        log.call_ended(call("RESOURCE_EXHAUSTED", "OVERLOADED"))
    assert "980 more calls failed in that second" == caplog.records[20].getMessage()
    assert 22 == len(caplog.records)


PROGRAM = """
import asyncio
import grpc
import logging
from segue.server.observability.log_setup import configure_logging
configure_logging({form!r}, "warning")
grpc_log = logging.getLogger("grpc._cython.cygrpc")
logging.getLogger("segue.server").info("below the level")
logging.getLogger("segue.server").warning("a warning")
grpc_log.error("the caller hung up", exc_info=grpc.aio.InternalError())
grpc_log.error("the call was cancelled", exc_info=asyncio.CancelledError())
grpc_log.error("metadata is no text", exc_info=UnicodeDecodeError("utf-8", b"", 0, 1, ""))
grpc_log.error("something else")
"""


def lines(form: str) -> list[str]:
    """What a process logs in a form."""
    command = [sys.executable, "-c", PROGRAM.format(form=form)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()


def test_text_for_people() -> None:
    """Text is the program's name and the message; what is below the level, and gRPC's word of who hung up, is not."""
    assert ["segue-server: a warning", "segue-server: something else"] == lines("text")


def test_json_for_machines() -> None:
    """The same in JSON, every line for itself."""
    found = [json.loads(line) for line in lines("json")]
    assert [("warning", "a warning"), ("error", "something else")] == [(one["level"], one["message"]) for one in found]
