"""What segue-server doctor finds, where all is well and where it is not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from redis import Redis

from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.private_server import open_private_redis
from segue.server.cli.main import main
from segue.server.preflight.check_result import CheckResult
from segue.server.security.tokens import new_token
from tests.helpers.clips import Fill
from tests.helpers.servers import RunningServer

FREE = ("--listen", "127.0.0.1:0")


def doctor(*options: object) -> tuple[int, dict[str, CheckResult]]:
    """The exit code, and what was found by what was looked at."""
    ended = CliRunner().invoke(main, ["doctor", "--json", *map(str, options)])
    found = [CheckResult(**finding) for finding in json.loads(ended.stdout)["checks"]]
    return ended.exit_code, {finding.what: finding for finding in found}


def levels(found: dict[str, CheckResult], *names: str) -> tuple[str, ...]:
    """How bad some of them are."""
    return tuple(found[name].level for name in names)


def test_all_is_well(tmp_path: Path, tiny_model: Path, fill: Fill, clips: list[Path]) -> None:
    """With a model, a catalogue of it, a free port, a certificate and a token nothing is found wrong."""
    fill(tmp_path / "data", clips[:2])
    certificate, key = issue(tmp_path, days=100)
    (tmp_path / "tokens").write_text(new_token("player", ["read"])[1].line)
    code, found = doctor(
        *("--data", tmp_path / "data", "--model", tiny_model, "--tokens", tmp_path / "tokens", *FREE),
        *("--tls-certificate", certificate, "--tls-key", key, "--metrics-listen", "127.0.0.1:0"),
    )
    assert 0 == code
    assert [] == [finding for finding in found.values() if finding.level == "fail"]
    assert {"ok"} == set(levels(found, "model", "data folder", "redis", "persistence", "catalogue", "port"))
    assert {"ok"} == set(levels(found, "metrics port", "certificate", "tokens"))
    assert "2 tracks" in found["catalogue"].text
    assert "player" in found["tokens"].text


def test_nothing_is_well(tmp_path: Path) -> None:
    """Each thing that would keep a server from starting is named, and the exit code is 1."""
    (tmp_path / "file").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, found = doctor(
            *("--data", tmp_path / "file" / "below", "--model", tmp_path, "--listen", address),
            *("--metrics-listen", address, "--tokens", tmp_path / "none", "--tls-key", tmp_path / "file"),
        )
    assert 1 == code
    failed = ("model", "data folder", "redis", "port", "metrics port", "certificate", "tokens")
    assert {"fail"} == set(levels(found, *failed))
    assert address in found["port"].text
    assert [] == [name for name in failed if not (found[name].advice or "." in found[name].text)]


@pytest.mark.parametrize(("days", "level"), [(-3, "fail"), (5, "warn"), (15, "ok")])
def test_a_certificate_that_ends(tmp_path: Path, tiny_model: Path, days: int, level: str) -> None:
    """One that ends within a fortnight is warned of, and one that has ended fails, be it its own or a balancer's."""
    certificate, key = issue(tmp_path, days)
    _, found = doctor(
        *("--data", tmp_path / "data", "--model", tiny_model, "--tls-certificate", certificate, "--tls-key", key, *FREE)
    )
    assert level == found["certificate"].level
    _, before = doctor(
        *("--data", tmp_path / "data", "--model", tiny_model, "--balancer-certificate", certificate, *FREE)
    )
    assert level == before["certificate"].level


def test_a_catalogue_of_another_model(tmp_path: Path, tiny_model: Path) -> None:
    """A catalogue that another model made fails with both names."""
    with open_store(tmp_path) as store, store.writer("other-12345678", "f" * 16, 8):
        pass
    code, found = doctor("--data", tmp_path, "--model", tiny_model, *FREE)
    assert (1, "fail") == (code, found["catalogue"].level)
    assert "other-12345678" in found["catalogue"].text


@pytest.fixture
def named_redis(tmp_path: Path) -> Iterator[str]:
    """A Redis that somebody set up, as a URL."""
    with open_private_redis(tmp_path / "redis") as local:
        yield local.url


@pytest.mark.parametrize(
    ("appendonly", "save", "level", "said"),
    [("yes", "", "ok", "every change"), ("no", "900 1", "warn", "now and then"), ("no", "", "warn", "nothing on disk")],
)
def test_what_a_redis_keeps(
    tmp_path: Path, tiny_model: Path, named_redis: str, appendonly: str, save: str, level: str, said: str
) -> None:
    """A Redis that would lose the catalogue is warned of, with what to set."""
    with Redis.from_url(named_redis) as client:
        client.config_set("appendonly", appendonly)
        client.config_set("save", save)
    code, found = doctor("--data", tmp_path / "data", "--redis", named_redis, "--model", tiny_model, *FREE)
    assert (0, "ok") == (code, found["data folder"].level)
    assert (level, True) == (found["persistence"].level, said in found["persistence"].text)


def test_beside_a_server_that_runs(server: RunningServer, data: Path, tiny_model: Path) -> None:
    """A port on which a server is well already is no failure."""
    code, found = doctor("--data", data, "--model", tiny_model, "--listen", server.address)
    assert (0, "warn") == (code, found["port"].level)
    assert "answers at" in found["port"].text


@pytest.mark.parametrize(("path", "level"), [("s", "ok"), ("none/s", "fail"), ("s" * 108, "fail")])
def test_a_socket(tmp_path: Path, tiny_model: Path, path: str, level: str) -> None:
    """A socket that cannot be opened fails, and looking leaves nothing behind."""
    address = f"unix:{tmp_path / path}"
    code, found = doctor("--data", tmp_path / "data", "--model", tiny_model, "--listen", address)
    assert (int(level == "fail"), level) == (code, found["port"].level)
    assert address in found["port"].text
    assert [tmp_path / "data"] == list(tmp_path.iterdir())


def test_for_people(tmp_path: Path) -> None:
    """Without --json each finding is a line, with what to do below it."""
    ended = CliRunner().invoke(main, ["doctor", "--data", str(tmp_path), "--model", str(tmp_path), *FREE])
    lines = ended.stdout.splitlines()
    (model,) = [number for number, line in enumerate(lines) if line.startswith("fail  model: ")]
    assert lines[model + 1].startswith("      -> ")


def issue(folder: Path, days: int) -> tuple[Path, Path]:
    """A certificate that ends in some days, and its key."""
    ends = datetime.now(UTC) + timedelta(days=days, hours=1)
    made = trustme.CA().issue_cert("localhost", not_after=ends)
    certificate, key = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(b"".join(pem.bytes() for pem in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    return certificate, key
