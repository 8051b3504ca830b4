"""RecordFeedback over a server with a real Redis."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from redis import Redis
from redis.exceptions import RedisError

from segue.core.catalogue.feedback import Feedback
from segue.core.redis_catalogue import feedback as feedback_module
from segue.core.redis_catalogue.feedback import record_feedback
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private.server import open_private_redis
from segue.v1.feedback_service_pb2 import (
    FEEDBACK_KIND_LIKED,
    FEEDBACK_KIND_PLAYED,
    RecordFeedbackRequest,
)
from tests.helpers.server.servers import RunningServer
from tests.helpers.server.stubs import Stubs, failure

NOW = int(time.time())


def action(track_id: str, user: str = "anna", kind: int = FEEDBACK_KIND_PLAYED, at: int = NOW) -> RecordFeedbackRequest:
    """Returns an action of a user, at a time in seconds."""
    request = RecordFeedbackRequest(user_id=user, track_id=track_id, kind=kind)  # type: ignore[arg-type] # any number
    request.time.seconds = at
    return request


@contextmanager
def redis_of(folder: Path) -> Iterator[Any]:
    """Yields a client of the private Redis in a folder, for text."""
    with (
        open_private_redis(folder) as private,
        Redis.from_url(private.url, protocol=2, decode_responses=True) as client,
    ):
        yield client


def entries(data: Path) -> list[dict[str, str]]:
    """Returns the recorded actions, the oldest first."""
    with redis_of(data / "redis") as client:
        return [fields for _, fields in client.xrange(RedisKeys().feedback)]


def test_actions_are_recorded_in_order(stubs: Stubs, ids: list[str], data: Path) -> None:
    """Each action is an entry with the user, the track, the kind and the time in milliseconds."""
    before = len(entries(data))
    first, second = action(ids[0], "in order"), action(ids[1], "in order", FEEDBACK_KIND_LIKED)
    first.time.nanos = 5_999_999
    response = stubs.record_feedback(first)
    assert (True, 20) == (response.recorded, response.revision.catalogue_revision)
    assert stubs.record_feedback(second).recorded
    assert [
        {"user": "in order", "track": ids[0], "kind": "played", "time": f"{NOW}005"},
        {"user": "in order", "track": ids[1], "kind": "liked", "time": f"{NOW}000"},
    ] == entries(data)[before:]


def test_a_repetition_is_recorded_once(stubs: Stubs, ids: list[str], data: Path) -> None:
    """The same action is recorded once, even if many callers send it at once; another time is another action."""
    before, request = len(entries(data)), action(ids[2], "repeats")
    with ThreadPoolExecutor(16) as callers:
        answers = [each.recorded for each in callers.map(stubs.record_feedback, [request] * 32)]
    assert (1, 31) == (answers.count(True), answers.count(False))
    assert stubs.record_feedback(action(ids[2], "repeats", at=NOW - 1)).recorded
    assert before + 2 == len(entries(data))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("user_id", {"user": ""}),
        ("user_id", {"user": "x" * 129}),
        ("user_id", {"user": "two\nlines"}),
        ("kind", {"kind": 0}),
        ("kind", {"kind": 99}),
        ("time", {"at": -1}),
        ("time", {"at": NOW + 2 * 86_400}),
        ("track_id", {"track_id": ""}),
    ],
)
def test_a_wrong_value_is_named(stubs: Stubs, ids: list[str], field: str, change: dict[str, Any]) -> None:
    """A value that is missing or out of range is an error that names the field."""
    with pytest.raises(grpc.RpcError) as error:
        stubs.record_feedback(action(**{"track_id": ids[0], **change}))
    code, reason, details = failure(error)
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == (code, reason)
    request: Any = details["BadRequest"]
    assert field == request.field_violations[0].field


def test_a_missing_time_is_refused(stubs: Stubs, ids: list[str]) -> None:
    """Without a time, a repetition would look like a second action, so the error says what to send."""
    with pytest.raises(grpc.RpcError, match="time is missing"):
        stubs.record_feedback(RecordFeedbackRequest(user_id="anna", track_id=ids[0], kind=FEEDBACK_KIND_PLAYED))


def test_an_unknown_track_is_refused(stubs: Stubs, data: Path) -> None:
    """An action on a track that the catalogue does not have is NOT_FOUND, and is not recorded."""
    before = len(entries(data))
    for unknown in ("0" * 32, "external:none"):
        with pytest.raises(grpc.RpcError) as error:
            stubs.record_feedback(action(unknown))
        assert ("NOT_FOUND", "TRACK_NOT_FOUND") == failure(error)[:2]
    assert before == len(entries(data))


def test_a_user_with_any_name(stubs: Stubs, ids: list[str], data: Path) -> None:
    """Names may have any letters, and spaces."""
    assert stubs.record_feedback(action(ids[0], "Zoë 音楽 {segue:0}")).recorded
    assert "Zoë 音楽 {segue:0}" == entries(data)[-1]["user"]


def test_the_stream_is_bounded(tmp_path: Path) -> None:
    """Redis keeps the newest actions, and marks of recorded ones expire within an hour."""
    keys = RedisKeys()
    with redis_of(tmp_path) as client:
        for number in range(1_000):
            assert record_feedback(client, keys, Feedback("anna", "a", "played", number), max_actions=100)
        assert 100 <= client.xlen(keys.feedback) <= 300
        assert "999" == client.xrevrange(keys.feedback, count=1)[0][1]["time"]
        marks = client.keys(keys.feedback_mark("*"))
        assert 1_000 == len(marks)
        assert 3_500 < client.ttl(marks[0]) <= 3_600


def test_other_keys_of_a_catalogue_do_not_cover_it(tmp_path: Path) -> None:
    """No generation's pattern matches the keys, so that restore, reindex and verify leave them alone."""
    keys = RedisKeys()
    with redis_of(tmp_path) as client:
        record_feedback(client, keys, Feedback("anna", "a", "played", 1))
        for generation in (keys, keys.staging(), keys.at(2)):
            assert [] == client.keys(generation.pattern)
            assert generation.feedback == keys.feedback


def test_actions_are_counted(server: RunningServer, stubs: Stubs, ids: list[str]) -> None:
    """The metrics count recorded and repeated actions of each kind."""
    names = [f'segue_feedback_total{{kind="liked",outcome="{outcome}"}}' for outcome in ("recorded", "repeated")]
    before = [server.metrics().get(name, 0.0) for name in names]
    for _ in range(3):
        stubs.record_feedback(action(ids[3], "counted", FEEDBACK_KIND_LIKED))
    assert [before[0] + 1, before[1] + 2] == [server.metrics()[name] for name in names]


def test_a_redis_that_dies_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An action whose connection is lost after the first command is an error, and not a repetition."""
    with redis_of(tmp_path / "redis") as client:
        pid = client.info("server")["process_id"]

        def die(feedback: Feedback) -> dict[Any, Any]:
            os.kill(pid, signal.SIGKILL)
            return {"user": feedback.user}

        monkeypatch.setattr(feedback_module, "_entry", die)
        with pytest.raises(RedisError):
            record_feedback(client, RedisKeys(), Feedback("anna", "0" * 32, "played", 1))


def test_a_name_with_wide_spaces(stubs: Stubs, ids: list[str]) -> None:
    """Any character but a control character is a part of a name."""
    assert stubs.record_feedback(action(ids[0], "\u5c71\u7530\u3000\u82b1\u5b50")).recorded
    with pytest.raises(grpc.RpcError) as call:
        stubs.record_feedback(action(ids[0], "a\x7fb"))
    assert "MALFORMED_REQUEST" == failure(call)[1]
