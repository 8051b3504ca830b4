"""Names the keys of the catalogue in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue.core.errors import CatalogueMismatch, StoreUnavailable

if TYPE_CHECKING:  # programs without a catalogue in Redis load this module, too
    from redis import Redis


def to_bytes(text: str) -> bytes:
    """Encodes text, also a path that is not valid UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def to_text(raw: bytes) -> str:
    """Decodes what ``to_bytes`` returned."""
    return raw.decode("utf-8", "surrogateescape")


class RedisKeys:
    """The keys of one catalogue.

    Redis Cluster hashes only the part in braces, which is the catalogue and the partition. So all keys of a partition
    are on one node, where one transaction can use them. There is one partition today.

    A catalogue that is replaced as a whole gets new keys, those of its next generation. All generations share the lock
    of the writer, the number of the live one and the list of replaced ones.

    Attributes:
        generation: number of the generation, 0 or above.
        is_staged: whether the generation is being built, and has a lock of its own.
    """

    def __init__(
        self, catalogue: str = "segue", partition: int = 0, generation: int = 0, *, is_staged: bool = False
    ) -> None:
        """Computes the names.

        Args:
            catalogue: name of the catalogue.
            partition: number of the partition, 0 or above.
            generation: number of the generation, 0 or above.
            is_staged: whether the generation is not yet in use.
        """
        self.generation = generation
        self.is_staged = is_staged
        self._names = (catalogue, partition)
        shared = self._tag = f"{{{catalogue}:{partition}}}"
        #: String with the number of the live generation; missing until the first switch, which means 0.
        self.live = self._key("live")
        #: Hash of the time of the switch in ms by the number of each generation that was replaced and is not removed.
        self.replaced = self._key("replaced")
        #: Stream of the actions of users. The pattern of no generation matches it, so nothing removes it with one.
        self.feedback = to_bytes(f"{shared}feedback")
        self._tag = shared + _suffix(generation)
        #: Pattern that all keys of the generation match, and those that all generations share also match for 0.
        self.pattern = self._key("*")
        #: Hash of the ``Identity``.
        self.identity = self._key("identity")
        #: Hash of the writer: its process, its fencing token and the end of its lease.
        self.writer = self._key("writer") if is_staged else to_bytes(f"{shared}:writer")
        #: Stream of all changes; the revision is the first part of an entry's id.
        self.events = self._key("events")
        #: Sorted set of all track ids, each with score 0, so that they are in the order of their bytes.
        self.track_ids = self._key("tracks")
        #: Hash of the size, times, track and own metadata of each file, by path.
        self.files = self._key("files")
        #: Hash of the path of a file by its external id.
        self.external_ids = self._key("external-ids")
        #: Hash of the size, time, reason, detail and time of failure of each file that failed, by path.
        self.failures = self._key("failures")

        self._types = {
            **dict.fromkeys((self.identity, self.writer, self.files, self.failures, self.replaced), b"hash"),
            self.external_ids: b"hash",
            self.events: b"stream",
            self.track_ids: b"zset",
        }

    def staging(self) -> RedisKeys:
        """Returns the keys of the staged generation, which can take the place of this one."""
        return RedisKeys(*self._names, self.generation + 1, is_staged=True)

    def at(self, generation: int) -> RedisKeys:
        """Returns the keys of a generation that is or was live."""
        return RedisKeys(*self._names, generation)

    def is_own(self, key: bytes) -> bool:
        """Returns whether a key that matches the pattern belongs to this generation alone."""
        return self.is_staged or key not in {self.writer, self.live, self.replaced}

    @property
    def track_prefixes(self) -> list[bytes]:
        """The prefixes of the keys that each track has; its id follows."""
        return [self.track(""), self.embedding(""), self.paths(""), self.windows("")]

    def track(self, track_id: str) -> bytes:
        """Returns the key of the hash of a track's metadata."""
        return self._key("track", track_id)

    def embedding(self, track_id: str) -> bytes:
        """Returns the key of the string of a track's embedding, little-endian float32."""
        return self._key("embedding", track_id)

    def paths(self, track_id: str) -> bytes:
        """Returns the key of the set of the paths of a track's files."""
        return self._key("paths", track_id)

    def feedback_mark(self, digest: str) -> bytes:
        """Returns the key of the string that marks an action of a user as recorded."""
        return self.feedback + to_bytes(f":{digest}")

    def windows(self, track_id: str) -> bytes:
        """Returns the key of the string of the embeddings of a track's windows, which a track need not have."""
        return self._key("windows", track_id)

    def of_track(self, track_id: str) -> list[bytes]:
        """Returns all keys that a track may have."""
        return [self.track(track_id), self.embedding(track_id), self.paths(track_id), self.windows(track_id)]

    def track_of(self, key: bytes) -> str | None:
        """Returns the id of the track that a key belongs to, or None if it belongs to no track."""
        for prefix in self.track_prefixes:
            if key.startswith(prefix):
                return to_text(key[len(prefix) :])
        return None

    def type_of(self, key: bytes) -> bytes | None:
        """Returns the type that a key has in Redis, or None for a key that Segue does not write."""
        for prefix, kind in zip(self.track_prefixes, (b"hash", b"string", b"set", b"string"), strict=True):
            if key.startswith(prefix):
                return kind
        return self._types.get(key)

    def _key(self, *parts: str) -> bytes:
        return to_bytes(":".join((self._tag, *parts)))


def _suffix(generation: int) -> str:
    """Returns what the keys of a generation have after their tag.

    Catalogues had no generations at first: one was in use, and the one that was being built had the suffix "next".
    """
    return f"next{generation if generation > 1 else ''}" if generation else ""


class LiveKeys:
    """The keys of the generation that was live when this process last asked for it. Several threads may use it."""

    def __init__(self, client: Redis, keys: RedisKeys, address: str) -> None:
        """Sends nothing yet.

        Args:
            client: a client of Redis.
            keys: the keys of any generation; those of a staged one stay the same.
            address: the address of the Redis, for messages.
        """
        self._client = client
        self._keys = keys
        self._address = address
        self._is_known = keys.is_staged

    @property
    def keys(self) -> RedisKeys:
        """The keys; the first use asks Redis for the live generation."""
        return self._keys if self._is_known else self.refresh()

    def refresh(self) -> RedisKeys:
        """Asks Redis for the live generation, and returns its keys; see ``follow``."""
        return self.follow(self._client.get(self._keys.live))

    def follow(self, number: Any) -> RedisKeys:  # noqa: ANN401 - a reply of Redis
        """Uses a generation from now on, unless the keys are staged, and returns the keys.

        Args:
            number: the value of the key ``live``.

        Raises:
            StoreUnavailable: the value is damaged.
        """
        generation = number or b"0"
        if not generation.isdigit():
            raise StoreUnavailable(
                f"The key {to_text(self._keys.live)} of the catalogue at {self._address} is damaged: it has to be a "
                "number. Does another program write to this Redis? Delete the key, then restore a backup."
            )
        if not self._keys.is_staged and int(generation) != self._keys.generation:
            self._keys = self._keys.at(int(generation))
        self._is_known = True
        return self._keys

    def loss(self, number: bytes) -> CatalogueMismatch:
        """Returns the error that the key ``live`` is lost, although this generation was live; nothing is written."""
        key = to_text(self._keys.live)
        return CatalogueMismatch(
            f"The catalogue at {self._address} has lost its key {key}. Does this Redis evict keys (maxmemory-policy)? "
            f"Run `redis-cli SET {key} {to_text(number)}` there, then `segue-indexer verify`."
        )
