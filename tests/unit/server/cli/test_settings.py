from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from segue.core.settings.file import mask_passwords
from segue.core.settings.options import effective_settings, settings_line
from segue.indexer.cli.options import catalogue
from segue.server.cli.options import make_settings, server_options
from segue.server.cli.up import prepare
from segue.server.settings import Settings


@click.command()
@server_options
@click.pass_context
def show(ctx: click.Context, /, **values: object) -> None:
    """Prints the effective settings, as the server logs them."""
    Settings(**values)  # type: ignore[arg-type] # it accepts all of them, and no other
    for line in effective_settings(ctx):
        click.echo(" | ".join(line))


@click.command()
@catalogue
def show_indexer(**_values: object) -> None:
    """Accepts the options of an indexer's command."""


def run(file: Path, text: str, *arguments: str, **environment: str) -> Result:
    """Runs the command with a file of settings."""
    file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(show, ["--config", str(file), *arguments], env=environment)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The path of a file of settings."""
    return tmp_path / "segue.toml"


def test_precedence(file: Path) -> None:
    """The command line takes precedence over the environment, then the file, then the default."""
    text = 'workers = 3\nqueue-seconds = 70\ngrace = 2.5\nlisten = "127.0.0.1:1"\n'
    ended = run(file, text, "--workers", "5", SEGUE_WORKERS="4", SEGUE_QUEUE_SECONDS="80")
    lines = dict(line.split(" | ", 1) for line in ended.output.splitlines())
    assert "5 | on the command line" == lines["workers"]
    assert "80.0 | from SEGUE_QUEUE_SECONDS" == lines["queue-seconds"]
    assert f"2.5 | in {file}" == lines["grace"]
    assert f"127.0.0.1:1 | in {file}" == lines["listen"]
    assert "none | by default" == lines["redis"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "settings: all by default"),
        (
            ["--workers", "5", "--redis", "redis://me:secret@host:1/0"],
            "settings: redis redis://me:***@host:1/0 (on the command line), workers 5 (on the command line); "
            "all others by default",
        ),
    ],
)
def test_the_line_in_the_log(options: list[str], expected: str) -> None:
    """It has only the settings that are not the defaults, and no password."""
    lines: list[str] = []

    @click.command()
    @server_options
    @click.pass_context
    def log(ctx: click.Context, /, **_values: object) -> None:
        lines.append(settings_line(ctx))

    assert 0 == CliRunner().invoke(log, options).exit_code
    assert [expected] == lines


def test_a_file_that_the_environment_names(file: Path) -> None:
    """SEGUE_CONFIG names the file as --config does."""
    file.write_text("workers = 3\n")
    ended = CliRunner().invoke(show, env={"SEGUE_CONFIG": str(file)})
    assert f"workers | 3 | in {file}" in ended.output


def test_sections(file: Path) -> None:
    """The section of the server takes precedence over the top of the file; those of other programs are not read."""
    text = 'data = "/top"\nredis = "redis://top"\n[server]\ndata = "/own"\n[indexer]\njobs = 2\ndata = "/other"\n'
    lines = dict(line.split(" | ", 1) for line in run(file, text).output.splitlines())
    assert f"/own | in {file}" == lines["data"]
    assert f"redis://top | in {file}" == lines["redis"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker = 3", "has an unknown name, worker. Did you mean workers?"),
        (
            "x = 3",
            "has an unknown name, x. Only data, redis, model, engine are for all programs; write the settings of one",
        ),
        ("[server]\nworker = 3", "has an unknown name in its section server, worker. Did you mean workers?"),
        ("[servers]\nworkers = 3", "has an unknown section, servers. Did you mean server?"),
        ("[zebra]", "has an unknown section, zebra. The sections are server, indexer, client."),
        ("server = 3", "has an unknown name, server."),
        ("workers = 0", "'0' is not a whole number from 1 to 256"),
        ("workers = 2.5", "'2.5' is not a whole number from 1 to 256"),
        ('grace = "long"', "'long' is not a number from 0 to 3,600"),
        ("workers = true", "workers in {file} is bool True; use one text or number"),
        ("listen = [1]", "listen in {file} is list [1]; use one text or number"),
        ('listen = "nowhere"', "'nowhere' is not an address; write HOST:PORT"),
        ('redis = ["redis://:secret@host"]', "redis in {file} is list ['redis://:***@host']"),
        ("grace = nan", "'nan' is not a number from 0 to 3,600"),
        ("queue-seconds = -inf", "'-inf' is not a number from 1 to 1,000,000"),
        ('listen = "unix:"', "'unix:' is not an address"),
        ('metrics-listen = ".example.com:80"', "'.example.com:80' is not an address"),
        ('metrics-listen = "host:٣"', "'host:٣' is not an address"),
        ("workers = ", "{file} is not TOML"),
        ("workers = " + 5_000 * "[", "{file} is not TOML"),
        ("workers = 1\nworkers = 2", "{file} is not TOML"),
    ],
)
def test_invalid_files(file: Path, text: str, message: str) -> None:
    """The error for a wrong key or value names the file, the key, and what is accepted."""
    ended = run(file, text)
    assert 2 == ended.exit_code
    assert str(file) in ended.output
    assert message.replace("{file}", str(file)) in ended.output


def test_a_missing_file(tmp_path: Path) -> None:
    """The error for a missing file names it."""
    ended = CliRunner().invoke(show, ["--config", str(tmp_path / "none.toml")])
    assert 2 == ended.exit_code
    assert f"{tmp_path / 'none.toml'} cannot be read" in ended.output


def test_an_invalid_value_in_the_environment() -> None:
    """The error for a wrong value in the environment names the variable and the range."""
    ended = CliRunner().invoke(show, env={"SEGUE_WORKERS": "0"})
    assert "workers from SEGUE_WORKERS: '0' is not a whole number from 1 to 256" in ended.output


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:secret@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://user:secret@host/0", "rediss://user:***@host/0"),
        ("redis://user:se:cr@et@host/0", "redis://user:***@host/0"),
        ("redis://:sec/ret@host/0", "redis://:***@host/0"),
        ("unix://user:secret@/run/redis.sock?db=1", "unix://user:***@/run/redis.sock?db=1"),
        ("redis://host?db=1&password=secret&x=1", "redis://host?db=1&password=***&x=1"),
        ("redis+sentinel://a:1,b:2/n?sentinel_password=secret", "redis+sentinel://a:1,b:2/n?sentinel_password=***"),
    ],
)
def test_passwords_are_masked(text: str, masked: str) -> None:
    """The password of a URL is never shown."""
    assert masked == mask_passwords(text)


@pytest.mark.parametrize(
    ("options", "environment", "warns"),
    [
        (["--redis", "redis://:secret@host"], {}, True),
        (["--redis", "redis://host?password=secret"], {}, True),
        (["--redis", "redis://host"], {}, False),
        ([], {"SEGUE_REDIS": "redis://:secret@host"}, False),
    ],
)
def test_a_password_on_the_command_line(options: list[str], environment: dict[str, str], warns: bool) -> None:
    """Server and indexer warn of a password that other users can see, and do not repeat it."""
    for command in (show, show_indexer):
        ended = CliRunner().invoke(command, options, env=environment)
        assert warns == ("other users of this machine can see the password of Redis" in ended.stderr)
        assert "secret" not in ended.output


def test_a_password_in_the_file(file: Path) -> None:
    """A password in the file of settings causes no warning."""
    assert "" == run(file, 'redis = "redis://:secret@host"').stderr


def test_up_hides_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`segue-server up` gives the indexer the URL of Redis in the environment, not on its command line."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/arguments; echo "$SEGUE_REDIS" >{tmp_path}/redis\n')
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    settings = ["--listen", "127.0.0.1:0", "--data", str(tmp_path / "data")]

    @click.command()
    @server_options
    def prepare_only(**values: object) -> None:
        prepare([tmp_path], make_settings(values), None)

    ended = CliRunner().invoke(prepare_only, settings, env={"SEGUE_REDIS": "redis://:secret@host"})
    assert 0 == ended.exit_code
    assert "redis://:secret@host" == (tmp_path / "redis").read_text().strip()
    assert "secret" not in (tmp_path / "arguments").read_text()


def test_one_address_for_health_and_calls() -> None:
    """Health cannot have the address of all calls: gRPC would replace the socket of one by that of the other."""

    @click.command()
    @server_options
    def make_only(**values: object) -> None:
        make_settings(values)

    ended = CliRunner().invoke(make_only, ["--listen", "unix:/run/segue", "--health-listen", "unix:/run/segue"])
    assert (2, True) == (ended.exit_code, "are both unix:/run/segue. Name two addresses" in ended.output)
    free = CliRunner().invoke(make_only, ["--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0"])
    assert 0 == free.exit_code
