"""One writer at a time: a lock with a lease, and a token that fences off a writer who has lost it.

Whoever takes the lock gets a token that no one had before. The token is checked inside every transaction, so that a
writer who slept through his lease cannot write any more once another has come; the lease only says when another may.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from segue.core.errors import CatalogueLocked, StoreUnavailable
from segue.core.process_identity import Process
from segue.core.redis_catalogue.client import translates_errors
from segue.core.redis_catalogue.codec import to_bytes, to_text
from segue.core.redis_catalogue.keys import RedisKeys

LEASE_SECONDS = 10.0

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS: writer. ARGV: a number of this attempt's own, the lease in ms, the token of a holder known to be dead, then the
# fields of the new holder. Answers the token, or the fields of whoever holds the lock.
_TAKE = (
    _NOW
    + """
local held = redis.call('HMGET', KEYS[1], 'until', 'token', 'nonce')
if held[3] == ARGV[1] then return held[2] end -- the answer was lost on its way, and the client asks again
if tonumber(held[1] or 0) > now and held[2] ~= ARGV[3] then return redis.call('HGETALL', KEYS[1]) end
local token = redis.call('HINCRBY', KEYS[1], 'number', 1) .. '-' .. ARGV[1]
redis.call('HSET', KEYS[1], 'token', token, 'nonce', ARGV[1], 'until', string.format('%.0f', now + ARGV[2]),
    unpack(ARGV, 4))
return token
"""
)

# KEYS: writer. ARGV: token, lease in ms. Answers 1, or 0 where another has the lock.
_RENEW = (
    _NOW
    + """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ARGV[2]))
return 1
"""
)

log = logging.getLogger(__name__)


class WriterLock:
    """The right to write a catalogue."""

    def __init__(self, client: Redis, address: str, keys: RedisKeys, lease: float = LEASE_SECONDS) -> None:
        """``lease`` is how many seconds a holder who does not renew it is waited for."""
        self.address = address
        self._key = keys.writer
        self._client = client
        self._lease = lease
        self._take = client.register_script(_TAKE)
        self._renew = client.register_script(_RENEW)

    @contextmanager
    def held(self) -> Iterator[str]:
        """Takes the lock, keeps it, and gives it back; the value is the fencing token.

        Raises:
            CatalogueLocked: another holds it.
        """
        token = self._acquire()
        stop = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(token, stop), name="segue-writer-lease", daemon=True)
        keeper.start()
        try:
            yield token
        finally:
            stop.set()
            keeper.join(self._lease)
            self._release(token)

    @translates_errors
    def loss(self) -> str:
        """How it came that the lock is held no longer, as the end of a sentence about the catalogue."""
        holder = self._client.hgetall(self._key)
        if not holder:
            return "has lost its lock: its Redis was emptied, or restarted without its data"
        return f"was taken over by {_describe(holder)}"

    @translates_errors
    def _acquire(self) -> str:
        answer = self._try(dead=b"")
        if isinstance(answer, dict) and _process(answer).is_gone():
            log.info("Taking the catalogue over from %s, which is gone", _describe(answer))
            answer = self._try(dead=answer[b"token"])
        if isinstance(answer, dict):
            raise CatalogueLocked(
                f"The catalogue at {self.address} is being written by {_describe(answer)}. Wait until it is done, or "
                f"stop it; should it be gone, its lock falls {self._lease:g} s after its last sign of life."
            )
        return answer

    def _try(self, dead: bytes) -> str | dict[bytes, bytes]:
        holder = asdict(Process.this()) | {"since": datetime.now(UTC).isoformat(timespec="seconds")}
        fields = [to_bytes(str(part)) for pair in holder.items() for part in pair]
        answer: Any = self._take([self._key], [uuid.uuid4().hex, self._milliseconds, dead, *fields])
        if isinstance(answer, bytes):
            return to_text(answer)
        return dict(zip(answer[::2], answer[1::2], strict=True))

    @property
    def _milliseconds(self) -> int:
        return round(self._lease * 1000)

    def _keep(self, token: str, stop: threading.Event) -> None:
        while not stop.wait(self._lease / 3):
            # A lease that could not be renewed is no harm yet: the next transaction finds out whether another came.
            with suppress(StoreUnavailable):
                if not self._extend(token, self._milliseconds):
                    return

    def _release(self, token: str) -> None:
        try:
            self._extend(token, 0)
        except StoreUnavailable as error:
            log.warning("The catalogue stays locked for up to %g s: %s", self._lease, error)

    @translates_errors
    def _extend(self, token: str, milliseconds: int) -> bool:
        return bool(self._renew([self._key], [token, milliseconds]))


def _process(holder: dict[bytes, bytes]) -> Process:
    text = {to_text(name): to_text(value) for name, value in holder.items()}
    return Process(text["host"], text["place"], int(text["pid"]), text["started"], text["command"])


def _describe(holder: Any) -> str:  # noqa: ANN401 - redis-py types its answers for every protocol at once
    return f"{_process(holder)}, since {to_text(holder[b'since'])}"
