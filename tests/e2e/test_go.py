"""The example of a client in Go, used as its page describes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from tests.e2e.conftest import run
from tests.helpers.machine import go_tools
from tests.helpers.machine.commands import output_of
from tests.helpers.server.certificates import issue
from tests.helpers.server.servers import running_server

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "clients" / "examples"
ENVIRONMENT = {
    **go_tools.ENVIRONMENT,
    "PATH": f"{go_tools.TOOLS}:{os.environ['PATH']}",
    "GOFLAGS": "-mod=readonly",
    "PROTOC": f"{sys.executable} -m grpc_tools.protoc",
}

# Any text: the example makes no call with it.
PLAYER = "player"


def in_shell(command: str, folder: Path, **environment: str) -> str:
    """Runs a command line with Go's tools on the PATH and returns what it printed; fails unless its exit code is 0."""
    return output_of("bash", "-euc", command, folder=folder, environment=ENVIRONMENT | environment)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its generated code."""
    if shutil.which("go") is None:
        pytest.skip("Go is not on the PATH")
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not in this environment: scripts/test has it")
    folder = tmp_path_factory.mktemp("go") / "example"
    shutil.copytree(EXAMPLES / "go", folder)
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"^go install .*$", page, re.MULTILINE):
        try:
            in_shell(line, folder)
        except AssertionError as error:
            pytest.skip(f"Go cannot install the generators: {str(error)[-200:]}")
    in_shell(f"./generate '{ROOT / 'proto'}'", folder)
    return folder


def test_a_clip_is_classified(example: Path, server: str, clips: list[Path]) -> None:
    """The example prints the ten genres of a clip, the most probable first."""
    printed = in_shell(f"go run . -address {server} classify '{clips[0]}'", example)
    lines = [line.split("\t") for line in printed.splitlines()]
    scores = [float(score) for _, score in lines]
    assert 10 == len(lines)
    assert sorted(scores, reverse=True) == scores


def test_an_error_is_printed(example: Path, server: str, tmp_path: Path) -> None:
    """The example prints the reason and the message of an error."""
    (tmp_path / "text.mp3").write_text("This is not music. " * 100)
    with pytest.raises(AssertionError, match=r"AUDIO_UNDECODABLE: .*not audio that can be decoded"):
        in_shell(f"go run . -address {server} classify '{tmp_path / 'text.mp3'}'", example)


class Secured(NamedTuple):
    """A server with TLS and tokens.

    Attributes:
        options: the options of the example that name the server and its root certificate.
        token: a token for classification and recommendation.
    """

    options: str
    token: str


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, clips: list[Path]) -> Iterator[Secured]:
    """A server with TLS, tokens, and three clips in its catalogue."""
    folder = tmp_path_factory.mktemp("secured")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    files = issue(folder, "server", "127.0.0.1", ca=ca)
    run("segue-indexer", "add", "--data", folder / "data", *clips[:3])
    made = run("segue-server", "token", "new", "--scope", "classify", "--scope", "recommend", "--name", "go")
    (folder / "tokens.toml").write_text(hashed(made.strip()))
    tls = ("--tls-certificate", str(files.certificate), "--tls-key", str(files.key))
    with running_server("--data", str(folder / "data"), *tls, "--tokens", str(folder / "tokens.toml")) as server:
        yield Secured(f"-address {server.address} -tls-ca '{folder / 'ca.pem'}'", made.strip())


def hashed(token: str) -> str:
    """Returns the line of a token for the file that --tokens names."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f'go = {{ sha256 = "{digest}", scopes = ["classify", "recommend"] }}\n'


def test_tracks_are_recommended(example: Path, secured: Secured, clips: list[Path]) -> None:
    """With TLS and a token, the example prints the other tracks of the catalogue, the most similar first."""
    command = f"go run . {secured.options} recommend '{clips[0]}'"
    lines = [line.split("\t") for line in in_shell(command, example, SEGUE_TOKEN=secured.token).splitlines()]
    similarities = [float(similarity) for similarity, _, _ in lines]
    assert 2 == len(lines)
    assert sorted(similarities, reverse=True) == similarities


def test_an_unknown_track_is_reported(example: Path, secured: Secured) -> None:
    """A name without a file is a track id; the error of an unknown one has its reason and the request id."""
    with pytest.raises(AssertionError, match=r"TRACK_NOT_FOUND: [^\n]+\nrequest id: \S+"):
        in_shell(f"go run . {secured.options} recommend {'0' * 32}", example, SEGUE_TOKEN=secured.token)


def test_a_call_without_a_token_is_refused(example: Path, secured: Secured) -> None:
    """The reason of the error says that the token is missing."""
    with pytest.raises(AssertionError, match="TOKEN_MISSING: "):
        in_shell(f"go run . {secured.options} recommend {'0' * 32}", example)


def test_a_token_is_not_sent_in_plain_text(example: Path, server: str, clips: list[Path]) -> None:
    """Without TLS the example makes no call with a token."""
    with pytest.raises(AssertionError, match="transport"):
        in_shell(f"go run . -address {server} classify '{clips[0]}'", example, SEGUE_TOKEN=PLAYER)
