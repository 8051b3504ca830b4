"""What the server says while it runs: text for people, or a JSON object a line for machines."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import grpc

from segue.server.observability.call_record import CallRecord
from segue.server.settings import LogFormat

# What a record may carry beside its message; nothing else gets into a line of JSON, least of all audio or a token.
_FACTS = ("request_id", "method", "code", "reason", "milliseconds")
# gRPC logs these with a traceback (grpcio 1.80): a cancelled call, a message to a caller who hung up, and metadata that
# is not UTF-8.
_CALLER_ERRORS = (asyncio.CancelledError, grpc.aio.InternalError, UnicodeDecodeError)
_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
# In trouble every call fails, and a line for each would be trouble of its own.
_MOST_A_SECOND = 20

_log = logging.getLogger(__name__)


def configure_logging(form: LogFormat, level: str) -> None:
    """Sends everything that is logged to the standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter("segue-server: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("segue").setLevel(level.upper())
    logging.getLogger("grpc._cython.cygrpc").addFilter(is_worth_logging)


def is_worth_logging(record: logging.LogRecord) -> bool:
    """Returns False for a record of gRPC whose exception is the fault of a caller."""
    return not (record.exc_info and isinstance(record.exc_info[1], _CALLER_ERRORS))


class JsonFormatter(logging.Formatter):
    """A line of JSON for each record: time, level, message, and the facts of a call where it is about one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {fact: value for fact in _FACTS if (value := getattr(record, fact, None)) not in {None, ""}}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class CallLogger:
    """Logs calls as they end: well ones at debug, failed ones at info, refused callers at warning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes what tells the time, in seconds."""
        self._clock = clock
        self._second = 0
        self._said = 0

    def call_started(self, method: str) -> None:
        """Says nothing yet."""

    def call_ended(self, call: CallRecord) -> None:
        """Logs a call, unless too many others failed in the same second."""
        level = _level(call)
        if not _log.isEnabledFor(level) or (level > logging.DEBUG and self._too_many()):
            return
        milliseconds = round(1000 * call.seconds, 1)
        facts = {"request_id": call.request_id, "method": call.method, "code": call.code, "reason": call.reason}
        text = " ".join(filter(None, (call.method, call.code, call.reason)))
        _log.log(level, "%s in %g ms", text, milliseconds, extra={**facts, "milliseconds": milliseconds})

    def _too_many(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            left_out = self._said - _MOST_A_SECOND
            if left_out > 0:
                _log.warning("%d more calls failed in that second", left_out)
            self._second, self._said = second, 0
        self._said += 1
        return self._said > _MOST_A_SECOND


def _level(call: CallRecord) -> int:
    if call.code in _REFUSED:
        return logging.WARNING
    # Whoever watches something, or hangs up, has not failed at anything.
    return logging.DEBUG if call.code in {"OK", "CANCELLED"} else logging.INFO
