"""The names of everything that the catalogue keeps in Redis."""

from __future__ import annotations

from segue.core.redis_catalogue.codec import to_bytes, to_text


class RedisKeys:
    """Makes every key.

    The part in braces, catalogue and partition, is what Redis Cluster hashes: all keys of a partition lie on one node,
    so that one transaction reaches them. There is one partition today.
    """

    def __init__(self, catalogue: str = "segue", partition: int = 0, stage: str = "") -> None:
        """``stage`` tells a catalogue that is being made from the one that is read; both lie on one node."""
        self._names = (catalogue, partition)
        self._tag = f"{{{catalogue}:{partition}}}{stage}"
        #: A pattern that all keys match.
        self.pattern = self._key("*")
        #: A hash: what the catalogue is and what made its embeddings.
        self.identity = self._key("identity")
        #: A hash: who writes, with which fencing token, until when.
        self.writer = self._key("writer")
        #: A stream: every change, its revision being the first part of the entry's id.
        self.events = self._key("events")
        #: A sorted set of every track's id, all of score 0, so that they lie in the order of their bytes.
        self.track_ids = self._key("tracks")
        #: A hash: the size, time and track of each file, by its path.
        self.files = self._key("files")
        #: A hash: the size, time, reason, detail and time of failure of each file that failed, by its path.
        self.failures = self._key("failures")

    def staging(self) -> RedisKeys:
        """The names of the catalogue that is being made beside this one."""
        return RedisKeys(*self._names, stage="next")

    @property
    def whole(self) -> list[bytes]:
        """The keys that there is one of, but for the writer's."""
        return [self.identity, self.events, self.track_ids, self.files, self.failures]

    @property
    def of_tracks(self) -> list[bytes]:
        """What the keys of each track begin with; its id follows."""
        return [self.track(""), self.embedding(""), self.paths("")]

    def track(self, track_id: str) -> bytes:
        """A hash: what is known of a track."""
        return self._key("track", track_id)

    def embedding(self, track_id: str) -> bytes:
        """A string: a track's embedding, little-endian float32."""
        return self._key("embedding", track_id)

    def paths(self, track_id: str) -> bytes:
        """A set: the paths of the files that hold a track."""
        return self._key("paths", track_id)

    def track_of(self, key: bytes) -> str | None:
        """The id of the track that a key is about, None where it is about none."""
        for start in self.of_tracks:
            if key.startswith(start):
                return to_text(key[len(start) :])
        return None

    def _key(self, *parts: str) -> bytes:
        return to_bytes(":".join((self._tag, *parts)))
