"""Logs on the standard error: text for people, or one JSON object per line for programs."""

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

# The only attributes of a log record that a JSON line holds, so that neither audio nor tokens are ever logged.
_CALL_FIELDS = ("request_id", "method", "code", "reason", "milliseconds")
# gRPC logs these with a traceback (grpcio 1.80): a cancelled call, a message to a caller who hung up, and metadata that
# is not UTF-8.
_CALLER_ERRORS = (asyncio.CancelledError, grpc.aio.InternalError, UnicodeDecodeError)
_ACCESS_CODES = {"UNAUTHENTICATED", "PERMISSION_DENIED"}
# During an outage every call fails, and a line for each would only add to the load.
_MAX_LINES_PER_SECOND = 20

_log = logging.getLogger(__name__)


def configure_logging(log_format: LogFormat, level: str) -> None:
    """Writes all logs to the standard error; ``level`` is the lowest level of Segue's own logs."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("segue-server: %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == "json" else text)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("segue").setLevel(level.upper())
    logging.getLogger("grpc._cython.cygrpc").addFilter(is_worth_logging)


def is_worth_logging(record: logging.LogRecord) -> bool:
    """Returns False for a record of gRPC whose exception was caused by a caller."""
    return not (record.exc_info and isinstance(record.exc_info[1], _CALLER_ERRORS))


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON: time, level, message, and the fields of a call."""

    def format(self, record: logging.LogRecord) -> str:
        """Formats a record as one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= {field: value for field in _CALL_FIELDS if (value := getattr(record, field, None)) not in {None, ""}}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class CallLogger:
    """Logs calls when they end: successful ones at debug, failed ones at info, denied ones at warning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Creates a logger of calls.

        Args:
            clock: returns the time in seconds.
        """
        self._clock = clock
        self._second = 0
        self._calls_this_second = 0

    def call_started(self, method: str) -> None:
        """Logs nothing."""

    def call_ended(self, call: CallRecord) -> None:
        """Logs a call, unless too many others failed in the same second."""
        level = _level(call)
        if not _log.isEnabledFor(level) or (level > logging.DEBUG and self._is_over_limit()):
            return
        milliseconds = round(1000 * call.seconds, 1)
        fields = {"request_id": call.request_id, "method": call.method, "code": call.code, "reason": call.reason}
        text = " ".join(filter(None, (call.method, call.code, call.reason)))
        _log.log(level, "%s in %g ms", text, milliseconds, extra={**fields, "milliseconds": milliseconds})

    def _is_over_limit(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            left_out = self._calls_this_second - _MAX_LINES_PER_SECOND
            if left_out > 0:
                _log.warning("%d more calls failed in that second", left_out)
            self._second, self._calls_this_second = second, 0
        self._calls_this_second += 1
        return self._calls_this_second > _MAX_LINES_PER_SECOND


def _level(call: CallRecord) -> int:
    if call.code in _ACCESS_CODES:
        return logging.WARNING
    # A caller who hangs up, as every caller of Watch does in the end, has not failed.
    return logging.DEBUG if call.code in {"OK", "CANCELLED"} else logging.INFO
