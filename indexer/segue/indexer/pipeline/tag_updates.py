"""Writes the tags of files whose audio the catalogue has already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import NO_METADATA, Addition, OwnMetadata, Track
from segue.core.catalogue.store import TrackStore, TrackWriter
from segue.core.catalogue.uploads import is_upload
from segue.indexer.pipeline.records import MusicFile, Tags
from segue.indexer.pipeline.scan import may_exist


class TagUpdates:
    """Collects the new tags of files, to write them together."""

    def __init__(self, store: TrackStore, writer: TrackWriter) -> None:
        """Reads and writes nothing yet.

        Args:
            store: the catalogue.
            writer: its writer.
        """
        self._store = store
        self._writer = writer
        self._additions: list[Addition] = []

    def add(self, file: MusicFile, tags: Tags) -> bool | None:
        """Adds the tags of a file with the audio of the track ``file.expected_id``.

        Returns:
            Whether the track changes, or None if the catalogue has no such track and the file has to be decoded.
        """
        track_ids = [file.expected_id]
        (track,), (embedding,) = self._store.get(track_ids), self._store.embeddings(track_ids)
        if track is None or embedding is None:
            return None
        file = replace(file, own=inherited_metadata(file, track, self._store))
        updated = with_tags(replace(track, path=display_path(file.path)), tags)
        # The record of the file is written in any case: it has the new time of the file's status.
        self._additions.append(Addition(updated, embedding, file.path_record(track.track_id)))
        return updated.path == track.path and updated != track

    def write(self, at_least: int = 1) -> None:
        """Writes what was added, once there are so many files."""
        if len(self._additions) >= at_least:
            self._writer.add(self._additions)
            self._additions = []


def inherited_metadata(file: MusicFile, track: Track | None, store: TrackStore) -> OwnMetadata:
    """Returns the owner's metadata of a file; if none were given, those of a missing file of its track.

    Args:
        file: the file.
        track: its track as the catalogue has it, or None if it is new.
        store: the catalogue.
    """
    if file.own is not None or track is None or not track.own:
        return file.own or NO_METADATA
    (paths,) = store.paths([track.track_id])
    described = [known for known in store.files(paths) if known is not None and known.own]
    missing = (known for known in described if not is_upload(known.path) and not may_exist(known.path))
    return next((known.own for known in missing), NO_METADATA)


def with_tags(track: Track, tags: Tags) -> Track:
    """Returns the track of a file with other tags; without a title it has the name of the file."""
    return replace(
        track,
        title=tags.title or Path(track.path).stem,
        artist=tags.artist,
        album=tags.album,
        tagged_genre=tags.genre,
        year=tags.year,
        artists=tags.artists,
        tagged_genres=tags.genres,
        album_artist=tags.album_artist,
        track_number=tags.track_number,
        disc_number=tags.disc_number,
        isrc=tags.isrc,
        musicbrainz_recording_id=tags.musicbrainz_recording_id,
        musicbrainz_release_id=tags.musicbrainz_release_id,
        musicbrainz_artist_ids=tags.musicbrainz_artist_ids,
    )
