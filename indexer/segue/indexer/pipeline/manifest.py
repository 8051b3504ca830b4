"""A manifest: a list of files with the metadata that their owner gives to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from segue.core.batching import batched
from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import OwnMetadata
from segue.core.catalogue.store import TrackStore
from segue.indexer.errors import ManifestUnusable
from segue.indexer.pipeline.manifest_lines import BadLine, Described, read_lines
from segue.indexer.pipeline.records import Failure, Source
from segue.indexer.pipeline.scan import classify_files, may_exist

REASON = "MANIFEST_LINE"
"""The reason of a line that cannot be used."""

_PAGE = 500


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
            raise ManifestUnusable(f"{path} has no line with a file. Write one JSON object a line, with a path.")

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
        """
        own: dict[Path, OwnMetadata] = {}
        yield from classify_files(self._files(own, store), store, recheck=recheck, own=own.pop)

    def _files(self, own: dict[Path, OwnMetadata], store: TrackStore) -> Iterator[Path | Failure]:
        """Yields the files, and a failure for each bad line; puts the metadata of each file into ``own``."""
        for page in batched(read_lines(self._path), _PAGE):
            external_ids = [line.own.external_id if isinstance(line, Described) else "" for line in page]
            owners = dict(zip(external_ids, store.external_paths(external_ids), strict=True))
            for line, external_id in zip(page, external_ids, strict=True):
                problem = line.problem if isinstance(line, BadLine) else self._problem(line, owners[external_id])
                if isinstance(line, BadLine) or problem:
                    yield Failure(f"{display_path(self._path)}, line {line.line:,}", REASON, problem)
                else:
                    own[line.path] = line.own
                    yield line.path

    def _problem(self, line: Described, owner: str | None) -> str:
        """Returns why a line cannot be used, or "".

        Args:
            line: the line.
            owner: the path of the file that has the line's external id in the catalogue, or None.
        """
        path, external_id = display_path(line.path), line.own.external_id
        if (first := self._lines_of_paths.get(hash(path), line.line)) < line.line:
            return f"Line {first:,} has the same path; remove one of them."
        if (first := self._lines_of_ids.get(hash(external_id), line.line)) < line.line:
            return f"Line {first:,} has the same external_id, {external_id}; each file needs its own."
        if line.path.is_dir():
            return f"{path} is a folder; give the path of a file."
        if owner not in (None, path) and hash(owner) not in self._lines_of_paths and may_exist(str(owner)):
            return f"The file {owner} has the external_id {external_id}; remove it first, or give it another one."
        return ""
