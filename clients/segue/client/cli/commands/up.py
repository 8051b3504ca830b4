"""The `segue up` command, which runs `segue-server up` where that is installed."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import click

# One module of each extra that the server and the indexer need.
_MODULES = ("onnxruntime", "redis", "hnswlib", "grpc_health", "tinytag")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[FOLDER]...")
def up(arguments: tuple[str, ...]) -> None:
    """Indexes folders of music and serves them on this machine, for people who try Segue.

    Without FOLDER it serves what is there. It takes the options of `segue-server up`, such as --listen and --data.
    """
    if any(find_spec(module) is None for module in _MODULES):
        raise click.ClickException(
            "segue up runs a server and an indexer on this machine, and they are not installed here. "
            "Run: pip install 'segue[server,indexer]'"
        )
    # The server takes the place of this program, so it gets its signals and its exit code is that of the command.
    os.execv(sys.executable, [sys.executable, "-m", "segue.server", "up", *arguments])  # noqa: S606 - no shell
