"""Applies writes to the catalogue, while its lock is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from segue.core.catalogue.external_ids import PREFIX, files_of
from segue.core.catalogue.records import NO_METADATA, Addition, OwnMetadata, PathRecord
from segue.core.catalogue.store import TrackStore, TrackWriter
from segue.core.catalogue.uploads import is_upload
from segue.core.errors import SegueError, TrackNotFound
from segue.server.writing.jobs import Change, Deletion, Job, Sound, Update, Upsert, Written

Outcome = Written | SegueError
"""What became of a write, or its error."""


def apply(jobs: Sequence[Job], store: TrackStore, writer: TrackWriter) -> list[Outcome]:
    """Applies writes one after the other, those of different external ids together, and returns what became of each.

    Raises:
        CatalogueLocked: the lock is lost; some of the writes may be done.
        StoreUnavailable: the store does not answer.
    """
    outcomes: list[Outcome] = []
    for group in _groups(jobs):
        match group:
            case Update():
                outcomes.append(_update(group, store, writer))
            case Deletion():
                outcomes.append(_delete(group, store, writer))
            case _:
                outcomes += _upsert(group, store, writer)
    return outcomes


def _groups(jobs: Sequence[Job]) -> Iterator[list[Upsert] | Update | Deletion]:
    """Yields each write, consecutive upserts of different external ids in one list."""
    group: list[Upsert] = []
    for job in jobs:
        if group and not (isinstance(job, Upsert) and all(job.external_id != other.external_id for other in group)):
            yield group
            group = []
        if isinstance(job, Upsert):
            group.append(job)
        else:
            yield job
    if group:
        yield group


def _upsert(items: Sequence[Upsert], store: TrackStore, writer: TrackWriter) -> list[Outcome]:
    plans = [
        _plan(item, known)
        for item, known in zip(items, files_of([item.external_id for item in items], store), strict=True)
    ]
    writer.add([plan.write for plan in plans if isinstance(plan, _Plan) and isinstance(plan.write, Addition)])
    writer.describe([plan.write for plan in plans if isinstance(plan, _Plan) and isinstance(plan.write, PathRecord)])
    revision = store.revision()
    return [plan.written(revision) if isinstance(plan, _Plan) else plan for plan in plans]


class _Plan:
    """The write for one item.

    Attributes:
        write: a track to add, the record of a known file with other metadata, or None if everything is there.
    """

    def __init__(self, track_id: str, write: Addition | PathRecord | None, change: Change) -> None:
        self.write = write
        self._track_id, self._change = track_id, change

    def written(self, revision: int) -> Written:
        """Returns the result at a revision."""
        return Written(self._track_id, self._change, revision)


def _plan(item: Upsert, known: PathRecord | None) -> _Plan | SegueError:
    own = replace(known.own if item.own is None and known else item.own or NO_METADATA, external_id=item.external_id)
    if item.sound is not None and (known is None or known.track_id != item.sound.track.track_id):
        return _Plan(item.sound.track.track_id, _addition(item.sound, own), "updated" if known else "added")
    if known is None:
        return TrackNotFound(f"{PREFIX}{item.external_id}")
    record = replace(known, own=own)
    if item.sound is not None and is_upload(known.path):  # the same audio in other bytes
        record = replace(record, size=item.sound.content.size, mtime_ns=item.sound.content.stamp)
    return _Plan(known.track_id, None if record == known else record, "unchanged" if own == known.own else "updated")


def _addition(sound: Sound, own: OwnMetadata) -> Addition:
    """Returns an upload; a file on a disk that had its external id loses it."""
    track = replace(sound.track, title=own.external_id)
    file = PathRecord(track.path, sound.content.size, sound.content.stamp, track.track_id, own=own)
    return Addition(track, sound.embedding, file)


def _update(job: Update, store: TrackStore, writer: TrackWriter) -> Outcome:
    known = _described_file(job.track_id, store)
    if known is None:
        return TrackNotFound(job.track_id)
    own = job.change(known.own)
    if own != known.own:
        writer.describe([replace(known, own=own)])
    return Written(known.track_id, "unchanged" if own == known.own else "updated", store.revision())


def _described_file(track_id: str, store: TrackStore) -> PathRecord | None:
    """Returns the file that gives a track the metadata of its owner, else its first one, or None without a track."""
    external_id = _external_id(track_id)
    if external_id is not None:
        return files_of([external_id], store)[0]
    (paths,) = store.paths([track_id])
    files = [file for file in store.files(paths) if file is not None and file.track_id == track_id]
    return next((file for file in files if file.own), files[0] if files else None)


def _delete(job: Deletion, store: TrackStore, writer: TrackWriter) -> Outcome:
    ids = list(dict.fromkeys(job.ids))
    external = {each: external_id for each in ids if (external_id := _external_id(each)) is not None}
    files = dict(zip(external, files_of(list(external.values()), store), strict=True))
    track_ids = [each for each in ids if each not in external]
    known = dict(zip(track_ids, store.embeddings(track_ids), strict=True))
    writer.forget([file.path for file in files.values() if file is not None])
    revision = writer.remove([track_id for track_id, embedding in known.items() if embedding is not None])
    missing = tuple(each for each in job.ids if (files if each in external else known)[each] is None)
    return Written("", "unchanged" if len(missing) == len(job.ids) else "updated", revision, missing)


def _external_id(track_id: str) -> str | None:
    """Returns the external id in the id of a track, or None if it is no external id."""
    return track_id.removeprefix(PREFIX) if track_id.startswith(PREFIX) else None
