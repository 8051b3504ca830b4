from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segue.trainer.cli.main import main
from segue.trainer.splits.split import load_split


def run(*arguments: str | Path) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_missing_input_is_one_sentence(command: str, tmp_path: Path, tiny_model: Path) -> None:
    """A wrong path ends with exit code 1 and without a traceback."""
    option = ("--output", tmp_path / "out") if command == "train" else ("--model", tiny_model)
    result = run(command, "--input", tmp_path / "nowhere", *option)
    assert 1 == result.exit_code
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_with_one_genre_cannot_be_trained_on(tmp_path: Path) -> None:
    """The error comes before a file is decoded, and nothing is written."""
    for name in ("a", "b", "c"):
        (tmp_path / "clips" / "rock").mkdir(parents=True, exist_ok=True)
        (tmp_path / "clips" / "rock" / f"{name}.wav").touch()
    result = run("train", "--input", tmp_path / "clips", "--output", tmp_path / "out")
    assert 1 == result.exit_code
    assert "only 'rock'" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    """A wrong --model is an error without a traceback."""
    result = run("evaluate", "--input", tmp_path, "--model", tmp_path / "nowhere")
    assert 1 == result.exit_code
    assert "There is no model" in result.stderr


@pytest.mark.parametrize("option", ["--side", "--pool"])
def test_a_side_needs_a_split(tmp_path: Path, option: str) -> None:
    """A side without a split is a wrong command."""
    result = run("evaluate", "--input", tmp_path, option, "valid")
    assert 2 == result.exit_code
    assert "--split" in result.stderr


@pytest.mark.parametrize(("option", "value"), [("--epochs", "0"), ("--seed", "-1"), ("--folds", "2"), ("--fold", "-1")])
def test_options_out_of_range_are_named(tmp_path: Path, option: str, value: str) -> None:
    """The option, the value and the range are in the message."""
    result = run("train", "--input", tmp_path, "--output", tmp_path / "out", option, value)
    assert 2 == result.exit_code
    assert option in result.stderr
    assert value in result.stderr


@pytest.mark.parametrize("name", ["", "../net", "my net", "net\n", "-net", "n" * 65, "m\u00fcsik"])
def test_a_name_that_cannot_be_part_of_a_path_is_refused(tmp_path: Path, name: str) -> None:
    """It is part of the model id, which names folders, logs and catalogues."""
    result = run("train", "--input", tmp_path, "--output", tmp_path / "out", "--name", name)
    assert 2 == result.exit_code
    assert "--name" in result.stderr


def test_errors_do_not_move_the_cursor(tmp_path: Path) -> None:
    """A path may hold anything, and an escape in it is replaced."""
    result = run("train", "--input", tmp_path / "\x1b[2Jnowhere", "--output", tmp_path / "out")
    assert "\ufffd[2Jnowhere" in result.stderr


def test_an_unknown_split_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    """The message lists the splits."""
    (tmp_path / "rock").mkdir()
    (tmp_path / "rock" / "a.wav").touch()
    result = run("train", "--input", tmp_path, "--output", tmp_path / "out", "--split", "filtered")
    assert 1 == result.exit_code
    assert "fault-filtered" in result.stderr


@pytest.mark.parametrize(
    ("split", "label", "valid"), [("random-tracks", "random-tracks", 2), ("chunk-random", "chunk-random (LEAKY)", 6)]
)
def test_a_split_is_drawn_and_saved(
    write_archive: Callable[..., Path], tmp_path: Path, split: str, label: str, valid: int
) -> None:
    """The file has the printed digest, and the label of a leaky split says LEAKY."""
    path = tmp_path / "mine.tsv"
    result = run("split", "--input", write_archive(), "--split", split, "--output", path)
    printed = dict(line.split("\t") for line in result.stdout.splitlines())
    saved = load_split(str(path))
    assert (label, saved.digest, str(valid)) == (printed["split"], printed["digest"], printed["valid"])
    assert label == saved.label


def test_the_file_of_a_split_ends_in_tsv(tmp_path: Path) -> None:
    """Any other name could not be loaded by --split."""
    result = run("split", "--input", tmp_path, "--output", tmp_path / "mine.txt")
    assert 2 == result.exit_code
    assert "ends in .tsv" in " ".join(result.stderr.split())


def test_suggestions_need_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model knows the user's genres by default; the environment may name one."""
    monkeypatch.delenv("SEGUE_MODEL", raising=False)
    missing = run("suggest", "--input", tmp_path, "--tag-cache", tmp_path / "tags.npz")
    assert 2 == missing.exit_code
    assert "Missing option '--model'" in missing.stderr
    monkeypatch.setenv("SEGUE_MODEL", str(tmp_path / "nowhere"))
    unknown = run("suggest", "--input", tmp_path, "--tag-cache", tmp_path / "tags.npz")
    assert 1 == unknown.exit_code
    assert "There is no model" in unknown.stderr


@pytest.mark.parametrize("option", ["--paths", "--print0"])
def test_suggestions_have_one_format(tmp_path: Path, tiny_model: Path, option: str) -> None:
    """Paths and JSON at once are a wrong command."""
    options = ("--model", tiny_model, "--tag-cache", tmp_path / "tags.npz")
    result = run("suggest", "--input", tmp_path, *options, "--json", option)
    assert 2 == result.exit_code
    assert "leave out --paths" in result.stderr


@pytest.mark.parametrize("limit", ["0", "1001"])
def test_the_number_of_suggestions_has_a_range(tmp_path: Path, limit: str) -> None:
    """The option and the value are in the message."""
    result = run("suggest", "--input", tmp_path, "--model", tmp_path, "--limit", limit)
    assert 2 == result.exit_code
    assert "--limit" in result.stderr
