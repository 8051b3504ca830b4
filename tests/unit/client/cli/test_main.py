import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segue.client.cli.main import main

NOBODY = "127.0.0.1:1"  # where nothing listens


def segue(*arguments: str, stdin: bytes = b"", **env: str) -> Result:
    """Runs the command without a server."""
    return CliRunner(env={"SEGUE_ADDRESS": NOBODY, **env}).invoke(main, arguments, input=stdin)


def test_help_names_every_command() -> None:
    """The help lists the commands and says where the address may be set."""
    text = segue("--help").stdout
    words = ["classify", "recommend", "track", "tracks", "status", "SEGUE_ADDRESS", "--timeout", "--json", "--version"]
    assert [] == [word for word in words if word not in text]


def test_version() -> None:
    """The version is one line."""
    result = segue("--version")
    assert (0, True) == (result.exit_code, result.stdout.startswith("segue, version "))


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify"],
        ["recommend"],
        ["track"],
        ["dance"],
        ["classify", "a.wav", "--top-k", "many"],
        ["--timeout", "0", "status"],
        ["--timeout", "-1", "status"],
        ["--timeout", "nan", "status"],
        ["--timeout", "inf", "status"],
        ["status", "--timeout", "soon"],
    ],
    ids=" ".join,
)
def test_usage_errors(arguments: list[str]) -> None:
    """A command line that cannot be meant exits 2, and prints nothing on standard output."""
    result = segue(*arguments)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "Error: " in result.stderr


def test_missing_file() -> None:
    """A file that is not there is one sentence and exit code 1."""
    result = segue("classify", "none.wav")
    expected = (1, "", "segue: none.wav cannot be read: No such file or directory.\n")
    assert expected == (result.exit_code, result.stdout, result.stderr)


@pytest.mark.parametrize("seed", ["none.wav", "0123456789ABCDEF0123456789ABCDEF", "0123", "a" * 5000])
def test_seed_neither_file_nor_id(seed: str) -> None:
    """A seed that is neither a file nor an id says what it could have been."""
    result = segue("recommend", seed)
    expected = f"segue: {seed} is neither an existing file nor a track id (32 lower-case hexadecimal digits).\n"
    assert (1, expected) == (result.exit_code, result.stderr)


def test_folder_as_seed(tmp_path: Path) -> None:
    """A folder is there, but is no file."""
    result = segue("recommend", str(tmp_path))
    assert (1, f"segue: {tmp_path} cannot be read: Is a directory.\n") == (result.exit_code, result.stderr)


def test_too_much_on_stdin() -> None:
    """Too much audio on standard input is refused without a server."""
    result = segue("classify", "-", stdin=bytes(17 * 2**20))
    assert (1, True) == (result.exit_code, "is larger than 16 MiB" in result.stderr)


@pytest.mark.parametrize("arguments", [["--json", "status"], ["status", "--json"]], ids=" ".join)
def test_error_as_json(arguments: list[str]) -> None:
    """With --json, before or after the command, an error is the one document on standard output."""
    result = segue(*arguments)
    error = json.loads(result.stdout)["error"]
    expected = ["reason", "message", "code", "metadata", "field", "retry_after", "request_id"]
    assert (1, "", expected) == (result.exit_code, result.stderr, list(error))
    assert ("SERVER_UNREACHABLE", "UNAVAILABLE") == (error["reason"], error["code"])


def test_address_option_wins() -> None:
    """The option outweighs the variable."""
    result = segue("status", "--address", "127.0.0.1:2")
    assert "No Segue server answers at 127.0.0.1:2: " in result.stderr


def test_errors_cannot_move_the_cursor() -> None:
    """A file's name with control characters is printed without them."""
    assert "segue: \ufffd[2J.wav cannot be read" in segue("classify", "\x1b[2J.wav").stderr


def test_an_address_on_the_line_comes_before_that_of_the_environment() -> None:
    """SEGUE_ADDRESS stands for --address only where that is not given, before or after the command's name."""
    for arguments in (["--address", "nohost.invalid:7", "status"], ["status", "--address", "nohost.invalid:7"]):
        ended = segue(*arguments)
        assert 1 == ended.exit_code
        assert "nohost.invalid:7" in ended.output + ended.stderr
