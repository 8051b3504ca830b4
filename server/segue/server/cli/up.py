"""Prepares ``segue-server up``: checks the port, and indexes the folders before they are served."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click

from segue.core.optional_dependencies import require_extra
from segue.server.process.signals import stop_signals
from segue.server.settings import Settings


def prepare(folders: Sequence[Path], settings: Settings, config: Path | None) -> None:
    """Checks that the port is free, then indexes the folders; exits as the indexer does if that fails.

    Args:
        folders: folders and files of music.
        settings: settings of the server.
        config: the file of settings, or None.

    Raises:
        click.ClickException: the indexer is not installed, or the port is in use.
    """
    require_extra("server,indexer", "tinytag", "rich")
    _check_port(settings)
    if folders:
        _index(folders, settings, config)
    click.echo("Starting the server. It loads the model, which takes some seconds.", err=True)


def _check_port(settings: Settings) -> None:
    """Checks that the port is free, before any folder is indexed, which may take hours.

    Raises:
        click.ClickException: it is not.
    """
    from segue.server.preflight.ports import check_ports  # noqa: PLC0415 - so that --help is quick

    for result in check_ports(replace(settings, metrics_listen=None)):
        if result.level != "ok":
            advice = f"{result.advice} For example: --listen 127.0.0.1:50052"
            raise click.ClickException(f"The server cannot start: {result.text}. {advice}")


def _index(folders: Sequence[Path], settings: Settings, config: Path | None) -> None:
    """Runs ``segue-indexer add`` to its end; exits as it does if it fails."""
    # The indexer may have an engine of its own in the file of settings.
    engine = settings.engine if settings.engine != "auto" else None
    options = {"--data": settings.data, "--model": settings.model, "--engine": engine}
    given = [str(part) for pair in options.items() if pair[1] for part in pair]
    command = [sys.executable, "-m", "segue.indexer", "add", *given, "--", *map(str, folders)]
    # Other users of the machine can see command lines, and the URL of Redis may have a password.
    variables = {"SEGUE_CONFIG": config, "SEGUE_REDIS": settings.redis}
    environment = os.environ | {name: str(value) for name, value in variables.items() if value}
    with (
        _Stoppable() as stoppable,
        # In a group of its own it gets Ctrl-C of the terminal only once, from here.
        subprocess.Popen(command, env=environment, process_group=0) as indexer,
    ):
        stoppable.follow(indexer)
        code = indexer.wait()
    if code or stoppable.signals:
        sys.exit(code if code > 0 else 128 + (stoppable.signals or [-code])[0])


class _Stoppable:
    """Sends the stop signals of this program to another one while entered; that one then ends in good order.

    Attributes:
        signals: the signals until now.
    """

    def __init__(self) -> None:
        self.signals: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._previous_handlers: dict[int, Any] = {}

    def follow(self, process: subprocess.Popen[bytes]) -> None:
        """Sends the process all signals, also those that came before it was started."""
        self._process = process
        for number in self.signals:
            self._send(number)

    def __enter__(self) -> _Stoppable:
        self._previous_handlers = {number: signal.signal(number, self._handle) for number in stop_signals()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restores the previous handlers."""
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self.signals.append(number)
        self._send(number)

    def _send(self, number: int) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)
