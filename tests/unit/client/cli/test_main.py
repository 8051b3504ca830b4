from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segue.client.cli.main import main

NO_SERVER = "127.0.0.1:1"


def segue(*arguments: str, stdin: bytes = b"", **env: str) -> Result:
    """Runs the command without a server, and without waiting for one."""
    return CliRunner(env={"SEGUE_ADDRESS": NO_SERVER, **env}).invoke(main, ["--no-wait", *arguments], input=stdin)


def test_help_names_every_command() -> None:
    """The help lists the commands, the options and the environment variable of the address."""
    text = segue("--help").stdout
    words = [
        "classify",
        "recommend",
        "search",
        "track",
        "tracks",
        "status",
        "SEGUE_ADDRESS",
        "--timeout",
        "--json",
        "--version",
    ]
    assert [] == [word for word in words if word not in text]


def test_version() -> None:
    """--version prints one line."""
    result = segue("--version")
    assert (0, True) == (result.exit_code, result.stdout.startswith("segue, version "))


@pytest.mark.parametrize(
    "arguments",
    [
        ["classify"],
        ["recommend"],
        ["track"],
        ["search"],
        ["search", "words", "--limit", "0"],
        ["tracks", "--limit", "-1"],
        ["classify", "a.wav", "--embedding"],
        ["tracks", "--json", "--paths"],
        ["recommend", "a.wav", "--json", "--print0"],
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
    """A wrong command line exits with 2 and prints nothing on standard output."""
    result = segue(*arguments)
    assert (2, "") == (result.exit_code, result.stdout)
    assert "Error: " in result.stderr


def test_missing_file() -> None:
    """A missing file causes a message of one sentence and exit code 1."""
    result = segue("classify", "none.wav")
    expected = (1, "", "segue: none.wav cannot be read: No such file or directory.\n")
    assert expected == (result.exit_code, result.stdout, result.stderr)


@pytest.mark.parametrize("seed", ["none.wav", "0123456789ABCDEF0123456789ABCDEF", "0123", "a" * 5000])
def test_seed_neither_file_nor_id(seed: str) -> None:
    """A seed that is neither a file nor an id causes a message that says what a seed is."""
    result = segue("recommend", seed)
    expected = (
        f"segue: {seed} is neither an existing file nor a track id (32 lower-case hexadecimal digits), nor "
        "external:ID, genre:NAME or tag:NAME. Check the path, or find the track: segue search WORDS\n"
    )
    assert (1, expected) == (result.exit_code, result.stderr)


@pytest.mark.parametrize("name", ["0123", "0123456789ABCDEF0123456789ABCDEF", "a" * 5000])
def test_track_neither_id_nor_path(name: str) -> None:
    """A name that is neither an id nor a path is not sent to a server, and the message says how to find a track."""
    result = segue("track", name)
    assert (1, True) == (result.exit_code, "nor the path of a file. Find the track: segue search" in result.stderr)


def test_folder_as_seed(tmp_path: Path) -> None:
    """A folder as the seed causes a message that names it."""
    result = segue("recommend", str(tmp_path))
    assert (1, f"segue: {tmp_path} cannot be read: Is a directory.\n") == (result.exit_code, result.stderr)


@pytest.mark.parametrize("arguments", [["--json", "status"], ["status", "--json"]], ids=" ".join)
def test_error_as_json(arguments: list[str]) -> None:
    """With --json, before or after the command, an error is a document on standard output."""
    result = segue(*arguments)
    error = json.loads(result.stdout)["error"]
    expected = ["reason", "message", "code", "metadata", "field", "retry_after", "request_id"]
    assert (1, "", expected) == (result.exit_code, result.stderr, list(error))
    assert ("SERVER_UNREACHABLE", "UNAVAILABLE") == (error["reason"], error["code"])


def test_address_option() -> None:
    """--address overrides SEGUE_ADDRESS."""
    result = segue("status", "--address", "127.0.0.1:2")
    assert "No Segue server answers at 127.0.0.1:2: " in result.stderr


def test_errors_cannot_move_the_cursor() -> None:
    """Control characters in a file name are replaced."""
    assert "segue: \ufffd[2J.wav cannot be read" in segue("classify", "\x1b[2J.wav").stderr


def test_address_before_or_after_the_command() -> None:
    """--address overrides SEGUE_ADDRESS before and after the name of the command."""
    for arguments in (["--address", "nohost.invalid:7", "status"], ["status", "--address", "nohost.invalid:7"]):
        result = segue(*arguments)
        assert 1 == result.exit_code
        assert "nohost.invalid:7" in result.stderr


def test_settings_from_a_file(tmp_path: Path) -> None:
    """The command line takes precedence over the environment, the environment over the file, in both places."""
    file = tmp_path / "segue.toml"
    file.write_text('[client]\naddress = "127.0.0.1:3"\ntimeout = 30\nno-wait = true\n')

    def address(*arguments: str, **env: str) -> str:
        result = CliRunner(env={"SEGUE_CONFIG": str(file), "SEGUE_ADDRESS": "", **env}).invoke(main, arguments)
        return result.stderr.partition("answers at ")[2].partition(": ")[0]

    assert "127.0.0.1:3" == address("status")
    assert "127.0.0.1:3" == address("status", "--config", str(file), SEGUE_CONFIG="")
    assert "127.0.0.1:4" == address("status", SEGUE_ADDRESS="127.0.0.1:4")
    assert "127.0.0.1:5" == address("--address", "127.0.0.1:5", "status", SEGUE_ADDRESS="127.0.0.1:4")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("adress = 'x'", "has an unknown name in its section client, adress. Did you mean address?"),
        ("timeout = 'x'", "timeout in {file} is 'x'; use a number of seconds."),
        ("timeout = 0", "timeout is more than 0"),
    ],
)
def test_invalid_settings_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    """A wrong setting in a file makes the command wrong, in one sentence."""
    file = tmp_path / "segue.toml"
    file.write_text(f"[client]\n{text}\n")
    result = segue("status", "--config", str(file))
    assert (2, True) == (result.exit_code, message.replace("{file}", str(file)) in result.stderr)


def test_up_without_the_server() -> None:
    """Without the server or the indexer, `segue up` says what to install."""
    script = "import sys; sys.modules['tinytag'] = None; from segue.client.cli.main import main; main(['up', 'music'])"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert 1 == ended.returncode
    assert "not installed here. Run: pip install 'segue[server,indexer]'" in ended.stderr
