"""Damages single records of a catalogue in Redis, each in another way."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from segue.core.redis_catalogue.codec import DIGEST, track_digest
from segue.core.redis_catalogue.keys import RedisKeys

# redis-py types its answers for every protocol at once.
Damage = Callable[[Any, RedisKeys, str], object]


def set_fields(**fields: str | bytes) -> Damage:
    """Returns a damage that sets fields of a track's metadata, with a digest that matches, as a writer would."""

    def damage(client: Any, keys: RedisKeys, track_id: str) -> None:  # noqa: ANN401 - see above
        key = keys.track(track_id)
        client.hset(key, mapping=fields)
        client.hset(key, DIGEST, track_digest(client.hgetall(key), client.get(keys.embedding(track_id)) or b""))

    return damage


def set_embedding(raw: bytes) -> Damage:
    """Returns a damage that replaces the embedding of a track."""
    return lambda client, keys, track_id: client.set(keys.embedding(track_id), raw)


def set_tags(value: object) -> Damage:
    """Returns a damage that replaces the later tags of a track."""
    return set_fields(tags=json.dumps(value))


def replace_by_list(name: str) -> Damage:
    """Returns a damage that replaces a key of a track by one of another type."""

    def damage(client: Any, keys: RedisKeys, track_id: str) -> None:  # noqa: ANN401 - see above
        key = getattr(keys, name)(track_id)
        client.delete(key)
        client.rpush(key, "x")

    return damage


METADATA: dict[str, Damage] = {
    "seconds of text": set_fields(seconds="x"),
    "seconds of NaN": set_fields(seconds="nan"),
    "negative seconds": set_fields(seconds="-1"),
    "infinite seconds": set_fields(seconds="inf"),
    "broken posterior": set_fields(posterior='{"blues": '),
    "posterior of another type": set_fields(posterior="[1]"),
    "posterior of texts": set_fields(posterior='{"blues": "x"}'),
    "posterior of NaN": set_fields(posterior='{"blues": NaN}'),
    "deep posterior": set_fields(posterior="[" * 200_000),
    "broken tags": set_fields(tags="{"),
    "tags of another type": set_tags([1]),
    "artists of another type": set_tags({"artists": "A"}),
    "artists of numbers": set_tags({"artists": [1]}),
    "track number of text": set_tags({"track_number": "3"}),
    "tag scores of a list": set_tags({"tag_scores": [0.5]}),
    "tag scores that are no base64": set_tags({"tag_scores": "a b"}),
    "tag scores without scores": set_tags({"tag_scores": "AAAAAA=="}),
    "huge track number": set_tags({"track_number": 10**30}),
    "title that is not UTF-8": set_fields(title=b"caf\xe9"),
    "path that is not UTF-8": set_fields(path=b"/caf\xe9.mp3"),
    "year of text": set_fields(year="then"),
    "metadata of another type": replace_by_list("track"),
}
"""Damages of the metadata of a track."""

EMBEDDING: dict[str, Damage] = {
    "short embedding": set_embedding(b"1234567"),
    "embedding of another width": set_embedding(np.eye(8, dtype="<f4")[0].tobytes()),
    "embedding of NaN": set_embedding(b"\xff" * 64),
    "embedding of zeros": set_embedding(bytes(64)),
    "empty embedding": set_embedding(b""),
    "embedding of another type": replace_by_list("embedding"),
}
"""Damages of the embedding of a track; the width is 16."""
