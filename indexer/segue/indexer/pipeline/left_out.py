"""Counts what a scan of folders leaves out, and says it in a sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from segue.core.quantities import quantity

NO_ENDING = "no ending"
"""Name of the endings that are none, such as those of README and of "feat. Someone"."""
OTHER = "other"
"""Name of all endings beyond the first ``MAX_NAMES``."""
MAX_NAMES = 100
"""Number of different endings that are counted: a folder of millions of files may have as many."""
_MAX_SHOWN = 5
_ENDING = re.compile(r"\.[a-z0-9+_-]{1,10}")


@dataclass
class LeftOut:
    """Counts of the files and folders that a scan left out, by reason. Each method counts one of them, by its name.

    Attributes:
        not_music: number of files that are not music, by their ending in lower case.
        needs_ffmpeg: number of files that only ffmpeg decodes, which is missing, by their ending in lower case.
        resource_fork: number of resource forks of macOS.
        system_folder: number of folders of system data, by their names. Their content is not counted.
        not_a_file: number of broken links, pipes, sockets and devices.
        linked: number of links to files and folders that are found under another path.
    """

    not_music: dict[str, int] = field(default_factory=dict)
    needs_ffmpeg: dict[str, int] = field(default_factory=dict)
    resource_fork: int = 0
    system_folder: dict[str, int] = field(default_factory=dict)
    not_a_file: int = 0
    linked: int = 0

    def count_not_music(self, name: str) -> None:
        """Counts a file that is not music."""
        _count(self.not_music, _ending(name))

    def count_needs_ffmpeg(self, name: str) -> None:
        """Counts a file that only ffmpeg decodes."""
        _count(self.needs_ffmpeg, _ending(name))

    def count_resource_fork(self, _name: str) -> None:
        """Counts a resource fork."""
        self.resource_fork += 1

    def count_system_folder(self, name: str) -> None:
        """Counts a folder of system data."""
        _count(self.system_folder, name)

    def count_not_a_file(self, _name: str) -> None:
        """Counts a broken link, a pipe, a socket or a device."""
        self.not_a_file += 1

    def count_linked(self, _name: str) -> None:
        """Counts a link to a file or folder that is found under another path."""
        self.linked += 1

    def phrases(self) -> list[str]:
        """Returns a phrase for each reason, such as "2 resource forks"."""
        ffmpeg, other = sum(self.needs_ffmpeg.values()), sum(self.not_music.values())
        folders, forks, no_files = sum(self.system_folder.values()), self.resource_fork, self.not_a_file
        links = self.linked
        phrases = [
            (ffmpeg, f"{quantity(ffmpeg, 'file that needs', 'files that need')} ffmpeg", self.needs_ffmpeg),
            (other, quantity(other, "file that is not music", "files that are not music"), self.not_music),
            (forks, quantity(forks, "resource fork"), {}),
            (folders, quantity(folders, "system folder"), self.system_folder),
            (no_files, quantity(no_files, "broken link or special file", "broken links or special files"), {}),
            (links, f"{quantity(links, 'link')} to what is found elsewhere", {}),
        ]
        return [f"{phrase}{_in_brackets(names)}" for number, phrase, names in phrases if number]

    def advice(self) -> list[str]:
        """Returns a sentence for each reason that is not plain."""
        sheets = self.not_music.get(".cue", 0)
        sentences = [
            (bool(self.needs_ffmpeg), "Put ffmpeg on the PATH to index the files that need it."),
            (sheets > 0, f"{quantity(sheets, 'CUE sheet was', 'CUE sheets were')} not read: each file is one track."),
        ]
        return [sentence for applies, sentence in sentences if applies]


def _ending(name: str) -> str:
    """Returns the ending of a file name, in lower case; a name such as .DS_Store is all ending."""
    _, dot, last = name.lower().rpartition(".")
    return dot + last if _ENDING.fullmatch(dot + last) else NO_ENDING


def _count(counts: dict[str, int], name: str) -> None:
    key = name if name in counts or len(counts) < MAX_NAMES else OTHER
    counts[key] = counts.get(key, 0) + 1


def _in_brackets(counts: dict[str, int]) -> str:
    """Returns the most frequent names with their numbers, or nothing if there are none."""
    if not counts:
        return ""
    frequent = sorted(counts.items(), key=lambda item: (item[0] == OTHER, -item[1], item[0]))
    shown = ", ".join(f"{name} {number:,}" for name, number in frequent[:_MAX_SHOWN])
    more = sum(number for _, number in frequent[_MAX_SHOWN:])
    return f" ({shown} and {more:,} more)" if more else f" ({shown})"
