"""The indexer as a process of its own, over a private Redis in a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.model.artifact import read_manifest, write_manifest
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from segue.core.testing.synthetic_clips import render_clip
from segue.indexer.cli.main import main


class Indexer:
    """Runs segue-indexer on one data folder."""

    def __init__(self, data: Path, model: Path) -> None:
        self.data = data
        self.model = model

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line that adds these paths."""
        options = ["--data", str(self.data), "--model", str(self.model)]
        return [sys.executable, "-m", "segue.indexer", "add", *map(str, arguments), *options]

    def add(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Adds paths, and waits for the end."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=280)

    def report(self, *arguments: str | Path) -> dict[str, Any]:
        """Adds paths, and answers the JSON document."""
        done = self.add(*arguments, "--json")
        assert done.stdout, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    @contextmanager
    def store(self) -> Iterator[RedisStore]:
        """The catalogue, shared with whatever runs on it."""
        with open_store(self.data) as store:
            yield store


@pytest.fixture
def indexer(tmp_path: Path, tiny_model: Path) -> Indexer:
    """An indexer without a catalogue yet."""
    return Indexer(tmp_path / "data", tiny_model)


@pytest.fixture
def other_model(tiny_model: Path, tmp_path: Path) -> Path:
    """Another model: it has another id, as after any training."""
    folder = tmp_path / "other-model"
    shutil.copytree(tiny_model, folder)
    write_manifest(folder, replace(read_manifest(folder), name="other"))
    return folder


WIDTH = 16


def run(*arguments: str | Path) -> Result:
    """Runs segue-indexer in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def track_id(number: int) -> str:
    """The id of the silent catalogue's track of this number."""
    return f"{number:032x}"


def made_up(number: int, path: str | None = None) -> Addition:
    """A track that no one ever heard, in a file of its own unless told otherwise."""
    drawn = np.random.default_rng(number).standard_normal(WIDTH)
    path = path or f"/music/{number % 2}/{number}.flac"
    track = Track(track_id(number), f"Track {number}", path=path)
    embedding = (drawn / np.linalg.norm(drawn)).astype(np.float32)
    return Addition(track, embedding, PathRecord(path, 100, 7, track_id(number)))


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[RedisStore]:
    """A catalogue of twenty tracks, made without audio and without a model, in the folder ``tmp_path``; no index."""
    with open_store(tmp_path) as store:
        with store.writer("model", "front end", WIDTH) as writer:
            writer.add([made_up(number) for number in range(20)])
        yield store


def write_library(folder: Path, clips: int, seconds: float) -> Path:
    """Writes clips of different audio, quickly: pieces of one rendered recording, from different places."""
    folder.mkdir()
    recording = (32_767 * render_clip(1, seconds + clips / 20)).astype(np.int16)
    for number in range(clips):
        start = number * 22_050 // 20
        clip = recording[start : start + round(seconds * 22_050)]
        soundfile.write(folder / f"{number:04}.flac", clip, 22_050, compression_level=0.0)
    return folder
