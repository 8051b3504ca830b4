"""A manifest: a list of files with the metadata that their owner gives to them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from segue.core.batching import batched
from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import NO_METADATA, OwnMetadata
from segue.core.catalogue.store import TrackStore
from segue.indexer.errors import ManifestUnusable
from segue.indexer.pipeline.manifest_lines import BadLine, Described, is_csv, read_lines
from segue.indexer.pipeline.records import Failure, NewMetadata, Skipped, Source
from segue.indexer.pipeline.scan import classify_files, may_exist

REASON = "MANIFEST_LINE"
"""The reason of a line that cannot be used."""

_PAGE = 500


class _GivenMetadata:
    """The metadata of files that are read ahead, and of the file that is compared with the catalogue."""

    def __init__(self) -> None:
        self._ahead: dict[Path, OwnMetadata] = {}
        self._path, self._own = Path(), NO_METADATA

    def put(self, line: Described) -> None:
        """Adds the metadata of a file."""
        self._ahead[line.path] = line.own

    def take(self, path: Path) -> OwnMetadata:
        """Removes and returns the metadata of a file, which is the one at hand from now on."""
        self._path, self._own = path, self._ahead.pop(path)
        return self._own

    def update(self, skipped: Skipped, store: TrackStore) -> Skipped | NewMetadata:
        """Returns the new metadata of the file at hand, which is skipped; it may have a track from before it failed."""
        (indexed,) = store.files([display_path(self._path)])
        if indexed is None or indexed.own == self._own:
            return skipped
        return NewMetadata(replace(indexed, own=self._own))


class Manifest:
    """Reads a manifest twice: to count and compare its lines, then line by line for the files to index.

    Attributes:
        count: number of lines that are not empty.
    """

    def __init__(self, path: Path, show: Callable[[int], None] = lambda _count: None) -> None:
        """Counts the lines.

        Args:
            path: path of the manifest, JSON lines or, with the ending .csv, CSV.
            show: called with the number of lines so far.

        Raises:
            ManifestUnusable: the manifest cannot be read, or has no line.
        """
        self._path = path
        self.count = 0
        # The first line of each path and of each external id, by a hash: a manifest may have millions of lines.
        self._lines_of_paths: dict[int, int] = {}
        self._lines_of_ids: dict[int, int] = {}
        for line in read_lines(path):
            self.count += 1
            self._note(line)
            show(self.count)
        if not self.count:
            advice = (
                "a row with a path for each file, below the header" if is_csv(path) else "a JSON object on each line"
            )
            raise ManifestUnusable(f"{path} has no line with a file. Write {advice}.")

    def _note(self, line: Described | BadLine) -> None:
        if isinstance(line, Described):
            self._lines_of_paths.setdefault(hash(display_path(line.path)), line.line)
            if line.own.external_id:
                self._lines_of_ids.setdefault(hash(line.own.external_id), line.line)

    def sources(self, store: TrackStore, *, recheck: bool = False) -> Iterator[Source]:
        """Yields the files of the manifest, each with its metadata; see ``classify_files``.

        Args:
            store: the catalogue.
            recheck: read all indexed files again.

        Raises:
            ManifestUnusable: the manifest changed since its lines were counted.
        """
        given = _GivenMetadata()
        for source in classify_files(self._files(given, store), store, recheck=recheck, own=given.take):
            yield given.update(source, store) if isinstance(source, Skipped) else source

    def _files(self, given: _GivenMetadata, store: TrackStore) -> Iterator[Path | Failure]:
        """Yields the files, and a failure for each bad line; puts the metadata of each file into ``given``."""
        count = 0
        for page in batched(read_lines(self._path), _PAGE):
            count += len(page)
            external_ids = [line.own.external_id if isinstance(line, Described) else "" for line in page]
            owners = dict(zip(external_ids, store.external_paths(external_ids), strict=True))
            for line, external_id in zip(page, external_ids, strict=True):
                problem = line.problem if isinstance(line, BadLine) else self._problem(line, owners[external_id])
                if isinstance(line, BadLine) or problem:
                    yield Failure(f"{display_path(self._path)}, line {line.line:,}", REASON, problem)
                else:
                    given.put(line)
                    yield line.path
        if count != self.count:
            raise self._changed()

    def _changed(self) -> ManifestUnusable:
        return ManifestUnusable(f"{self._path} changed while its files were added. Run the command again.")

    def _problem(self, line: Described, owner: str | None) -> str:
        """Returns why a line cannot be used, or "".

        Args:
            line: the line.
            owner: the path of the file that has the line's external id in the catalogue, or None.

        Raises:
            ManifestUnusable: the path was on no line when the lines were counted, or only on later ones.
        """
        path, external_id = display_path(line.path), line.own.external_id
        if (first := self._lines_of_paths.get(hash(path), line.line + 1)) > line.line:
            raise self._changed()
        if first < line.line:
            return f"Line {first:,} has the same path; remove one of them."
        if (first := self._lines_of_ids.get(hash(external_id), line.line)) < line.line:
            return f"Line {first:,} has the same external_id, {external_id}; each file needs its own."
        if os.path.isdir(line.path):  # noqa: PTH112 - is_dir() raises errors of a path that is too long
            return f"{path} is a folder; give the path of a file."
        if owner not in (None, path) and hash(owner) not in self._lines_of_paths and may_exist(str(owner)):
            return f"The file {owner} has the external_id {external_id}; remove it first, or give it another one."
        return ""
