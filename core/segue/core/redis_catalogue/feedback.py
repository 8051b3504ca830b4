"""Records actions of users in a stream of Redis.

An entry has the fields ``user``, ``track``, ``kind`` and ``time``, in milliseconds since 1970. All generations of a
catalogue share the stream, so it outlives ``restore`` and ``reindex``.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import WatchError

from segue.core.catalogue.feedback import MAX_ACTIONS, REPEAT_SECONDS, Feedback
from segue.core.redis_catalogue.keys import RedisKeys, to_bytes

_TRIES = 3


def record_feedback(client: Redis, keys: RedisKeys, feedback: Feedback, max_actions: int = MAX_ACTIONS) -> bool:
    """Records an action, unless the same one was recorded within the last hour.

    The mark of the action and its entry are written in one transaction, so that a call that is repeated after any
    failure neither loses nor doubles it.

    Args:
        client: a client of Redis.
        keys: keys of the catalogue.
        feedback: the action.
        max_actions: about how many actions the stream keeps.

    Returns:
        True if it was recorded, False if it was there.

    Raises:
        RedisError: Redis does not answer, or refuses a command.
    """
    mark = keys.feedback_mark(_digest(feedback))
    for _ in range(_TRIES):
        # Another call may have recorded the same action meanwhile. A lost connection is a WatchError, too.
        with client.pipeline(transaction=True) as pipe, suppress(WatchError):
            pipe.watch(mark)  # type: ignore[no-untyped-call] # redis-py gives it no types
            if pipe.exists(mark):
                return False
            pipe.multi()
            pipe.set(mark, b"", ex=REPEAT_SECONDS)
            pipe.xadd(keys.feedback, _entry(feedback), maxlen=max_actions, approximate=True)
            pipe.execute()
            return True
    raise RedisConnectionError("the connection was lost again and again")


def _entry(feedback: Feedback) -> dict[Any, Any]:
    return {
        "user": to_bytes(feedback.user),
        "track": to_bytes(feedback.track_id),
        "kind": feedback.kind,
        "time": feedback.time_ms,
    }


def _digest(feedback: Feedback) -> str:
    values = [feedback.user, feedback.track_id, feedback.kind, feedback.time_ms]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:32]
