"""Writes the first steps for ``segue-server up``: the address of the ready server, and two commands to type."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from segue.core.errors import SegueError
from segue.core.quantities import quantity
from segue.server.components import Components
from segue.server.healthcheck import local_address
from segue.server.settings import DEFAULT_LISTEN

# Tracks among which an example is looked for.
_CANDIDATES = 200


def first_steps(address: str, components: Components, folders: Sequence[Path] = ()) -> str:
    """Returns the text.

    Args:
        address: address of the port.
        components: the components of the server.
        folders: folders from which the example comes if possible.
    """
    local = local_address(address)
    program = "segue" if local == DEFAULT_LISTEN else f"segue --address {shlex.quote(local)}"
    count = len(components.catalogue.view)
    example = _example(components, folders) if count else None
    file = shlex.quote(str(example)) if example else "FILE"
    lines = [f"Segue serves {quantity(count, 'track')} at {local}. Type in another terminal:", ""]
    lines += [f"  {program} classify {file}", f"  {program} recommend {file}" if count else "  segue up FOLDER"]
    return "\n".join([*lines, "", "Press Ctrl-C here to end it."])


def _example(components: Components, folders: Sequence[Path]) -> Path | None:
    """Returns a file of the catalogue that exists, or None."""
    tracks = []
    with suppress(SegueError):
        store = components.catalogue.store
        tracks = [track for track in store.get(store.track_ids("", _CANDIDATES)) if track is not None]
    roots = tuple(os.path.join(folder.absolute(), "") for folder in folders)  # noqa: PTH118 - ends in a slash
    paths = sorted({track.path for track in tracks}, key=lambda path: (not path.startswith(roots), path))
    return next((Path(path) for path in paths if path.isprintable() and os.path.isfile(path)), None)  # noqa: PTH113 - never raises
