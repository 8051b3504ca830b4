from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from segue.indexer.cli.errors import reporting_errors
from segue.indexer.settings import OutputOptions
from tests.helpers.indexer import PROGRAM, run


def test_a_path_that_does_not_exist_is_reported_first(tmp_path: Path) -> None:
    """One wrong path of many makes the command wrong, and nothing is opened or created."""
    result = run("add", tmp_path, tmp_path / "nowhere", "--data", tmp_path / "data")

    assert 2 == result.exit_code
    assert "nowhere" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_path_is_a_file_or_a_folder(tmp_path: Path) -> None:
    """A pipe is refused: reading it might wait forever."""
    os.mkfifo(tmp_path / "pipe.wav")
    result = run("add", tmp_path / "pipe.wav", "--data", tmp_path / "data")

    assert 2 == result.exit_code
    assert "pipe.wav' is neither a file nor a folder." in result.stderr


def test_a_folder_without_music_is_an_error(tmp_path: Path) -> None:
    """It is nearly always a wrong path, and a script must not continue with an empty catalogue."""
    (tmp_path / "notes.txt").touch()
    (tmp_path / "@eaDir").mkdir()
    result = run("add", tmp_path, "--data", tmp_path / "data")

    assert 1 == result.exit_code
    found = "only 1 file that is not music (.txt 1), 1 system folder (@eaDir 1)"
    assert f"There is no music under {tmp_path}: {found}. Give another folder" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_missing_model_is_reported_in_a_sentence(tmp_path: Path) -> None:
    """A wrong --model gives no traceback, and is reported before Redis is started."""
    (tmp_path / "a.wav").touch()
    result = run("add", tmp_path, "--data", tmp_path / "data", "--model", tmp_path / "none", "--json")

    assert 1 == result.exit_code
    assert json.loads(result.stdout)["error"]["message"] in result.stderr
    assert str(tmp_path / "none") in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "arguments",
    [("add",), ("add", ".", "--jobs", "0"), ("add", ".", "--allow-failures", "-1"), ("add", ".", "--no-such"), ("ad",)],
)
def test_a_wrong_command_exits_with_2(arguments: tuple[str, ...]) -> None:
    """A wrong command has another exit code than a failed run."""
    assert 2 == run(*arguments).exit_code


def test_help_is_quick() -> None:
    """Neither importing the command nor printing its help loads anything heavy."""
    code = (
        "import sys; from segue.indexer.cli.main import main\n"
        "try: main(['add', '--help'])\n"
        "finally: print(sorted({'tensorflow', 'librosa', 'numpy.linalg', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "--allow-failures" in ended.stdout
    assert "tensorflow" not in ended.stderr
    assert "librosa" not in ended.stderr


def test_a_run_that_is_stopped_at_once_prints_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that waits for JSON reads what was done until then, and that the run was stopped."""

    def stopped() -> None:
        with reporting_errors(OutputOptions(as_json=True)) as counts:
            counts.added = 3
            raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        stopped()
    document = json.loads(capsys.readouterr().out)
    assert (130, 3, "STOPPED") == (ended.value.code, document["added"], document["error"]["reason"])


def status(data: Path, stdout: int) -> subprocess.CompletedProcess[str]:
    """Runs ``status --json`` with this standard output."""
    command = [*PROGRAM, "status", "--json", "--data", str(data)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_an_output_that_cannot_be_written(tmp_path: Path) -> None:
    """A full disk behind the standard output is reported in one sentence."""
    with Path("/dev/full").open("w") as full:
        ended = status(tmp_path, full.fileno())
    assert (1, "segue-indexer: [Errno 28] No space left on device\n") == (ended.returncode, ended.stderr)


def test_an_output_that_is_not_read(tmp_path: Path) -> None:
    """A reader that is gone, such as head, ends the command without a message."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = status(tmp_path, writer)
    os.close(writer)
    assert (141, "") == (ended.returncode, ended.stderr)
