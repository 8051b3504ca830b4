from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segue.trainer.errors import CheckpointError, DataUnusable
from segue.trainer.outputs import (
    check_output,
    checkpoint_path,
    existing_checkpoints,
    fold_path,
    locked_output,
    replace_folder,
    write_text,
)
from tests.helpers.machine.disk import full_disk


def make_folder(path: Path, text: str) -> Path:
    """A folder with a manifest of this text."""
    path.mkdir()
    (path / "manifest.json").write_text(text)
    return path


def test_an_interrupted_run_is_not_started_again_by_mistake(tmp_path: Path) -> None:
    """Its checkpoint is not overwritten by a command that lacks --resume."""
    (tmp_path / "out.checkpoint.npz").touch()
    with pytest.raises(CheckpointError, match="--resume"):
        check_output(tmp_path / "out", resume=False)
    check_output(tmp_path / "out", resume=True)


def test_an_interrupted_cross_validation_is_not_started_again_by_mistake(tmp_path: Path) -> None:
    """The checkpoint of a fold is found, too, and that of an output with a similar name is not."""
    (tmp_path / "out-2.fold-1.checkpoint.npz").touch()
    check_output(tmp_path / "out", resume=False)
    fold_path(checkpoint_path(tmp_path / "out"), 1).touch()
    with pytest.raises(CheckpointError, match=r"out\.fold-2\.checkpoint\.npz"):
        check_output(tmp_path / "out", resume=False)
    assert [tmp_path / "out.fold-2.checkpoint.npz"] == existing_checkpoints(tmp_path / "out")


HOLDER = """
import sys
from pathlib import Path
from segue.trainer.outputs import locked_output
with locked_output(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_two_runs_do_not_share_an_output(tmp_path: Path) -> None:
    """The second one is refused, also if a checkpoint makes the first look interrupted; a killed one has no lock."""
    output = tmp_path / "new" / "out"
    command = [sys.executable, "-c", HOLDER, str(output)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert "locked\n" == first.stdout.readline()
        (output.parent / "out.checkpoint.npz").touch()
        with pytest.raises(CheckpointError, match="Another run is training to"):
            check_output(output, resume=False)
        with pytest.raises(CheckpointError, match="Another run is training to"), locked_output(output):
            pass
        first.kill()
    check_output(output, resume=True)
    with locked_output(output):
        pass
    assert ["out.checkpoint.npz"] == [path.name for path in output.parent.iterdir()]


@pytest.mark.parametrize("name", ["song.mp3", "manifest.json"])
def test_a_folder_of_something_else_is_not_overwritten(tmp_path: Path, name: str) -> None:
    """An artifact replaces an artifact or nothing; a manifest.json alone may be another program's."""
    (tmp_path / name).touch()
    with pytest.raises(DataUnusable, match="not an artifact"):
        check_output(tmp_path, resume=False)


@pytest.mark.parametrize("output", [".", "/", "..", "out/..", "/dev"])
def test_an_output_that_cannot_be_replaced_is_refused(output: str) -> None:
    """Neither the current folder nor a mount point can be put in place by one rename."""
    with pytest.raises(DataUnusable, match="cannot be replaced as a whole"):
        check_output(Path(output), resume=False)


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The error comes before the training, and the check leaves no files behind."""
    (tmp_path / "file").touch()
    with pytest.raises(DataUnusable, match=r"Nothing can be written to .*file/runs/out"):
        check_output(tmp_path / "file" / "runs" / "out", resume=False)
    check_output(tmp_path / "runs" / "out", resume=False)
    assert [tmp_path / "file"] == list(tmp_path.iterdir())


def test_a_pipe_gets_the_text(tmp_path: Path) -> None:
    """A pipe or a device, such as /dev/stdout, is written to and not replaced."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text(pipe, "text")
    assert b"text" == os.read(reader, 100)
    os.close(reader)
    assert pipe.is_fifo()


def test_a_full_disk_keeps_the_older_text(tmp_path: Path) -> None:
    """The older file is whole, and no part of the newer one is left."""
    path = tmp_path / "new" / "split.tsv"
    write_text(path, "older")
    with full_disk(1_000), pytest.raises(OSError, match="File too large"):
        write_text(path, "newer" * 1_000)
    assert "older" == path.read_text()
    assert [path] == list(path.parent.iterdir())


def test_an_older_folder_is_replaced(tmp_path: Path) -> None:
    """The new folder gets its place, and the older one is moved away."""
    fresh, place = make_folder(tmp_path / "fresh", "new"), make_folder(tmp_path / "place", "old")
    replace_folder(fresh, place, tmp_path / "older")
    assert ("new", "old") == tuple((tmp_path / part / "manifest.json").read_text() for part in ("place", "older"))


def test_an_older_folder_comes_back(tmp_path: Path) -> None:
    """The older folder is restored if the new one cannot be moved."""
    place = make_folder(tmp_path / "place", "old")
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "missing", place, tmp_path / "older")
    assert "old" == (place / "manifest.json").read_text()
    assert [place] == list(tmp_path.iterdir())
