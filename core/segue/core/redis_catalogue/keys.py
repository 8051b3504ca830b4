"""Names the keys of the catalogue in Redis."""

from __future__ import annotations


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
    """

    def __init__(self, catalogue: str = "segue", partition: int = 0, stage: str = "") -> None:
        """Computes the names.

        Args:
            catalogue: name of the catalogue.
            partition: number of the partition, 0 or above.
            stage: suffix of a catalogue that is not yet in use, on the same node; empty for the one in use.
        """
        self._names = (catalogue, partition)
        self._tag = f"{{{catalogue}:{partition}}}{stage}"
        #: Pattern that all keys match.
        self.pattern = self._key("*")
        #: Hash of the ``Identity``.
        self.identity = self._key("identity")
        #: Hash of the writer: its process, its fencing token and the end of its lease.
        self.writer = self._key("writer")
        #: Stream of all changes; the revision is the first part of an entry's id.
        self.events = self._key("events")
        #: Sorted set of all track ids, each with score 0, so that they are in the order of their bytes.
        self.track_ids = self._key("tracks")
        #: Hash of the size, time and track of each file, by path.
        self.files = self._key("files")
        #: Hash of the size, time, reason, detail and time of failure of each file that failed, by path.
        self.failures = self._key("failures")

        self._types = {
            **dict.fromkeys((self.identity, self.writer, self.files, self.failures), b"hash"),
            self.events: b"stream",
            self.track_ids: b"zset",
        }

    def staging(self) -> RedisKeys:
        """Returns the keys of the staged catalogue, which can take the place of this one."""
        return RedisKeys(*self._names, stage="next")

    @property
    def singletons(self) -> list[bytes]:
        """The keys that exist once in a catalogue, without the writer's."""
        return [self.identity, self.events, self.track_ids, self.files, self.failures]

    @property
    def track_prefixes(self) -> list[bytes]:
        """The prefixes of the keys that each track has; its id follows."""
        return [self.track(""), self.embedding(""), self.paths("")]

    def track(self, track_id: str) -> bytes:
        """Returns the key of the hash of a track's metadata."""
        return self._key("track", track_id)

    def embedding(self, track_id: str) -> bytes:
        """Returns the key of the string of a track's embedding, little-endian float32."""
        return self._key("embedding", track_id)

    def paths(self, track_id: str) -> bytes:
        """Returns the key of the set of the paths of a track's files."""
        return self._key("paths", track_id)

    def track_of(self, key: bytes) -> str | None:
        """Returns the id of the track that a key belongs to, or None if it belongs to no track."""
        for prefix in self.track_prefixes:
            if key.startswith(prefix):
                return to_text(key[len(prefix) :])
        return None

    def type_of(self, key: bytes) -> bytes | None:
        """Returns the type that a key has in Redis, or None for a key that Segue does not write."""
        for prefix, kind in zip(self.track_prefixes, (b"hash", b"string", b"set"), strict=True):
            if key.startswith(prefix):
                return kind
        return self._types.get(key)

    def _key(self, *parts: str) -> bytes:
        return to_bytes(":".join((self._tag, *parts)))
