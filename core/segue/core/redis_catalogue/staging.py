"""A catalogue that is made beside the one that is read, and takes its place all at once.

Until then nobody sees it; afterwards it is a catalogue of another UUID, by which every reader knows to begin anew.
"""

from __future__ import annotations

from itertools import chain

from redis import Redis

from segue.core.batching import batched
from segue.core.redis_catalogue.keys import RedisKeys

_PAGE = 1_000

# KEYS: the two writers, the two sorted sets of ids, then the keys that there is one of in pairs, here and beside, the
# identity first. ARGV: token, then what the keys of tracks begin with in pairs. Keys of tracks are made here: they are
# too many to be named, and lie on the same node. Answers 1, or 0 where the lock is lost.
_SWITCH = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[6]) == 0 then return 1 end -- the answer was lost, and the client asks again
local function each(ids, act)
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
    """Puts the catalogue beside into the place of the one under these keys, in one transaction.

    What stood there goes. Where there is none beside, nothing is done. Redis answers nobody meanwhile: about nine
    seconds for a million tracks.

    Args:
        client: reaches Redis.
        keys: the names of the catalogue that is replaced.
        token: of its writer.

    Returns:
        Whether the token still stands; if not, nothing was done.
    """
    beside = keys.staging()
    names = chain.from_iterable(zip(keys.whole, beside.whole, strict=True))
    starts = chain.from_iterable(zip(keys.of_tracks, beside.of_tracks, strict=True))
    script = client.register_script(_SWITCH)
    return bool(script([keys.writer, beside.writer, keys.track_ids, beside.track_ids, *names], [token, *starts]))


def clear(client: Redis, keys: RedisKeys) -> None:
    """Removes everything under these keys; nobody is to be writing there."""
    for page in batched(client.scan_iter(match=keys.pattern, count=_PAGE), _PAGE):
        client.unlink(*page)
