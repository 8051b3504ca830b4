"""Reads the state of a catalogue: its identity, the number of its tracks and the bounds of its stream."""

from __future__ import annotations

import uuid
from typing import Any

from redis import Redis
from redis.client import Pipeline

from segue.core.catalogue.identity import CatalogueState, ModelKey
from segue.core.redis_catalogue.codec import identity_from_hash
from segue.core.redis_catalogue.keys import LiveKeys, RedisKeys, to_text

# Creates the catalogue unless it exists. KEYS: writer, identity, number of the live generation. ARGV: token, uuid,
# model id, fingerprint, width. Returns 1, or 0 if the lock is lost, or the number of the live generation if its key is
# lost.
IDENTITY_SCRIPT = """
local held = redis.call('HMGET', KEYS[1], 'token', 'generation')
if held[1] ~= ARGV[1] then return 0 end
if held[2] and redis.call('EXISTS', KEYS[3]) == 0 then return held[2] end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('HSET', KEYS[2], 'uuid', ARGV[2], 'model_id', ARGV[3], 'fingerprint', ARGV[4], 'width', ARGV[5])
end
return 1
"""


def read_state(client: Redis, live: LiveKeys) -> CatalogueState:
    """Returns the state of the live generation, all of it at one moment, and uses its keys from now on.

    This takes one round trip, and another one after a switch.
    """
    keys = live.keys
    pipe = client.pipeline(transaction=True)
    pipe.get(keys.live)
    pipe.hgetall(keys.identity)
    pipe.zcard(keys.track_ids)
    pipe.hmget(keys.writer, [b"number", b"commit"])
    request_bounds(pipe, keys)
    number, raw, tracks, write, *bounds = pipe.execute(raise_on_error=False)
    for reply in (number, raw, tracks):
        if isinstance(reply, Exception):
            raise reply
    if live.follow(number).generation != keys.generation:
        return read_state(client, live)
    oldest, newest, mark = bounds_from(*bounds)
    identity = identity_from_hash(raw) if raw else None
    return CatalogueState(identity, oldest, newest, int(tracks), mark, _last_write(write))


def _last_write(reply: Any) -> str | None:  # noqa: ANN401 - a reply of Redis
    """Returns the number of the last writer and the mark of its last transaction, or None if the key is damaged."""
    return None if isinstance(reply, Exception) else " ".join(to_text(value or b"") for value in reply)


def stream_bounds(client: Redis, keys: RedisKeys) -> tuple[int, int, int]:
    """Returns the revisions of the oldest event in the stream and of the newest that it ever had, with its mark.

    A stream that is empty after trimming gives ``(newest + 1, newest, mark)``, one that never had any ``(1, 0, 0)``.
    """
    pipe = client.pipeline(transaction=True)
    request_bounds(pipe, keys)
    return bounds_from(*pipe.execute(raise_on_error=False))


def request_bounds(pipe: Pipeline, keys: RedisKeys) -> None:
    """Adds the two commands whose replies ``bounds_from`` understands."""
    pipe.exists(keys.events)
    pipe.xinfo_stream(keys.events)  # fails if the stream does not exist


def bounds_from(exists: Any, info: Any) -> tuple[int, int, int]:  # noqa: ANN401 - replies of Redis
    """Returns what ``stream_bounds`` returns, from the replies to ``request_bounds``.

    Raises:
        RedisError: Redis refused a command.
    """
    if isinstance(exists, Exception):
        raise exists
    if not exists:
        return 1, 0, 0
    if isinstance(info, Exception):
        raise info
    newest, mark = map(int, info["last-generated-id"].split(b"-"))
    first = info["first-entry"]
    return (revision_of(first[0]) if first else newest + 1), newest, mark


def revision_of(entry_id: bytes) -> int:
    """Returns the revision of the event with this entry id in the stream."""
    return int(entry_id.split(b"-")[0])


def create_identity(client: Redis, keys: RedisKeys, token: str, model: ModelKey) -> Any:  # noqa: ANN401 - a reply of Redis
    """Creates the identity of a catalogue that has none, with a new UUID; returns what ``IDENTITY_SCRIPT`` returns."""
    create = client.register_script(IDENTITY_SCRIPT)
    return create([keys.writer, keys.identity, keys.live], [token, str(uuid.uuid4()), *model])
