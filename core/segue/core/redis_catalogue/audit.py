"""Finds out whether all that Redis holds of a catalogue agrees, and how what does not is mended.

What was lost cannot be made up: a track that is not whole is taken out, so that its files are heard again by the next
run over them. What was told in two places is mended from the one that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from redis import Redis

from segue.core.batching import batched
from segue.core.catalogue.finding import Finding
from segue.core.catalogue.records import PathRecord
from segue.core.errors import EmbeddingUnusable
from segue.core.redis_catalogue.client import translating_errors
from segue.core.redis_catalogue.codec import (
    DIGEST,
    embedding_from_bytes,
    embedding_to_bytes,
    file_from_bytes,
    file_to_bytes,
    to_bytes,
    to_text,
    track_digest,
)
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.transaction import TRIMMED, revision_of, stream_bounds

_PAGE = 500
# A file of this size looks as if it had changed: it is heard again, and its track stays until then.
_NO_SIZE = -1


class RedisAudit:
    """Looks through a catalogue that no one writes meanwhile."""

    def __init__(self, client: Redis, keys: RedisKeys, address: str, width: int) -> None:
        """Nothing is sent yet; ``width`` is the length of the catalogue's embeddings."""
        self._client: Any = client  # redis-py types its answers for every protocol at once
        self._keys = keys
        self._address = address
        self._width = width

    @property
    def parts(self) -> tuple[Callable[[], list[Finding]], ...]:
        """What can be looked through; each answers its findings, and raises ``StoreUnavailable`` without Redis.

        They are to be mended in this order: each takes for granted what those before it found to be right.
        """
        return tuple(self._reaching(part) for part in (self._strays, self._files, self._tracks, self._events))

    def _reaching(self, part: Callable[[], Iterator[Finding]]) -> Callable[[], list[Finding]]:
        def look() -> list[Finding]:
            with translating_errors(self._address):
                return list(part())

        return look

    def _strays(self) -> Iterator[Finding]:
        """Keys of tracks that are not among the ids."""
        strays = set[str]()
        for page in batched(self._client.scan_iter(match=self._keys.pattern, count=_PAGE), _PAGE):
            ids = sorted({track_id for key in page if (track_id := self._keys.track_of(key)) is not None})
            strays.update(track_id for track_id, listed in zip(ids, self._listed(ids), strict=True) if not listed)
        for track_id in sorted(strays):
            ((fields, embedding, paths),) = self._read([track_id])
            problem = self._problem(fields, embedding)
            yield self._broken(track_id, f"It is a remnant. {problem}", paths) if problem else self._unlisted(track_id)

    def _unlisted(self, track_id: str) -> Finding:
        listed = ("ZADD", self._keys.track_ids, 0, to_bytes(track_id))
        told = ("add", self._keys.events, to_bytes(track_id))
        return Finding(track_id, "It is whole, but not among the ids.", (listed, told))

    def _files(self) -> Iterator[Finding]:
        """Records of files whose track does not know them."""
        for page in batched(self._client.hscan_iter(self._keys.files, count=_PAGE), _PAGE):
            records = [(path, _owner(raw)) for path, raw in page]
            listed = self._listed([owner for _, owner in records])
            held = self._ask("SISMEMBER", [(self._keys.paths(owner), path) for path, owner in records])
            for (path, owner), there, member in zip(records, listed, held, strict=True):
                if not there:
                    forget = ("HDEL", self._keys.files, path)
                    yield Finding(to_text(path), f"It is a file of the track {owner}, which is not there.", (forget,))
                elif not member:
                    hold = ("SADD", self._keys.paths(owner), path)
                    yield Finding(to_text(path), f"It is not among the files of its track {owner}.", (hold,))

    def _tracks(self) -> Iterator[Finding]:
        """Tracks that are not whole, or whose files are not theirs."""
        for page in batched(self._ids(), _PAGE):
            for track_id, (fields, embedding, paths) in zip(page, self._read(page), strict=True):
                problem = self._problem(fields, embedding)
                if problem is not None:
                    yield self._broken(track_id, problem, paths)
                else:
                    yield from self._places(track_id, fields, paths)

    def _places(self, track_id: str, fields: dict[bytes, bytes], paths: list[bytes]) -> Iterator[Finding]:
        """What is wrong with the files of a whole track."""
        owners = self._owners(paths)
        mine = [path for path, owner in owners.items() if owner in {None, track_id}]
        if not mine:
            yield self._broken(track_id, "It has no file.", paths)
            return
        for path, owner in owners.items():
            if owner is None:
                keep = ("HSET", self._keys.files, path, file_to_bytes(PathRecord("", _NO_SIZE, 0, track_id)))
                yield Finding(to_text(path), f"It is a file of the track {track_id}, and has no record.", (keep,))
            elif owner != track_id:
                leave = ("SREM", self._keys.paths(track_id), path)
                yield Finding(to_text(path), f"It holds {owner}, but is among the files of {track_id}.", (leave,))
        if fields.get(b"path") not in mine:
            point = ("HSET", self._keys.track(track_id), "path", min(mine))
            yield Finding(track_id, "Its path is none of its files.", (point,))

    def _events(self) -> Iterator[Finding]:
        """Gaps in the stream; and where it was never trimmed, what it tells otherwise than the ids."""
        newest = stream_bounds(self._client, self._keys)[1]
        trimmed = int(self._client.hget(self._keys.writer, TRIMMED) or 0)
        expected, told = trimmed + 1, set[str]()
        for revision, kind, track_id in self._stream():
            if revision != expected or kind not in {b"add", b"remove"}:
                break
            expected += 1
            (told.add if kind == b"add" else told.discard)(track_id)
        if expected != newest + 1:
            # Nothing can be put into a stream afterwards; whoever is behind reads the tracks instead.
            yield Finding(f"event {expected}", "It is missing, or damaged.", (("trim", self._keys.events, newest),))
        elif trimmed == 0:
            yield from self._untold(told)

    def _untold(self, told: set[str]) -> Iterator[Finding]:
        ids = set(self._ids())
        for track_id in sorted(ids - told):
            add = ("add", self._keys.events, to_bytes(track_id))
            yield Finding(track_id, "It is there, and the events do not say so.", (add,))
        for track_id in sorted(told - ids):
            remove = ("remove", self._keys.events, to_bytes(track_id))
            yield Finding(track_id, "It is not there, and the events say that it is.", (remove,))

    def _broken(self, track_id: str, problem: str, paths: list[bytes]) -> Finding:
        """A track that is to be taken out, with the records of its files."""
        records = [("HDEL", self._keys.files, path) for path, owner in self._owners(paths).items() if owner == track_id]
        keys = (self._keys.track(track_id), self._keys.embedding(track_id), self._keys.paths(track_id))
        unlist = ("ZREM", self._keys.track_ids, to_bytes(track_id))
        tell = ("remove", self._keys.events, to_bytes(track_id))
        return Finding(track_id, problem, (*records, *(("DEL", key) for key in keys), unlist, tell))

    def _problem(self, fields: dict[bytes, bytes], embedding: bytes | None) -> str | None:
        """What is wrong with a track's metadata and embedding, or None."""
        if not fields:
            return "It has no metadata."
        if embedding is None:
            return "It has no embedding."
        if len(embedding) != 4 * self._width:
            return f"Its embedding has {len(embedding)} bytes, not {4 * self._width}."
        try:
            embedding_to_bytes(embedding_from_bytes(embedding), self._width)
        except EmbeddingUnusable as error:
            return str(error)
        if fields.get(DIGEST) != track_digest(fields, embedding):
            return "Its metadata or its embedding is not what was written: their digest is another."
        return None

    def _ids(self) -> Iterator[str]:
        return (to_text(raw) for raw, _ in self._client.zscan_iter(self._keys.track_ids, count=_PAGE))

    def _listed(self, track_ids: Sequence[str]) -> list[bool]:
        """Whether each is among the ids."""
        scores = self._ask("ZSCORE", [(self._keys.track_ids, to_bytes(track_id)) for track_id in track_ids])
        return [score is not None for score in scores]

    def _owners(self, paths: list[bytes]) -> dict[bytes, str | None]:
        """The track of each file by its record, None where there is none."""
        records = self._client.hmget(self._keys.files, paths) if paths else []
        return {path: None if raw is None else _owner(raw) for path, raw in zip(paths, records, strict=True)}

    def _read(self, track_ids: list[str]) -> list[tuple[dict[bytes, bytes], bytes | None, list[bytes]]]:
        """Metadata, embedding and files of tracks."""
        pipe = self._client.pipeline(transaction=False)
        for track_id in track_ids:
            pipe.hgetall(self._keys.track(track_id))
            pipe.get(self._keys.embedding(track_id))
            pipe.smembers(self._keys.paths(track_id))
        answers = pipe.execute()
        return list(zip(answers[::3], answers[1::3], map(sorted, answers[2::3]), strict=True))

    def _stream(self) -> Iterator[tuple[int, bytes | None, str]]:
        """Revision, kind and track of each event."""
        after = b"-"
        while entries := self._client.xrange(self._keys.events, min=after, count=_PAGE):
            for entry_id, entry in entries:
                yield revision_of(entry_id), entry.get(b"kind"), to_text(entry.get(b"track", b""))
            after = b"(" + entries[-1][0]

    def _ask(self, command: str, questions: Iterable[tuple[Any, ...]]) -> list[Any]:
        """The answers to one command with different arguments."""
        pipe = self._client.pipeline(transaction=False)
        for question in questions:
            pipe.execute_command(command, *question)
        answers: list[Any] = pipe.execute()
        return answers


def _owner(raw: bytes) -> str:
    """The track of a file's record; that of a damaged one is none that there is."""
    try:
        return file_from_bytes("", raw).track_id
    except ValueError:
        return "?"
