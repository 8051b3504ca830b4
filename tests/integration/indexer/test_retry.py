from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from segue.core.redis_catalogue.open import open_store
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.indexer import run

COUNTS = ("added", "updated", "unchanged", "skipped", "forgotten", "failed", "decoded", "tracks")


class Library:
    """A good file, a silent one and one that is no music; and its catalogue."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.music, self.data, self.model = folder / "music", folder / "data", model
        self.music.mkdir()
        soundfile.write(self.music / "good.wav", render_clip(1, 4.0), 22_050)
        soundfile.write(self.music / "silent.wav", np.zeros(100_000, np.float32), 22_050)
        (self.music / "text.wav").write_text("no music", encoding="ascii")

    def run(self, command: str, *arguments: str | Path) -> tuple[int, ...]:
        """Runs a command, and answers what it counts, in the order of ``COUNTS``."""
        options = ("--data", self.data, "--model", self.model, "--jobs", "1", "--json")
        report = json.loads(run(command, *arguments, *options).stdout)
        return tuple(report[name] for name in COUNTS)

    def status(self) -> dict[str, Any]:
        """What status says of the failures."""
        document: dict[str, Any] = json.loads(run("status", "--data", self.data, "--json", "--failures").stdout)
        return document


@pytest.fixture
def library(tmp_path: Path, tiny_model: Path) -> Library:
    """A library that was added once."""
    library = Library(tmp_path, tiny_model)
    assert (1, 0, 0, 0, 0, 2, 1, 1) == library.run("add", library.music)
    return library


def test_failures_are_kept_and_skipped(library: Library) -> None:
    """A later run neither opens them nor fails for them; status sums them, and names them with reason and time."""
    assert (0, 0, 1, 2, 0, 0, 0, 1) == library.run("add", library.music)
    status = library.status()

    assert {"AUDIO_SILENT": 1, "AUDIO_UNDECODABLE": 1} == status["failed"]
    silent, text = status["failures"]
    assert (str(library.music / "silent.wav"), "AUDIO_SILENT") == (silent["path"], silent["reason"])
    assert (str(library.music / "text.wav"), "AUDIO_UNDECODABLE") == (text["path"], text["reason"])
    assert silent["message"].endswith(".")
    assert silent["time"].endswith("+00:00")


def test_a_person_is_told_what_was_skipped(library: Library) -> None:
    """Where files are missing from the catalogue, the report says how to hear them again, and exits with 0."""
    done = run("add", library.music, "--data", library.data, "--model", library.model)

    assert 0 == done.exit_code
    assert "2 files failed before and have not changed since: segue-indexer retry hears them again." in done.stdout


def test_a_file_that_changed_is_tried_again(library: Library) -> None:
    """Mended, it is added, and no failure any more."""
    shutil.copy(library.music / "good.wav", library.music / "silent.wav")

    assert (1, 0, 1, 1, 0, 0, 1, 1) == library.run("add", library.music)
    assert {"AUDIO_UNDECODABLE": 1} == library.status()["failed"]


def test_retry_hears_all_or_those_of_a_reason(library: Library) -> None:
    """Only what failed is opened; what fails again stays on the list."""
    assert (0, 0, 0, 0, 0, 2, 0, 1) == library.run("retry")
    assert (0, 0, 0, 0, 0, 1, 0, 1) == library.run("retry", "--reason", "AUDIO_SILENT")
    assert (0, 0, 0, 0, 0, 0, 0, 1) == library.run("retry", "--reason", "WORKER_DIED")
    assert {"AUDIO_SILENT": 1, "AUDIO_UNDECODABLE": 1} == library.status()["failed"]


def test_retry_takes_what_is_good_now(library: Library) -> None:
    """A file that can be heard after all becomes a track, and one that is gone is off the list."""
    with open_store(library.data) as store:
        (before,) = store.failures([str(library.music / "text.wav")])
    shutil.copy(library.music / "good.wav", library.music / "text.wav")
    (library.music / "silent.wav").unlink()

    assert before is not None
    assert (1, 0, 0, 0, 1, 0, 0, 1) == library.run("retry", "--dry-run")
    assert {"AUDIO_SILENT": 1, "AUDIO_UNDECODABLE": 1} == library.status()["failed"]
    assert (1, 0, 0, 0, 1, 0, 1, 1) == library.run("retry")
    assert {} == library.status()["failed"]


def test_a_broken_file_keeps_its_track(library: Library) -> None:
    """A file that was good and is damaged now is a failure; its track stays until the file is removed or replaced."""
    (library.music / "good.wav").write_bytes(b"damaged")

    assert (0, 0, 0, 2, 0, 1, 0, 1) == library.run("add", library.music)
    assert (0, 0, 0, 3, 0, 0, 0, 1) == library.run("add", library.music)


def test_failures_of_files_that_are_gone_are_forgotten(library: Library) -> None:
    """Sync and remove take the failed files under their paths along."""
    (library.music / "silent.wav").unlink()
    assert (0, 0, 1, 1, 1, 0, 0, 1) == library.run("sync", library.music)
    done = run("remove", library.music / "text.wav", "--data", library.data)

    assert 0 == done.exit_code
    assert {} == library.status()["failed"]
