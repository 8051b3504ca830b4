"""The options of `segue`, each declared once."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial, reduce
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from segue.client._client import Client
from segue.client._endpoint import DEFAULT_ADDRESS, DEFAULT_TIMEOUT
from segue.client.cli.output import JsonOutput, Output, TableOutput
from segue.client.credentials import Credentials
from segue.core.settings.file import find_settings_file, read_settings
from segue.core.settings.visible_secrets import warn_of_visible_secret

# The options that the file of settings may have, each with True if it is true or false.
_SETTINGS = {
    **dict.fromkeys(("address", "timeout", "tls-ca", "tls-certificate", "tls-key", "token", "token-file"), False),
    **dict.fromkeys(("no-wait", "tls"), True),
}

# Where a value may come from, from weak to strong.
_SETTINGS_FILE = ParameterSource.DEFAULT_MAP
_PRECEDENCE = {_SETTINGS_FILE: 0, ParameterSource.ENVIRONMENT: 1, ParameterSource.COMMANDLINE: 2}

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass
class SharedOptions:
    """The options that every command has, written before or after its name; see ``--help``."""

    address: str = DEFAULT_ADDRESS
    timeout: float = DEFAULT_TIMEOUT
    no_wait: bool = False
    json: bool = False
    tls: bool = False
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    token: str | None = None
    token_file: str | None = None
    config: str | None = None
    given: dict[str, ParameterSource] = field(default_factory=dict)

    def open_client(self) -> Client:
        """Creates the client, with settings from the file where neither an option nor the environment has them.

        Raises:
            click.UsageError: an option or a setting has a value that the client refuses.
        """
        self._read_file()
        try:
            token = self._read_token()
            credentials = Credentials(self.tls, self.tls_ca, self.tls_certificate, self.tls_key, token)
            return Client(self.address, timeout=self.timeout, wait_for_ready=not self.no_wait, credentials=credentials)
        except ValueError as error:
            raise click.UsageError(f"{error}.") from error

    def _read_token(self) -> str | None:
        """Returns the token: that of the command line, else of the environment, else of the file of settings.

        Raises:
            click.UsageError: one of them has both a token and a file, or the file of the token cannot be used.
        """
        source = self.given.get("token", _SETTINGS_FILE)
        file_source = self.given.get("token_file", _SETTINGS_FILE)
        if source is ParameterSource.COMMANDLINE:
            warn_of_visible_secret("token", "a file and use --token-file FILE, or use SEGUE_TOKEN")
        if self.token_file is None or (self.token and _PRECEDENCE[source] > _PRECEDENCE[file_source]):
            return self.token
        if self.token and source is file_source:
            raise click.UsageError("Give either a token or a file of the token.")
        return _token_in(Path(self.token_file))

    def _read_file(self) -> None:
        file = find_settings_file(Path(self.config) if self.config else None)
        for key, value in (read_settings(file, "client", _SETTINGS) if file else {}).items():
            name = key.replace("-", "_")
            if name in self.given:
                continue
            if name == "timeout" and not isinstance(value, int | float):
                raise click.UsageError(f"timeout in {file} is {value!r}; use a number of seconds.")
            setattr(self, name, value if isinstance(value, bool) or name == "timeout" else str(value))

    def make_output(self, details: Collection[str] = ()) -> Output:
        """Creates the output in the chosen format.

        Args:
            details: which of "timeline", "embedding", "tags" and "reasons" JSON contains.
        """
        return JsonOutput(details) if self.json else TableOutput()


def _store(ctx: click.Context, option: click.Parameter, value: Any) -> None:  # noqa: ANN401 - any option's value
    """Stores an option in the SharedOptions of the command line; an option that is not given changes nothing."""
    shared = ctx.ensure_object(SharedOptions)
    is_given = value is not None and value is not False and value != ""
    if option.name and ctx.parent and ctx.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT:
        return  # the group has read the environment, and an option before the command's name overrides it
    if option.name and is_given:
        setattr(shared, option.name, value)
        shared.given[option.name] = ctx.get_parameter_source(option.name) or ParameterSource.COMMANDLINE


def _token_in(file: Path) -> str:
    """Reads the token from a file that has nothing else.

    Raises:
        click.UsageError: the file cannot be read, or does not have one line of text.
    """
    try:
        lines = file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise click.UsageError(f"The file of the token, {file}, cannot be read: {reason}.") from error
    if len(lines) != 1:
        raise click.UsageError(f"{file} needs one line with the token and nothing else.")
    return lines[0]


_shared_option = partial(click.option, callback=_store, expose_value=False)
_SHARED = (
    _shared_option(
        "--config",
        envvar="SEGUE_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help="TOML file of settings, in its section [client].  [default: segue.toml here, in ~/.config/segue or in "
        "/etc/segue]",
    ),
    _shared_option(
        "--address",
        envvar="SEGUE_ADDRESS",
        show_envvar=True,
        metavar="HOST:PORT",
        help=f"Address of the server.  [default: {DEFAULT_ADDRESS}]",
    ),
    _shared_option(
        "--timeout",
        type=float,
        metavar="SECONDS",
        help=f"Time limit of one call, retries included.  [default: {DEFAULT_TIMEOUT:g}]",
    ),
    _shared_option("--no-wait", is_flag=True, help="Fail at once if the server is not there yet or is still starting."),
    _shared_option("--json", is_flag=True, help="Print one JSON document."),
    _shared_option("--tls", is_flag=True, help="Encrypt the connection."),
    _shared_option(
        "--tls-ca",
        envvar="SEGUE_TLS_CA",
        show_envvar=True,
        metavar="FILE",
        help="PEM file of the root certificates to trust; implies --tls.  [default: gRPC's roots]",
    ),
    _shared_option(
        "--tls-certificate",
        metavar="FILE",
        help="PEM file of your certificate, for a server that requires one; implies --tls.",
    ),
    _shared_option("--tls-key", metavar="FILE", help="PEM file of your certificate's key."),
    _shared_option(
        "--token",
        envvar="SEGUE_TOKEN",
        show_envvar=True,
        metavar="TOKEN",
        help="Your access token. Other users of the machine can see it here; --token-file and SEGUE_TOKEN are safer.",
    ),
    _shared_option(
        "--token-file",
        envvar="SEGUE_TOKEN_FILE",
        show_envvar=True,
        metavar="FILE",
        help="File with your access token, and nothing else.",
    ),
)

top_k = click.option("--top-k", type=int, metavar="N", help="Number of genres to print.  [default: 10]")
"""Declares ``top_k``."""

timeline = click.option(
    "--timeline", is_flag=True, help="Also print the genre of each window of 3 s that was analyzed."
)
"""Declares ``timeline``."""

tags = click.option(
    "--tags", is_flag=True, help="Also print the best tags that the model predicts, such as chillout or 80s."
)
"""Declares ``tags``."""

limit = click.option("--limit", type=int, metavar="N", help="Number of tracks to print, at most 100.  [default: 10]")
"""Declares ``limit``."""

offset = click.option(
    "--offset", type=int, metavar="N", help="Number of the most similar tracks to skip.  [default: 0]"
)
"""Declares ``offset``."""

embedding = click.option("--embedding", is_flag=True, help="With --json: also print the embedding.")
"""Declares ``embedding``."""

_PATH_FORMATS = (
    click.option(
        "--paths", "path_end", flag_value="\n", default=None, help="Print only the paths of the tracks, one per line."
    ),
    click.option(
        "--print0",
        "path_end",
        flag_value="\0",
        default=None,
        help="Print only the paths, each with a null byte at its end, as xargs -0 reads them.",
    ),
)


def requested_details(
    shared: SharedOptions,
    *,
    timeline: bool = False,
    embedding: bool = False,
    tags: bool = False,
    reasons: bool = False,
    moments: bool = False,
) -> list[str]:
    """Returns the fields of a response that are requested in addition to the usual ones.

    Raises:
        click.UsageError: the embedding is requested, and not JSON.
    """
    if embedding and not shared.json:
        raise click.UsageError("--embedding needs --json.")
    details = {"timeline": timeline, "embedding": embedding, "tags": tags, "reasons": reasons, "moments": moments}
    return [name for name, is_requested in details.items() if is_requested]


def check_path_format(shared: SharedOptions, path_end: str | None) -> None:
    """Checks that only one format is chosen.

    Raises:
        click.UsageError: the output would be paths and JSON.
    """
    if path_end and shared.json:
        raise click.UsageError("--json prints the paths, too: leave out --paths and --print0.")


def path_format(command: _Command) -> _Command:
    """Declares ``path_end``: the character after each path if only paths are printed, else None."""
    return reduce(lambda declared, option: option(declared), reversed(_PATH_FORMATS), command)


def shared_options(command: _Command) -> _Command:
    """Declares the fields of SharedOptions; the command finds them in its context."""
    return reduce(lambda declared, option: option(declared), reversed(_SHARED), command)
