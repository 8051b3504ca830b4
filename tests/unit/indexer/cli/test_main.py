from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segue.indexer.cli.main import main
from segue.indexer.cli.runner import reporting_errors


def run(*arguments: str | Path) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_a_path_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    """One wrong path of many is a wrong command, and nothing was opened or made."""
    result = run("add", tmp_path, tmp_path / "nowhere", "--data", tmp_path / "data")

    assert 2 == result.exit_code
    assert "nowhere" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_folder_without_music_is_nearly_always_a_wrong_path(tmp_path: Path) -> None:
    """Nothing to do is an error with a sentence, since a script would else go on with an empty catalogue."""
    (tmp_path / "notes.txt").touch()
    result = run("add", tmp_path, "--data", tmp_path / "data")

    assert 1 == result.exit_code
    assert "no music" in result.stderr
    assert ".flac" in result.stderr
    assert not (tmp_path / "data").exists()


def test_a_model_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    """A wrong --model is told without a traceback, and before Redis is started."""
    (tmp_path / "a.wav").touch()
    result = run("add", tmp_path, "--data", tmp_path / "data", "--model", tmp_path / "none")

    assert 1 == result.exit_code
    assert "There is no model in" in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "arguments",
    [("add",), ("add", ".", "--jobs", "0"), ("add", ".", "--allow-failures", "-1"), ("add", ".", "--no-such"), ("ad",)],
)
def test_a_wrong_command_exits_with_2(arguments: tuple[str, ...]) -> None:
    """What cannot be meant is told apart from what failed."""
    assert 2 == run(*arguments).exit_code


def test_help_is_quick() -> None:
    """Nothing heavy is loaded to print the help, or by importing the command."""
    code = (
        "import sys; from segue.indexer.cli.main import main\n"
        "try: main(['add', '--help'])\n"
        "finally: print(sorted({'tensorflow', 'librosa', 'numpy.linalg', 'rich'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "--allow-failures" in done.stdout
    assert "tensorflow" not in done.stderr
    assert "librosa" not in done.stderr


def test_a_run_that_is_stopped_at_once_has_its_document(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that waits for JSON reads what was done until then, and that it was not the end."""

    def stopped() -> None:
        with reporting_errors(as_json=True) as counts:
            counts.added = 3
            raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        stopped()
    document = json.loads(capsys.readouterr().out)
    assert (130, 3, "STOPPED") == (ended.value.code, document["added"], document["error"]["reason"])
