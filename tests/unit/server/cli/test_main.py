from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from segue.core.errors import StoreUnavailable
from segue.server.cli.errors import ErrorReportingGroup
from segue.server.cli.main import main


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:99999", "127.0.0.1:http", ":50051", "127.0.0.1:-1"])
def test_an_invalid_address(address: str) -> None:
    """An invalid address is refused before anything is loaded."""
    ended = CliRunner().invoke(main, ["--listen", address])
    assert 2 == ended.exit_code
    assert "write HOST:PORT" in ended.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("option", "value"), [("--workers", "0"), ("--queue-seconds", "0"), ("--grace", "-1"), ("--workers", "many")]
)
def test_a_value_out_of_range(option: str, value: str) -> None:
    """The error for a value out of range names the option."""
    ended = CliRunner().invoke(main, [option, value])
    assert 2 == ended.exit_code
    assert option in ended.output


def test_an_option_before_a_command() -> None:
    """An option before a command is refused, since it would have no effect."""
    ended = CliRunner().invoke(main, ["--workers", "3", "models"])
    assert 2 == ended.exit_code
    assert "--workers comes before models" in ended.output


@pytest.mark.parametrize("command", [[], ["doctor"], ["models"], ["token"], ["token", "new"]])
def test_short_help(command: list[str]) -> None:
    """Every command has -h next to --help."""
    short, long = (CliRunner().invoke(main, [*command, option]) for option in ("-h", "--help"))
    assert (0, long.output) == (short.exit_code, short.output)


@pytest.mark.parametrize(
    ("error", "code"),
    [(StoreUnavailable("Redis is away."), 1), (FileNotFoundError("no such file"), 1), (KeyboardInterrupt(), 130)],
)
def test_exit_codes_of_errors(error: BaseException, code: int, caplog: pytest.LogCaptureFixture) -> None:
    """An error ends the program with exit code 1 and its message, and Ctrl-C with 130; neither prints a traceback."""

    @click.group(cls=ErrorReportingGroup)
    def program() -> None:
        """Does nothing itself."""

    @program.command()
    def fail() -> None:
        raise error

    ended = CliRunner().invoke(program, ["fail"])
    assert (code, "") == (ended.exit_code, ended.output)
    assert ([str(error)] if code == 1 else []) == caplog.messages
