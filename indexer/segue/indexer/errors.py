"""The indexer's own errors, under the root of ``segue.core.errors``.

::

    SegueError
    └── ManifestUnusable    a list of files and their metadata cannot be used as a whole
"""

from __future__ import annotations

from segue.core.errors import SegueError


class ManifestUnusable(SegueError):
    """A list of files and their metadata cannot be used as a whole."""

    reason = "MANIFEST_UNUSABLE"
