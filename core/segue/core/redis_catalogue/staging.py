"""Replaces the catalogue in use by a staged one, all at once.

Readers do not see the staged catalogue before. Afterwards the catalogue has another UUID, so every reader reloads it.
"""

from __future__ import annotations

from itertools import chain

from redis import Redis

from segue.core.batching import batched
from segue.core.redis_catalogue.keys import RedisKeys

_PAGE = 1_000

# KEYS: the two writers, the two sorted sets of ids, then the singletons in pairs, the identity first. ARGV: token, then
# the prefixes of tracks' keys in pairs. In each pair the catalogue in use comes first. The script computes the keys of
# tracks: they are too many for KEYS, and on the same node. Returns 1, or 0 if the lock is lost.
_SWITCH = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[6]) == 0 then return 1 end -- the client repeats it, since the reply was lost
local function each(ids, act)
  if redis.call('TYPE', ids).ok ~= 'zset' then return end -- another program replaced it
  for start = 0, redis.call('ZCARD', ids) - 1, 1000 do
    for _, id in ipairs(redis.call('ZRANGE', ids, start, start + 999)) do act(id) end
  end
end
local function move(from, to)
  if redis.call('EXISTS', from) == 1 then redis.call('RENAME', from, to) end
end
each(KEYS[3], function(id)
  for i = 2, #ARGV, 2 do redis.call('UNLINK', ARGV[i] .. id) end
end)
each(KEYS[4], function(id)
  for i = 2, #ARGV, 2 do move(ARGV[i + 1] .. id, ARGV[i] .. id) end
end)
for i = 5, #KEYS, 2 do
  redis.call('UNLINK', KEYS[i])
  move(KEYS[i + 1], KEYS[i])
end
redis.call('HDEL', KEYS[1], 'trimmed')
local trimmed = redis.call('HGET', KEYS[2], 'trimmed')
if trimmed then redis.call('HSET', KEYS[1], 'trimmed', trimmed) end
redis.call('UNLINK', KEYS[2])
return 1
"""


def switch(client: Redis, keys: RedisKeys, token: str) -> bool:
    """Replaces the catalogue under these keys by the staged one, in one transaction.

    The old catalogue is removed. Without a staged one, nothing happens. Redis serves no other client meanwhile: about
    nine seconds for a million tracks.

    Args:
        client: a client of Redis.
        keys: the keys of the catalogue in use.
        token: the fencing token of its writer.

    Returns:
        Whether the token is still valid; otherwise nothing was changed.
    """
    staged = keys.staging()
    singletons = chain.from_iterable(zip(keys.singletons, staged.singletons, strict=True))
    prefixes = chain.from_iterable(zip(keys.track_prefixes, staged.track_prefixes, strict=True))
    script = client.register_script(_SWITCH)
    return bool(script([keys.writer, staged.writer, keys.track_ids, staged.track_ids, *singletons], [token, *prefixes]))


def clear(client: Redis, keys: RedisKeys) -> None:
    """Removes everything under these keys, while no writer uses them."""
    for page in batched(client.scan_iter(match=keys.pattern, count=_PAGE), _PAGE):
        client.unlink(*page)
