from __future__ import annotations

import pytest
from click.testing import CliRunner

from segue.server.cli.main import main


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:99999", "127.0.0.1:http", ":50051", "127.0.0.1:-1"])
def test_what_is_no_address(address: str) -> None:
    """What is no address is refused before anything is loaded, and not read as another one."""
    ended = CliRunner().invoke(main, ["--listen", address])
    assert 2 == ended.exit_code
    assert "write HOST:PORT" in ended.output.replace("\n", " ")


@pytest.mark.parametrize(
    ("option", "value"), [("--workers", "0"), ("--queue-seconds", "0"), ("--grace", "-1"), ("--workers", "many")]
)
def test_out_of_range(option: str, value: str) -> None:
    """A value out of its range is named."""
    ended = CliRunner().invoke(main, [option, value])
    assert 2 == ended.exit_code
    assert option in ended.output


def test_an_option_before_a_command() -> None:
    """An option that would not count, since it stands before the command, is refused."""
    ended = CliRunner().invoke(main, ["--workers", "3", "models"])
    assert 2 == ended.exit_code
    assert "--workers stands before models" in ended.output
