"""Lists the music in a folder of any layout."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segue.core.audio.decoders.endings import ENDINGS, FFMPEG_ENDINGS
from segue.core.audio.decoders.ffmpeg import is_installed
from segue.core.system_names import is_resource_fork, is_system_folder
from segue.trainer.errors import DataUnusable


@dataclass(frozen=True)
class MusicFile:
    """A file that may be music by its name, not yet opened.

    Attributes:
        path: path of the file; it begins with the listed folder, as the user typed it.
        size: size in bytes.
        mtime_ns: time of the last change, in ns.
    """

    path: Path
    size: int
    mtime_ns: int


def list_music(folder: Path) -> tuple[list[MusicFile], dict[Path, str]]:
    """Lists the music under a folder by its endings, in the order of the paths.

    System folders and links to folders are not walked. Files of other kinds, such as covers, are ignored.

    Returns:
        The files, and the reason why a folder or a file cannot be reached, by its path.

    Raises:
        DataUnusable: there is no such folder, or no music in it.
    """
    if not folder.is_dir():
        raise DataUnusable(f"{folder} is not a folder. Name a folder of music.")
    unreachable: dict[Path, str] = {}
    files = []
    for path in sorted(_walk(folder, unreachable)):
        try:
            status = path.stat()
        except OSError as error:
            unreachable[path] = error.strerror or str(error)
        else:
            # A named pipe would block whatever opens it.
            if stat.S_ISREG(status.st_mode):
                files.append(MusicFile(path, status.st_size, status.st_mtime_ns))
    if not files:
        raise DataUnusable(f"There is no music in {folder}{_first_reason(unreachable)}. Name another folder.")
    return files, unreachable


def _walk(folder: Path, unreachable: dict[Path, str]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        unreachable[Path(error.filename)] = error.strerror or str(error)

    endings = ENDINGS | FFMPEG_ENDINGS if is_installed() else ENDINGS
    for parent, subfolders, names in os.walk(folder, onerror=note):
        subfolders[:] = [name for name in subfolders if not is_system_folder(name)]
        for name in names:
            if Path(name).suffix.lower() in endings and not is_resource_fork(name):
                yield Path(parent, name)


def _first_reason(unreachable: dict[Path, str]) -> str:
    return next((f": {path}: {reason}" for path, reason in unreachable.items()), "")
