"""Shows on a terminal that the files of a run are being counted, which can take minutes on a network disk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from segue.core.quantities import quantity
from segue.indexer.pipeline.run_counts import ShowCount
from segue.indexer.settings import OutputOptions

# Drawing the number for every file would take longer than finding it.
_STEP = 100


@contextmanager
def counting(output: OutputOptions) -> Iterator[ShowCount]:
    """Shows a changing number of files until the end of the block; shows nothing where stderr is no terminal."""
    if output.quiet or output.as_json or not sys.stderr.isatty():
        yield lambda _count: None
        return
    with Console(stderr=True).status("looking for music") as status:

        def show(count: int) -> None:
            if count % _STEP == 0:
                status.update(f"looking for music: {quantity(count, 'file')} so far")

        yield show
