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
    """The record of a call."""
    return CallRecord(CLASSIFY, code, reason, 0.0123, "id-1")


@pytest.mark.parametrize(
    ("record", "level"),
    [
        (call("OK"), logging.DEBUG),
        (call("CANCELLED"), logging.DEBUG),
        (call("INVALID_ARGUMENT", "AUDIO_SILENT"), logging.INFO),
        (call("UNAUTHENTICATED", "TOKEN_MISSING"), logging.WARNING),
        (call("PERMISSION_DENIED", "TOKEN_SCOPE"), logging.WARNING),
    ],
)
def test_the_level_of_a_call(record: CallRecord, level: int, caplog: pytest.LogCaptureFixture) -> None:
    """Successful calls are logged at debug, failed ones at info, denied ones at warning."""
    with caplog.at_level(logging.DEBUG):
        CallLogger().call_ended(record)
    assert [level] == [entry.levelno for entry in caplog.records]


def test_a_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    """A call is one object with its fields, and with no other attribute of the log record."""
    with caplog.at_level(logging.DEBUG):
        CallLogger().call_ended(call("INVALID_ARGUMENT", "AUDIO_SILENT"))
    caplog.records[0].token = "secret"  # noqa: S105 - made up
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


def test_many_failures(caplog: pytest.LogCaptureFixture) -> None:
    """At most 20 failures are logged in a second, then the number of the others."""
    now = [100.0]
    logger = CallLogger(clock=lambda: now[0])
    with caplog.at_level(logging.INFO):
        for _ in range(1000):
            logger.call_ended(call("RESOURCE_EXHAUSTED", "OVERLOADED"))
        assert 20 == len(caplog.records)
        now[0] += 1
        logger.call_ended(call("RESOURCE_EXHAUSTED", "OVERLOADED"))
    assert "980 more calls failed in that second" == caplog.records[20].getMessage()
    assert 22 == len(caplog.records)


PROGRAM = """
import asyncio
import grpc
import logging
from segue.server.observability.log_setup import configure_logging
configure_logging({log_format!r}, "warning")
grpc_log = logging.getLogger("grpc._cython.cygrpc")
logging.getLogger("segue.server").info("below the level")
logging.getLogger("segue.server").warning("a warning")
grpc_log.error("the caller hung up", exc_info=grpc.aio.InternalError())
grpc_log.error("the call was cancelled", exc_info=asyncio.CancelledError())
grpc_log.error("metadata is no text", exc_info=UnicodeDecodeError("utf-8", b"", 0, 1, ""))
grpc_log.error("something else")
"""


def lines(log_format: str) -> list[str]:
    """The lines that a process logs in a format."""
    command = [sys.executable, "-c", PROGRAM.format(log_format=log_format)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()


def test_text() -> None:
    """A line is the program's name and the message; records below the level and errors of callers are left out."""
    assert ["segue-server: a warning", "segue-server: something else"] == lines("text")


def test_json() -> None:
    """The same records are logged as JSON, one object per line."""
    objects = [json.loads(line) for line in lines("json")]
    actual = [(entry["level"], entry["message"]) for entry in objects]
    assert [("warning", "a warning"), ("error", "something else")] == actual
