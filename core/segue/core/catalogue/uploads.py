"""The paths of tracks that were sent to the server: they have no file, but a record with their external id."""

from __future__ import annotations

from segue.core.catalogue.display_path import display_bytes

_PREFIX = "upload:"


def upload_path(external_id: str) -> str:
    """Returns the path in the record of an upload; no file has it, since the paths of files are absolute."""
    return display_bytes(f"{_PREFIX}{external_id}".encode())


def is_upload(path: str) -> bool:
    """Returns whether a path is that of an upload, which no disk has."""
    return path.startswith(_PREFIX)
