"""Calls through the balancer, as users of the containers make them."""

from __future__ import annotations

import json
import subprocess

from tests.e2e.containers.compose import Compose

CALL_WITHOUT_TLS = """
import urllib.request as u
try: u.urlopen("http://balancer:50051")
except u.HTTPError as error: print("failed:", error.code)
"""


def test_an_empty_catalogue_is_reported(answer_before_indexing: subprocess.CompletedProcess[str]) -> None:
    """While nothing is indexed, the error of a recommendation names the program that indexes."""
    assert "segue-indexer add" in answer_before_indexing.stderr


def test_a_clip_is_classified(indexed: Compose, clip: str) -> None:
    """With TLS and a token, the client prints the scores of the ten genres."""
    ended = indexed.client("--json", "classify", clip)
    assert 0 == ended.returncode, ended.stderr
    (result,) = json.loads(ended.stdout)["results"]
    assert 10 == len(result["scores"])


def test_tracks_are_recommended(indexed: Compose, clip: str) -> None:
    """With TLS and a token, the client prints as many tracks as it asked for."""
    ended = indexed.client("--json", "recommend", clip, "--limit", "5")
    assert 0 == ended.returncode, ended.stderr
    assert 5 == len(json.loads(ended.stdout)["recommendations"])


def test_a_call_without_a_token_is_refused(indexed: Compose) -> None:
    """The error of a call without a token names the token."""
    ended = indexed.run("run", "--rm", "-T", "--entrypoint", "segue", "client", "status")
    assert 0 != ended.returncode, ended.stdout
    assert "token" in ended.stderr


def test_a_call_without_tls_is_refused(indexed: Compose) -> None:
    """The balancer refuses plain text."""
    assert "failed: 400\n" == indexed.client_python(CALL_WITHOUT_TLS).stdout


def test_the_port_is_open_to_this_machine_only(indexed: Compose) -> None:
    """The balancer's port is on the loopback interface."""
    host, _, _ = indexed.output("port", "balancer", "50051").rpartition(":")
    assert "127.0.0.1" == host


def test_a_service_is_healthy(indexed: Compose) -> None:
    """The health check of one service ends with 0."""
    ended = health_check(indexed, "segue.v1.RecommendationService")
    assert 0 == ended.returncode, ended.stdout + ended.stderr


def test_the_health_of_an_unknown_service_is_an_error(indexed: Compose) -> None:
    """The health check of a service that does not exist reports NOT_FOUND."""
    ended = health_check(indexed, "no.such.Service")
    assert 0 != ended.returncode
    assert "NOT_FOUND" in ended.stdout + ended.stderr


def health_check(compose: Compose, service: str) -> subprocess.CompletedProcess[str]:
    """Checks the health of a service in a server's container."""
    return compose.execute("server", "python3", "-m", "segue.server.healthcheck", service)
