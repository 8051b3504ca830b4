"""Locks the catalogue for one writer at a time, by a lease and a fencing token.

Each writer gets a new token, and every transaction checks it. So a writer that was suspended beyond its lease cannot
write after another one has acquired the lock. The lease only says when another one may.
"""

from __future__ import annotations

import logging
import threading
import time
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
from segue.core.redis_catalogue.keys import RedisKeys, to_bytes, to_text

LEASE_SECONDS = 10.0
# Between two attempts to acquire a lock that another writer holds.
_RETRY_SECONDS = 0.05

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS: writer. ARGV: a random id of this attempt, the lease in ms, the token of a holder known to be dead, then the
# fields of the new holder. Returns the token, or the fields of the present holder. A lease that ends later than a full
# one from now was written before the clock of this Redis went back: from now on it ends after a full one. A hash that
# no writer can have written is removed: no one holds a lock by it.
_ACQUIRE = (
    _NOW
    + """
local names = {'until', 'number', 'pid', 'token', 'nonce', 'host', 'place', 'started', 'command', 'since'}
local values = redis.pcall('HMGET', KEYS[1], unpack(names))
local held, sound = {}, not values.err
for i, name in ipairs(names) do
  held[name] = not values.err and values[i]
  sound = sound and held[name] and (i > 3 or (#held[name] < 16 and string.match(held[name], '^%d+$')))
end
if not sound or held.token ~= held.number .. '-' .. held.nonce then
  held = {}
  redis.call('DEL', KEYS[1])
end
if held.nonce == ARGV[1] then return held.token end -- the client repeats it, since the reply was lost
local lease = tonumber(redis.call('HGET', KEYS[1], 'lease') or ARGV[2]) or ARGV[2]
local lease_end, latest = tonumber(held['until'] or 0), now + lease
if lease_end > latest then redis.call('HSET', KEYS[1], 'until', string.format('%.0f', latest)) end
if lease_end > now and held.token ~= ARGV[3] then return redis.call('HGETALL', KEYS[1]) end
redis.call('HDEL', KEYS[1], 'commit')
local token = redis.call('HINCRBY', KEYS[1], 'number', 1) .. '-' .. ARGV[1]
redis.call('HSET', KEYS[1], 'token', token, 'nonce', ARGV[1], 'until', string.format('%.0f', now + ARGV[2]),
    'lease', ARGV[2], unpack(ARGV, 4))
return token
"""
)

# KEYS: writer. ARGV: token, lease in ms. Returns 1, or 0 if another holds the lock.
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
    """The lock of a catalogue's writer."""

    def __init__(self, client: Redis, address: str, keys: RedisKeys, lease: float = LEASE_SECONDS) -> None:
        """Acquires nothing yet.

        Args:
            client: a client of Redis.
            address: the address of the Redis, for messages.
            keys: the keys of the catalogue.
            lease: seconds until the lock of a holder that does not renew it can be acquired by another.
        """
        self.address = address
        self._key = keys.writer
        self._client = client
        self._lease = lease
        self._acquire_script = client.register_script(_ACQUIRE)
        self._renew_script = client.register_script(_RENEW)

    @contextmanager
    def held(self, patience: float = 0.0) -> Iterator[str]:
        """Holds the lock for the duration of the block, and yields the fencing token.

        Args:
            patience: seconds to wait while another writer holds it.

        Raises:
            CatalogueLocked: another writer holds it.
        """
        token = self._acquire(patience)
        stop = threading.Event()
        renewal = threading.Thread(
            target=self._renew_repeatedly, args=(token, stop), name="segue-writer-lease", daemon=True
        )
        renewal.start()
        try:
            yield token
        finally:
            stop.set()
            renewal.join(self._lease)
            self._release(token)

    def is_held(self, token: str) -> bool:
        """Returns whether this is the fencing token of the present holder."""
        held: Any = self._client.hget(self._key, "token")
        return bool(held == to_bytes(token))

    @translates_errors
    def loss(self, token: str) -> CatalogueLocked:
        """Returns the error of a writer whose token is no longer valid: who has the lock, and what was lost."""
        holder: Any = self._client.hgetall(self._key)
        if holder and _number(to_text(holder[b"token"])) > _number(token):
            return CatalogueLocked(
                f"The catalogue at {self.address} was taken over by {_describe(holder)}. Everything written before is "
                "kept. Run the same command again when no other process writes."
            )
        # Redis counts the tokens, so a number that is not greater means that the count went back.
        since = f", and is written by {_describe(holder)}" if holder else ""
        return CatalogueLocked(
            f"The catalogue at {self.address} has lost its lock: its Redis was emptied or restarted without its data, "
            f"or a replica took over before it had the last writes{since}. What was written before is lost, in the "
            "last case only the end of it. Find out why, then run the same command again or restore a backup."
        )

    def _acquire(self, patience: float) -> str:
        end = time.monotonic() + patience
        while True:
            try:
                return self._acquire_now()
            except CatalogueLocked:
                if time.monotonic() >= end:
                    raise
            time.sleep(_RETRY_SECONDS)

    @translates_errors
    def _acquire_now(self) -> str:
        token_or_holder = self._try_acquire()
        if isinstance(token_or_holder, dict) and _process(token_or_holder).is_gone():
            log.info("Taking the catalogue over from %s, which is no longer running", _describe(token_or_holder))
            token_or_holder = self._try_acquire(dead_token=token_or_holder[b"token"])
        if isinstance(token_or_holder, dict):
            raise CatalogueLocked(
                f"The catalogue at {self.address} is being written by {_describe(token_or_holder)}. Wait until it is "
                f"done, or stop it. If it no longer runs, its lock ends {self._lease:g} s after its last sign of life."
            )
        return token_or_holder

    def _try_acquire(self, dead_token: bytes = b"") -> str | dict[bytes, bytes]:
        """Returns the token, or the fields of the present holder unless its token is ``dead_token``."""
        this_process = asdict(Process.this()) | {"since": datetime.now(UTC).isoformat(timespec="seconds")}
        fields = [to_bytes(str(part)) for pair in this_process.items() for part in pair]
        attempt = uuid.uuid4().hex
        reply: Any = self._acquire_script([self._key], [attempt, self._milliseconds, dead_token, *fields])
        if isinstance(reply, bytes):
            return to_text(reply)
        return dict(zip(reply[::2], reply[1::2], strict=True))

    @property
    def _milliseconds(self) -> int:
        return round(self._lease * 1000)

    def _renew_repeatedly(self, token: str, stop: threading.Event) -> None:
        while not stop.wait(self._lease / 3):
            # A lease that cannot be renewed does no harm: the next transaction checks the token.
            with suppress(StoreUnavailable):
                if not self._renew(token, self._milliseconds):
                    return

    def _release(self, token: str) -> None:
        try:
            self._renew(token, 0)
        except StoreUnavailable as error:
            log.warning("The catalogue stays locked for up to %g s: %s", self._lease, error)

    @translates_errors
    def _renew(self, token: str, milliseconds: int) -> bool:
        return bool(self._renew_script([self._key], [token, milliseconds]))


def _process(holder: dict[bytes, bytes]) -> Process:
    text = {to_text(name): to_text(value) for name, value in holder.items()}
    return Process(text["host"], text["place"], int(text["pid"]), text["started"], text["command"])


def _number(token: str) -> int:
    digits = token.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0


def _describe(holder: Any) -> str:  # noqa: ANN401 - redis-py types its answers for every protocol at once
    return f"{_process(holder)}, since {to_text(holder[b'since'])}"
