"""The checks of segue-server doctor, with and without problems."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis import Redis

from segue.core.audio.decoders.confinement import confinement
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.private.server import open_private_redis
from segue.server.cli.main import main
from segue.server.preflight.check_result import CheckResult
from segue.server.preflight.machine import check_decoders
from segue.server.security.tokens import new_token
from tests.helpers.clips import Fill
from tests.helpers.server.certificates import CertificateFiles, issue
from tests.helpers.server.servers import RunningServer, run_doctor

FREE = ("--listen", "127.0.0.1:0")


def levels(results: dict[str, CheckResult], *subjects: str) -> tuple[str, ...]:
    """The levels of some results."""
    return tuple(results[subject].level for subject in subjects)


def test_no_problem(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """With a model, its catalogue, a free port, a certificate and a token, no check fails."""
    fill(tmp_path / "data", clips[:2])
    certificate, key = issue_for(tmp_path, days=100)
    (tmp_path / "tokens").write_text(new_token("player", ["read"])[1].line)
    code, results = run_doctor(
        *("--data", tmp_path / "data", "--model", tiny_model, "--tokens", tmp_path / "tokens", *FREE),
        *("--tls-certificate", certificate, "--tls-key", key, "--metrics-listen", "127.0.0.1:0"),
    )
    assert 0 == code
    assert [] == [result for result in results.values() if result.level == "fail"]
    assert {"ok"} == set(levels(results, "model", "data folder", "spool", "redis", "persistence", "catalogue", "port"))
    assert {"ok"} == set(levels(results, "metrics port", "certificate", "tokens"))
    assert "2 tracks" in results["catalogue"].text
    assert "player" in results["tokens"].text


def test_many_problems(tmp_path: Path) -> None:
    """Each problem that would keep the server from starting fails a check, and the exit code is 1."""
    (tmp_path / "file").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, results = run_doctor(
            *("--data", tmp_path / "file" / "below", "--model", tmp_path, "--listen", address),
            *("--metrics-listen", address, "--tokens", tmp_path / "none", "--tls-key", tmp_path / "file"),
            *("--spool", tmp_path / "none"),
        )
    assert 1 == code
    failed = ("model", "data folder", "redis", "port", "metrics port", "certificate", "tokens", "spool")
    assert {"fail"} == set(levels(results, *failed))
    assert address in results["port"].text
    assert [] == [subject for subject in failed if not (results[subject].advice or "." in results[subject].text)]


@pytest.mark.parametrize(("days", "level"), [(-3, "fail"), (5, "warn"), (15, "ok")])
def test_the_end_of_a_certificate(tmp_path: Path, tiny_model: Path, days: int, level: str) -> None:
    """A certificate that expires within a fortnight is a warning, and an expired one fails, also a balancer's."""
    certificate, key = issue_for(tmp_path, days)
    options = ("--data", tmp_path / "data", "--model", tiny_model, *FREE)
    _, own = run_doctor(*options, "--tls-certificate", certificate, "--tls-key", key)
    assert level == own["certificate"].level
    _, balancer = run_doctor(*options, "--balancer-certificate", certificate)
    assert level == balancer["certificate"].level


def test_a_catalogue_of_another_model(tmp_path: Path, tiny_model: Path) -> None:
    """A catalogue of another model fails the check, which names both models."""
    with open_store(tmp_path) as store, store.writer("other-12345678", "f" * 16, 8):
        pass
    code, results = run_doctor("--data", tmp_path, "--model", tiny_model, *FREE)
    assert (1, "fail") == (code, results["catalogue"].level)
    assert "other-12345678" in results["catalogue"].text


@pytest.fixture
def named_redis(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis that an operator has set up."""
    with open_private_redis(tmp_path / "redis") as local:
        yield local.url


@pytest.mark.parametrize(
    ("appendonly", "save", "level", "text"),
    [
        ("yes", "", "ok", "every change"),
        ("no", "900 1", "warn", "since its last dump"),
        ("no", "", "warn", "when it stops"),
    ],
)
def test_persistence(
    tmp_path: Path, tiny_model: Path, named_redis: str, appendonly: str, save: str, level: str, text: str
) -> None:
    """A Redis that may lose the catalogue is a warning."""
    with Redis.from_url(named_redis) as client:
        client.config_set("appendonly", appendonly)
        client.config_set("save", save)
    code, results = run_doctor("--data", tmp_path / "data", "--redis", named_redis, "--model", tiny_model, *FREE)
    assert (0, "ok") == (code, results["data folder"].level)
    assert (level, True) == (results["persistence"].level, text in results["persistence"].text)


@pytest.mark.parametrize(
    ("policy", "memory", "level", "text"),
    [
        ("noeviction", "100mb", "ok", "no keys"),
        ("allkeys-lru", "100mb", "warn", "when its memory reaches 100 MiB (maxmemory-policy allkeys-lru)"),
        ("volatile-ttl", "0", "warn", "as soon as it gets a limit"),
    ],
)
def test_eviction(
    tmp_path: Path, tiny_model: Path, named_redis: str, policy: str, memory: str, level: str, text: str
) -> None:
    """A Redis that deletes keys when it is full is a warning, also to a user who may not read its settings."""
    with Redis.from_url(named_redis) as client:
        client.config_set("maxmemory", memory)
        client.config_set("maxmemory-policy", policy)
        client.execute_command("ACL", "SETUSER", "managed", "on", ">secret", "~*", "&*", "+@all", "-config")
    url = f"{named_redis}?username=managed&password=secret"
    _, results = run_doctor("--data", tmp_path / "data", "--redis", url, "--model", tiny_model, *FREE)
    assert (level, True) == (results["eviction"].level, text in results["eviction"].text)
    assert "secret" not in str(results)


def test_a_port_of_a_healthy_server(server: RunningServer, data: Path, tiny_model: Path) -> None:
    """A port at which a healthy server answers is a warning, and no failure."""
    code, results = run_doctor("--data", data, "--model", tiny_model, "--listen", server.address)
    assert (0, "warn") == (code, results["port"].level)
    assert "a healthy server answers" in results["port"].text


@pytest.mark.parametrize(("server_runs", "level"), [(True, "warn"), (False, "fail")])
def test_a_metrics_port_in_use(
    server: RunningServer, data: Path, tiny_model: Path, server_runs: bool, level: str
) -> None:
    """It is a warning while the server runs, which probably uses it; a second server could not start."""
    listen = ["--listen", server.address] if server_runs else FREE
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        metrics = f"127.0.0.1:{occupied.getsockname()[1]}"
        options = ["--data", data, "--model", tiny_model, *listen, "--metrics-listen", metrics]
        code, results = run_doctor(*options)
    assert (int(level == "fail"), level) == (code, results["metrics port"].level)


@pytest.mark.parametrize(("path", "level"), [("s", "ok"), ("none/s", "fail"), ("s" * 108, "fail")])
def test_a_socket(tmp_path: Path, tiny_model: Path, path: str, level: str) -> None:
    """A Unix socket that cannot be opened fails the check, which leaves no file behind."""
    address = f"unix:{tmp_path / path}"
    code, results = run_doctor("--data", tmp_path / "data", "--model", tiny_model, "--listen", address)
    assert (int(level == "fail"), level) == (code, results["port"].level)
    assert address in results["port"].text
    assert [tmp_path / "data"] == list(tmp_path.iterdir())


def test_text(tmp_path: Path) -> None:
    """Without --json each result is a line, with the advice below it."""
    ended = CliRunner().invoke(main, ["doctor", "--data", str(tmp_path), "--model", str(tmp_path), *FREE])
    lines = ended.stdout.splitlines()
    (model,) = [number for number, line in enumerate(lines) if line.startswith("fail  model: ")]
    assert lines[model + 1].startswith("      -> ")


def issue_for(folder: Path, days: int) -> CertificateFiles:
    """A certificate that expires in some days, and its key."""
    return issue(folder, "server", "localhost", end=datetime.now(UTC) + timedelta(days=days, hours=1))


def test_the_confinement_of_decoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Doctor says whether ffmpeg runs without network and files, and why not; that is no reason to warn."""
    for name in ("ffmpeg", "bwrap"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho 'Creating new namespace failed' >&2\nexit 1\n", encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    result = list(check_decoders())[1]
    text = "ffmpeg runs without network and files: no, because Creating new namespace failed"
    assert CheckResult("confinement", "ok", text) == result

    (tmp_path / "bwrap").write_text("#!/bin/sh\n", encoding="utf-8")
    confinement.cache_clear()
    assert f"ffmpeg runs without network and files: yes, by {tmp_path}/bwrap" == list(check_decoders())[1].text
    confinement.cache_clear()
