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
    """A good file, a silent one and one without audio; and their catalogue."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.music, self.data, self.model = folder / "music", folder / "data", model
        self.music.mkdir()
        soundfile.write(self.music / "good.wav", render_clip(1, 4.0), 22_050)
        soundfile.write(self.music / "silent.wav", np.zeros(100_000, np.float32), 22_050)
        (self.music / "text.wav").write_text("no music", encoding="ascii")

    def run(self, command: str, *arguments: str | Path) -> tuple[int, ...]:
        """Runs a command, and returns its counts, in the order of ``COUNTS``."""
        options = ("--data", self.data, "--model", self.model, "--jobs", "1", "--json")
        report = json.loads(run(command, *arguments, *options).stdout)
        return tuple(report[name] for name in COUNTS)

    def status(self) -> dict[str, Any]:
        """Returns the status with all failures."""
        document: dict[str, Any] = json.loads(run("status", "--data", self.data, "--json", "--failures").stdout)
        return document


@pytest.fixture
def library(tmp_path: Path, tiny_model: Path) -> Library:
    """Music that was added once."""
    library = Library(tmp_path, tiny_model)
    assert (1, 0, 0, 0, 0, 2, 1, 1) == library.run("add", library.music)
    return library


def test_failures_are_recorded_and_skipped(library: Library) -> None:
    """A later run neither opens the files nor fails; status counts them, and lists them with reason and time."""
    assert (0, 0, 1, 2, 0, 0, 0, 1) == library.run("add", library.music)
    status = library.status()

    assert {"AUDIO_SILENT": 1, "AUDIO_UNDECODABLE": 1} == status["failed"]
    silent, text = status["failures"]
    assert (str(library.music / "silent.wav"), "AUDIO_SILENT") == (silent["path"], silent["reason"])
    assert (str(library.music / "text.wav"), "AUDIO_UNDECODABLE") == (text["path"], text["reason"])
    assert silent["message"].endswith(".")
    assert silent["time"].endswith("+00:00")


def test_the_report_counts_skipped_files(library: Library) -> None:
    """It says how to try them again, and the exit code is 0."""
    ended = run("add", library.music, "--data", library.data, "--model", library.model)

    assert 0 == ended.exit_code
    assert "Skipped 2 files that failed in an earlier run" in ended.stdout
    assert "run `segue-indexer retry` to try again." in ended.stdout


def test_a_file_that_changed_is_tried_again(library: Library) -> None:
    """Once it is good, it is added, and is no failure any more."""
    shutil.copy(library.music / "good.wav", library.music / "silent.wav")

    assert (1, 0, 1, 1, 0, 0, 1, 1) == library.run("add", library.music)
    assert {"AUDIO_UNDECODABLE": 1} == library.status()["failed"]


def test_retry_tries_all_files_or_those_of_a_reason(library: Library) -> None:
    """Only failed files are opened; those that fail again stay on the list."""
    assert (0, 0, 0, 0, 0, 2, 0, 1) == library.run("retry")
    assert (0, 0, 0, 0, 0, 1, 0, 1) == library.run("retry", "--reason", "AUDIO_SILENT")
    assert (0, 0, 0, 0, 0, 0, 0, 1) == library.run("retry", "--reason", "WORKER_DIED")
    assert {"AUDIO_SILENT": 1, "AUDIO_UNDECODABLE": 1} == library.status()["failed"]


def test_a_mistyped_reason(library: Library) -> None:
    """The error has the nearest reason, and those of the files that failed."""
    ended = run("retry", "--reason", "audio_silnt", "--data", library.data)

    expected = (
        "segue-indexer: No file can fail for the reason audio_silnt. Did you mean AUDIO_SILENT? The reasons of failed "
        "files are: "
    )
    assert (1, True) == (ended.exit_code, ended.stderr.startswith(expected)), ended.stderr
    assert {"AUDIO_SILENT (1)", "AUDIO_UNDECODABLE (1)"} == set(ended.stderr[len(expected) : -2].split(", "))


@pytest.mark.parametrize("command", [("retry",), ("retry", "--dry-run"), ("rebuild",), ("rebuild", "--dry-run")])
def test_there_is_nothing_to_do(library: Library, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Without a catalogue, and with an empty one, the commands name the place that they looked at, and fail."""
    other = tmp_path / "other"
    ended = run(*command, "--data", other)
    assert 1 == ended.exit_code
    assert f"There is no catalogue at unix://{other}/redis/redis.sock yet." in ended.stderr.replace("//unix", "unix")
    assert 0 == run("remove", library.music, "--data", library.data).exit_code
    ended = run(*command, "--data", library.data)
    assert 1 == ended.exit_code
    assert "redis.sock is empty. Run `segue-indexer add FOLDER` first." in ended.stderr


def test_one_rule_for_exit_codes(library: Library) -> None:
    """The first run and the next have the same code: 0 if a file is indexed, 1 if all are failed."""
    options = ("--data", library.data, "--model", library.model)
    assert [0, 0] == [run(command, library.music, *options).exit_code for command in ("add", "sync")]
    assert 0 == run("add", library.music, "--dry-run", *options).exit_code
    assert 1 == run("retry", *options).exit_code
    assert 1 == run("add", library.music / "text.wav", *options).exit_code
    (library.music / "good.wav").unlink()
    for _ in range(2):
        assert 1 == run("add", library.music, *options).exit_code
    assert 0 == run("retry", "--reason", "WORKER_DIED", *options).exit_code


def test_retry_adds_files_that_are_good_now(library: Library) -> None:
    """A file that was replaced by a good one becomes a track, and a missing file leaves the list."""
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
    """An indexed file that is damaged now is a failure; its track stays until the file is removed or replaced."""
    (library.music / "good.wav").write_bytes(b"damaged")

    assert (0, 0, 0, 2, 0, 1, 0, 1) == library.run("add", library.music)
    assert (0, 0, 0, 3, 0, 0, 0, 1) == library.run("add", library.music)


def test_sync_and_remove_forget_failures_too(library: Library) -> None:
    """Missing failed files leave the list by sync, and failed files under a path by remove."""
    (library.music / "silent.wav").unlink()
    assert (0, 0, 1, 1, 1, 0, 0, 1) == library.run("sync", library.music)
    ended = run("remove", library.music / "text.wav", "--data", library.data)

    assert 0 == ended.exit_code
    assert {} == library.status()["failed"]
