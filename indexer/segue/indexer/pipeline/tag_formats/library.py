"""Reads tags with the libraries tinytag and libsndfile."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO, cast

import soundfile
from tinytag import TinyTag

from segue.indexer.pipeline.tag_formats.fields import TagFields, add_value

# More than any real cover. A damaged length must not load a whole file.
_MAX_READ_BYTES = 2**26


def read_by_tinytag(source: Path | bytes, start: int = 0) -> TagFields:
    """Returns the fields of a file as tinytag reads them.

    Args:
        source: the file, or its bytes.
        start: position of its first byte after other tags.

    Raises:
        TinyTagException: the tags are damaged, or tinytag does not know the format.
        OSError: the file cannot be read.
    """
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        # tinytag needs no more of a file than this class has.
        tags = TinyTag.get(file_obj=cast("BinaryIO", _Body(file, start)), duration=False)
    fields: TagFields = {}
    for key, values in tags.as_dict().items():
        for value in values if isinstance(values, list) else ():
            add_value(fields, key, value)
    return fields


class _Body:
    """A file from a position on."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start
        self.seek(0)

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, _MAX_READ_BYTES))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        shift = self._start if whence == os.SEEK_SET else 0
        return self._file.seek(offset + shift, whence) - self._start

    def tell(self) -> int:
        return self._file.tell() - self._start


def read_by_libsndfile(path: Path) -> TagFields:
    """Returns the fields of a file as libsndfile reads them.

    Raises:
        OSError: the file cannot be read.
        soundfile.LibsndfileError: libsndfile cannot open it.
    """
    # Its path would not do: libsndfile would trust its suffix.
    with path.open("rb") as file, soundfile.SoundFile(file) as sound:
        metadata = sound.copy_metadata()
    fields: TagFields = {}
    for key, text in metadata.items():
        add_value(fields, key, text)
    return fields
