"""Folders that ``segue-trainer tag`` refuses, with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from click.testing import CliRunner, Result

from segue.core.testing.synthetic_clips import render_clip
from segue.trainer.cli.main import main


def run(*arguments: str | Path) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one rendered clip."""
    (tmp_path / "music" / "rock").mkdir(parents=True)
    clip = render_clip(0, 4.0, rate=16_000, seed=0)
    soundfile.write(tmp_path / "music" / "rock" / "song.wav", clip, 16_000, subtype="PCM_16")
    return tmp_path / "music"


def test_tags_that_cannot_be_written_are_refused_first(folder: Path, tmp_path: Path) -> None:
    """The error comes before the backbone and the folder are read."""
    (tmp_path / "file").touch()
    options = ("--input", folder, "--backbone", tmp_path / "none.npz", "--output", tmp_path / "file" / "tags.npz")
    refused = run("tag", *options)
    assert 1 == refused.exit_code
    assert "Nothing can be written to" in refused.stderr


def test_a_folder_without_usable_files_is_refused(backbone_file: Path, tmp_path: Path) -> None:
    """The message has the reason of the first file."""
    (tmp_path / "music" / "rock").mkdir(parents=True)
    (tmp_path / "music" / "rock" / "a.wav").write_text("no music")
    options = ("--input", tmp_path / "music", "--backbone", backbone_file, "--output", tmp_path / "tags.npz")
    refused = run("tag", *options)
    assert 1 == refused.exit_code
    assert "can be used" in refused.stderr
    assert not (tmp_path / "tags.npz").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("noise/a.wav", "No clip of noise can be used"),
        ("rock/caf\udce9.wav", "cannot be saved in the table of a split"),
    ],
)
def test_a_folder_that_is_tagged_in_part_only_is_refused(
    folder: Path, backbone_file: Path, tmp_path: Path, name: str, sentence: str
) -> None:
    """The file of tags would lack a genre, or train-accurate would refuse it."""
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("no music")
    refused = run("tag", "--input", folder, "--backbone", backbone_file, "--output", tmp_path / "tags.npz")
    assert 1 == refused.exit_code
    assert sentence in refused.stderr
    assert not (tmp_path / "tags.npz").exists()


def test_a_link_without_a_target_is_left_out(folder: Path, backbone_file: Path, tmp_path: Path) -> None:
    """It is named, and the other clips are tagged."""
    (folder / "rock" / "link.wav").symlink_to(tmp_path / "nowhere.wav")
    tagged = run("tag", "--input", folder, "--backbone", backbone_file, "--output", tmp_path / "tags.npz")
    assert 0 == tagged.exit_code
    assert "left out rock/link.wav: It cannot be read: No such file or directory." in tagged.stderr
    assert "the tags of 1 track are in" in tagged.stderr
