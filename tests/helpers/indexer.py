"""Runs ``segue-indexer``, and writes music libraries for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from click.testing import CliRunner, Result

from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.core.testing.synthetic_clips import render_clip
from segue.indexer.cli.main import main
from tests.helpers.machine.waiting import PATIENCE_SECONDS

PROGRAM = [sys.executable, "-m", "segue.indexer"]
"""Command line of segue-indexer as a process of its own."""


class Indexer:
    """Runs segue-indexer as a process of its own on one data folder."""

    def __init__(self, data: Path, model: Path) -> None:
        self.data = data
        self.model = model

    def command(self, *arguments: str | Path) -> list[str]:
        """Returns the command line that adds these paths."""
        options = ["--data", str(self.data), "--model", str(self.model)]
        return [*PROGRAM, "add", *map(str, arguments), *options]

    def add(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Adds paths, and waits for the end of the process."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=280)

    def report(self, *arguments: str | Path) -> dict[str, Any]:
        """Adds paths, and returns the JSON document."""
        ended = self.add(*arguments, "--json")
        assert ended.stdout, ended.stderr
        document: dict[str, Any] = json.loads(ended.stdout)
        return document

    @contextmanager
    def store(self) -> Iterator[RedisStore]:
        """Opens the catalogue, which the indexer may write meanwhile."""
        with open_store(self.data) as store:
            yield store


def run(*arguments: str | Path) -> Result:
    """Runs segue-indexer in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_json(*arguments: str | Path) -> dict[str, Any]:
    """Runs segue-indexer in this process with ``--json``, and returns the document."""
    document: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return document


def killed_at(failpoint: str, command: list[str]) -> None:
    """Runs a command that dies at a failpoint."""
    environment = {**os.environ, "SEGUE_FAILPOINT": failpoint}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert -signal.SIGKILL == ended.returncode, f"it did not reach {failpoint}: {ended.stdout}{ended.stderr}"


def write_library(folder: Path, clips: int, seconds: float) -> Path:
    """Writes clips with different audio quickly: sections of one rendered recording, each from another position."""
    folder.mkdir()
    recording = (32_767 * render_clip(1, seconds + clips / 20)).astype(np.int16)
    for number in range(clips):
        start = number * 22_050 // 20
        clip = recording[start : start + round(seconds * 22_050)]
        soundfile.write(folder / f"{number:04}.flac", clip, 22_050, compression_level=0.0)
    return folder
