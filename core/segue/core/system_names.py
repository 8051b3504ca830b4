"""Recognizes files and folders of operating systems, network disks and other programs by their names.

A name that begins with a dot is a name like any other: albums and songs have such titles, as "...And Justice for All".
"""

from __future__ import annotations

import re

# fmt: off
SYSTEM_FOLDERS = frozenset({
    # Unix, and the home folder of a user.
    ".cache", ".config", ".local", ".thumbnails", ".trash", ".var", "lost+found",
    # Snapshots of file systems.
    ".snapshot", ".snapshots", ".zfs", "~snapshot",
    # macOS, and archives that it packed.
    ".documentrevisions-v100", ".fseventsd", ".mobilebackups", ".spotlight-v100", ".temporaryitems", ".trashes", ".vol",
    "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder",
    # Disks that macOS reaches through netatalk.
    ".appledb", ".appledesktop", ".appledouble",
    # Windows. Its older bins, RECYCLED and RECYCLER, are titles of albums as well.
    "$recycle.bin", "system volume information",
    # Synology, QNAP, Western Digital and Samba.
    "#recycle", "#snapshot", "@eadir", "@sharebin", "@tmp", ".@__thumb", "@__thumb", "@recently-snapshot", "@recycle",
    ".recycle", ".streams", ".wd_tv",
    # Old versions that Syncthing, Resilio and Dropbox keep.
    ".dropbox.cache", ".stfolder", ".stversions", ".sync",
    # Version control and notebooks.
    ".bzr", ".git", ".hg", ".ipynb_checkpoints", ".svn",
})
# fmt: on
"""Names of folders of system data, deleted files and old versions, in lower case."""

# The bin of the user with this number, and what Windows found after a disk error.
_NUMBERED_FOLDER = re.compile(r"\.trash-\d+|found\.\d{3}")


def is_system_folder(name: str) -> bool:
    """Returns whether a folder of this name holds system data, deleted files or old versions, in any case."""
    lower = name.lower()
    return lower in SYSTEM_FOLDERS or _NUMBERED_FOLDER.fullmatch(lower) is not None


def is_resource_fork(name: str) -> bool:
    """Returns whether a file of this name is a resource fork, which macOS writes next to a file on foreign disks."""
    return name.startswith("._")
