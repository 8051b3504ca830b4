"""The `segue` command."""

import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from segue.client._audio import MAX_AUDIO_BYTES, AudioSource
from segue.client._client import Client
from segue.client._endpoint import DEFAULT_ADDRESS, DEFAULT_TIMEOUT
from segue.client.cli.output import Documents, Output, Tables
from segue.client.credentials import Credentials
from segue.client.errors import AudioUnreadableError, SegueError
from segue.v1.classification_service_pb2 import ClassifyResponse

_TRACK_ID = re.compile(r"[0-9a-f]{32}")
_INTERRUPTED = 130
_USUAL = ("scores", "quality_flags")
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass
class Settings:
    """What the options before or after a command's name have said."""

    address: str = DEFAULT_ADDRESS
    timeout: float = DEFAULT_TIMEOUT
    json: bool = False
    tls: bool = False
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    token: str | None = None

    def client(self) -> Client:
        """Makes the client, or says what is wrong with the options."""
        try:
            credentials = Credentials(self.tls, self.tls_ca, self.tls_certificate, self.tls_key, self.token)
            return Client(self.address, timeout=self.timeout, credentials=credentials)
        except ValueError as error:
            raise click.UsageError(f"{error}.") from error

    def output(self) -> Output:
        """Makes what answers are written to."""
        return Documents() if self.json else Tables()


class Commands(click.Group):
    """A group of commands in which a failure is one sentence and an exit code, never a traceback."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's own signature
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except SegueError as error:
            ctx.ensure_object(Settings).output().error(error)
            ctx.exit(1)
        except KeyboardInterrupt:
            ctx.exit(_INTERRUPTED)
        except BrokenPipeError:
            raise  # click ends quietly, since whoever read us has read enough
        except OSError as error:
            _give_up_stdout()
            raise click.ClickException(f"The answer cannot be written: {error.strerror or error}.") from error


def _keep(ctx: click.Context, option: click.Parameter, value: Any) -> None:  # noqa: ANN401  any option's value
    """Keeps an option in the settings that all of a command line shares; an option not given changes nothing."""
    settings = ctx.ensure_object(Settings)
    given = value is not None and value is not False and value != ""
    if option.name and ctx.parent and ctx.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT:
        return  # read before the command's name already, where an option that was written came before it
    if option.name and given:
        setattr(settings, option.name, value)


def _shared(command: _Command) -> _Command:
    """Adds the options that people write before a command's name as well as after it."""
    options = (
        click.option(
            "--address",
            envvar="SEGUE_ADDRESS",
            show_envvar=True,
            metavar="HOST:PORT",
            callback=_keep,
            expose_value=False,
            help=f"Where the server listens.  [default: {DEFAULT_ADDRESS}]",
        ),
        click.option(
            "--timeout",
            type=float,
            metavar="SECONDS",
            callback=_keep,
            expose_value=False,
            help=f"How long one call may take.  [default: {DEFAULT_TIMEOUT:g}]",
        ),
        click.option("--json", is_flag=True, callback=_keep, expose_value=False, help="Print one JSON document."),
        click.option("--tls", is_flag=True, callback=_keep, expose_value=False, help="Encrypt the connection."),
        click.option(
            "--tls-ca",
            envvar="SEGUE_TLS_CA",
            show_envvar=True,
            metavar="FILE",
            callback=_keep,
            expose_value=False,
            help="Roots that the server's certificate must come from, as PEM.  [default: the usual ones]",
        ),
        click.option(
            "--tls-certificate",
            metavar="FILE",
            callback=_keep,
            expose_value=False,
            help="Your own certificate, as PEM, for a server that asks for one.",
        ),
        click.option(
            "--tls-key", metavar="FILE", callback=_keep, expose_value=False, help="The key of your certificate, as PEM."
        ),
        click.option(
            "--token",
            envvar="SEGUE_TOKEN",
            show_envvar=True,
            metavar="TOKEN",
            callback=_keep,
            expose_value=False,
            help="What the server knows you by; better in the environment, where other users do not see it.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@_shared
@click.version_option(package_name="segue", prog_name="segue")
def main() -> None:
    """Ask a Segue server what genre music is and what to play next."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A title in a script that the terminal's encoding lacks is no reason to fail.
        sys.stdout.reconfigure(errors="replace")


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--top-k", type=int, metavar="N", help="How many genres to print.  [default: 10]")
@click.option("--timeline", is_flag=True, help="Print the genre of every 3 s that were heard, too.")
@_shared
@click.pass_context
def classify(ctx: click.Context, files: tuple[str, ...], top_k: int | None, timeline: bool) -> None:
    """Tell the genre of each FILE; - is standard input."""
    settings = ctx.ensure_object(Settings)
    output = settings.output()
    wanted = [*_USUAL, "timeline"] if timeline else None
    failed = False
    with settings.client() as client:
        for file in files:
            outcome = _classified(client, file, top_k, ["*"] if settings.json else wanted)
            failed |= isinstance(outcome, SegueError)
            output.classification(file, outcome)
    output.end()
    ctx.exit(1 if failed else 0)


@main.command()
@click.argument("seed", metavar="FILE|TRACK_ID")
@click.option("--limit", type=int, metavar="N", help="How many tracks to print.  [default: 10]")
@_shared
@click.pass_obj
def recommend(settings: Settings, seed: str, limit: int | None) -> None:
    """Find the tracks that sound nearest to FILE, or to a track of the catalogue; - is standard input."""
    with settings.client() as client:
        read_mask = ["*"] if settings.json else None
        settings.output().recommendations(client.recommend(_seed(seed), limit=limit, read_mask=read_mask))


@main.command()
@click.argument("track_id")
@_shared
@click.pass_obj
def track(settings: Settings, track_id: str) -> None:
    """Print what is known of one track of the catalogue."""
    with settings.client() as client:
        settings.output().track(client.get_track(track_id))


@main.command()
@_shared
@click.pass_obj
def tracks(settings: Settings) -> None:
    """List the tracks of the catalogue in the order of their ids."""
    with settings.client() as client:
        settings.output().tracks(client.list_tracks(page_size=1000))


@main.command()
@_shared
@click.pass_obj
def status(settings: Settings) -> None:
    """Print which model and which catalogue the server works with."""
    with settings.client() as client:
        settings.output().status(settings.address, client.status())


def _give_up_stdout() -> None:
    """Lets go of what could not be written, which Python would else try once more at its end, and complain."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _classified(
    client: Client, file: str, top_k: int | None, read_mask: Sequence[str] | None
) -> ClassifyResponse | SegueError:
    try:
        return client.classify(_audio(file), top_k=top_k, read_mask=read_mask)
    except SegueError as error:
        return error


def _audio(file: str) -> AudioSource:
    if file != "-":
        return Path(file)
    try:
        # One byte more than allowed is enough for the client to refuse it.
        return sys.stdin.buffer.read(MAX_AUDIO_BYTES + 1)
    except OSError as error:
        raise AudioUnreadableError(f"Standard input cannot be read: {error.strerror or error}.") from error


def _seed(text: str) -> AudioSource | str:
    if text == "-" or _exists(Path(text)):
        return _audio(text)
    if _TRACK_ID.fullmatch(text):
        return text
    raise AudioUnreadableError(
        f"{text} is neither a file that is there nor the id of a track, which is 32 lower-case hexadecimal digits."
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long to be a name, for one
        return False
