"""Writes of a server while other programs write, and when it or its Redis dies."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Timer
from time import sleep

import grpc
import pytest

from segue.client import CatalogueMismatchError, Client, Credentials, TokenScopeError, track_item
from segue.core.model.artifact import read_manifest
from segue.core.redis_catalogue.open import open_store
from segue.server.security.tokens import new_token
from segue.server.writing.writes import PATIENCE_SECONDS
from segue.v1.catalog_service_pb2 import (
    UPSERT_CHANGE_ADDED,
    UPSERT_CHANGE_UNCHANGED,
)
from tests.helpers.indexer import run
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs
from tests.integration.server.writes.items import changes, clip, upserted, vector

MANY = 2_000


@contextmanager
def locked(options: tuple[str, ...], tiny_model: Path) -> Iterator[None]:
    """Holds the lock of the catalogue for the duration of the block."""
    with open_store(Path(options[1])) as store, store.writer(*read_manifest(tiny_model).key):
        yield


def test_another_writer(stubs: Stubs, options: tuple[str, ...], tiny_model: Path) -> None:
    """A write waits for it; one that takes too long fails with the time after which to send it again."""
    released = Event()
    with locked(options, tiny_model):
        item = clip("a")
        responses = stubs.upsert_tracks([item])
        timer = Timer(PATIENCE_SECONDS + 30, released.set)
        timer.start()
        (response,) = list(responses)
        timer.cancel()
        assert ("UNAVAILABLE", False) == (grpc.StatusCode.UNAVAILABLE.name, released.is_set())
        assert grpc.StatusCode.UNAVAILABLE.value[0] == response.status.code
        assert "CATALOGUE_LOCKED" in str(response.status.details[0])
        assert "RetryInfo" in response.status.details[1].type_url
    assert [UPSERT_CHANGE_ADDED] == changes(upserted(stubs, item).values())


def test_the_indexer_at_the_same_time(
    stubs: Stubs, options: tuple[str, ...], tmp_path: Path, clips: list[Path]
) -> None:
    """Both write all they have, one after the other."""
    music = tmp_path / "music"
    music.mkdir()
    for source in clips[:3]:
        (music / source.name).write_bytes(source.read_bytes())
    upserted(stubs, vector("v0", stubs, 0))
    responses = stubs.upsert_tracks([vector(f"v{number}", stubs, number) for number in range(1_000)])
    ended = run("add", music, *options[:4])
    assert 0 == ended.exit_code, ended.output
    assert 1_000 == len(changes(responses))
    wait_until(lambda: 1_003 == stubs.status().track_count)


def test_many_items_twice(stubs: Stubs) -> None:
    """The second time changes nothing, and decodes and writes nothing."""
    items = [vector(f"v{number}", stubs, number, title=f"T{number}") for number in range(MANY)]
    assert [UPSERT_CHANGE_ADDED] * MANY == changes(stubs.upsert_tracks(items, timeout=600))
    before = stubs.status().revision.catalogue_revision
    wait_until(lambda: MANY == stubs.status().track_count)
    assert [UPSERT_CHANGE_UNCHANGED] * MANY == changes(stubs.upsert_tracks(items, timeout=600))
    assert before <= MANY == stubs.status().revision.catalogue_revision


def test_a_killed_server(server: RunningServer, options: tuple[str, ...]) -> None:
    """All that it answered is there, nothing is there twice, and all items can be sent again."""
    stubs = Stubs(server.address)
    items = [vector(f"v{number}", stubs, number) for number in range(500)]
    answered: list[str] = []
    with suppress(grpc.RpcError):
        for response in stubs.upsert_tracks(items):
            answered.append(response.response.track_id)
            if len(answered) == 100:
                server.process.send_signal(signal.SIGKILL)
    assert 100 <= len(answered) < 500
    with running_server(*options) as running:
        again = Stubs(running.address)
        assert [] == [*again.batch_get_tracks(answered).missing_track_ids]
        assert 500 == len(changes(again.upsert_tracks(items)))
        wait_until(lambda: 500 == again.status().track_count)
        assert [0, 0] == [run(command, *options[:2]).exit_code for command in ("rebuild", "verify")]


def test_two_servers(stubs: Stubs, options: tuple[str, ...]) -> None:
    """Both write the same items, and the catalogue has each once."""
    with running_server(*options) as running:
        other = Stubs(running.address)
        items = [vector(f"v{number}", stubs, number) for number in range(300)]
        both = [each.upsert_tracks(items) for each in (stubs, other)]
        outcomes = [sorted(changes(responses)) for responses in both]
        assert 300 == sum(each.count(UPSERT_CHANGE_ADDED) for each in outcomes)
        wait_until(lambda: (300, 300) == (stubs.status().track_count, other.status().track_count))


@pytest.mark.parametrize("scopes", [["read"], ["write"]])
def test_scopes(options: tuple[str, ...], tmp_path: Path, scopes: list[str]) -> None:
    """A token without the scope write may not write, is refused by name and logged; one with it alone may not read."""
    token, grant = new_token("owner", scopes)
    (tmp_path / "tokens.toml").write_text(grant.line)
    with running_server(*options, "--tokens", str(tmp_path / "tokens.toml")) as running:
        client = Client(running.address, credentials=Credentials(token=token))
        calls: dict[str, Callable[[], object]] = {
            "read": client.status,
            "write": lambda: list(client.upsert_tracks([track_item("")])),
        }
        for scope, call in calls.items():
            if scope in scopes:
                call()
                continue
            with pytest.raises(TokenScopeError, match=f"Token owner lacks the scope {scope}"):
                call()
        client.close()
        assert running.process.stderr is not None
        logged = running.process.stderr.readline()
    assert "TOKEN_SCOPE" in logged
    assert token not in logged


def test_another_model(stubs: Stubs, options: tuple[str, ...], tiny_model: Path) -> None:
    """Its audio is not kept, so ``reindex`` refuses to lose it; a file with the same audio does not take its id."""
    upserted(stubs, clip("a"))
    ended = run("reindex", "--model", tiny_model, *options[:2])
    assert (1, True) == (ended.exit_code, "would lose 1 upload, whose audio was sent to a server" in ended.stderr), (
        ended.stderr
    )
    assert "staging" not in run("status", *options[:2]).output
    music = Path(options[1]) / "music"
    music.mkdir()
    (music / "same.wav").write_bytes(clip("a").audio.content)
    ended = run("add", music, *options[:4])
    assert 0 == ended.exit_code, ended.output
    assert "a" == stubs.get_track("external:a").track.external_id
    assert [] == [*stubs.delete_tracks("external:a").missing_track_ids]
    wait_until(lambda: 1 == stubs.status().track_count)


def test_a_server_with_another_model(tmp_path: Path, tiny_model: Path) -> None:
    """It writes nothing, and callers learn both models but not where the catalogue is."""
    data = tmp_path / "data"
    with open_store(data) as store, store.writer("other", "front-end", 3):
        pass
    with running_server("--data", str(data), "--model", str(tiny_model), "--allow-writes") as running:
        with pytest.raises(CatalogueMismatchError, match="was built by the model other") as raised:
            Client(running.address).delete_tracks(["a"])
        assert str(data) not in str(raised.value)


def test_a_restore_waits(stubs: Stubs, options: tuple[str, ...], tiny_model: Path, tmp_path: Path) -> None:
    """A backup replaces a catalogue that a server writes at that moment, and the server writes the restored one."""
    upserted(stubs, vector("v0", stubs, 0))
    backup = tmp_path / "backup"
    assert 0 == run("backup", backup, *options[:2]).exit_code
    upserted(stubs, vector("v1", stubs, 1))
    with ExitStack() as lock:
        lock.enter_context(locked(options, tiny_model))
        Timer(2, lock.close).start()
        ended = run("restore", backup, "--replace", *options[:2])
    assert 0 == ended.exit_code, ended.output
    upserted(stubs, vector("v2", stubs, 2))
    wait_until(lambda: 2 == stubs.status().track_count)


def test_a_known_clip_that_is_deleted_meanwhile(stubs: Stubs, options: tuple[str, ...], tiny_model: Path) -> None:
    """It is added again, although its bytes were known when it arrived."""
    upserted(stubs, clip("a"))
    with ExitStack() as lock, ThreadPoolExecutor(2) as threads:
        lock.enter_context(locked(options, tiny_model))
        deleted = threads.submit(stubs.delete_tracks, "external:a")
        sleep(0.5)
        again = threads.submit(upserted, stubs, clip("a"))
        sleep(1.0)
        lock.close()
        assert [] == [*deleted.result().missing_track_ids]
        assert [UPSERT_CHANGE_ADDED] == changes(again.result().values())


def test_an_upload_that_lost_its_id(stubs: Stubs, options: tuple[str, ...], tmp_path: Path) -> None:
    """A file took its external id over, so the indexer removes it by its path, and no other under it."""
    upserted(stubs, clip("a", 4.0), clip("a/b", 5.0))
    file, manifest = tmp_path / "file.wav", tmp_path / "manifest.jsonl"
    file.write_bytes(clip("", 6.0).audio.content)
    manifest.write_text(json.dumps({"path": str(file), "external_id": "a"}))
    assert 0 == run("add", "--manifest", manifest, *options[:4]).exit_code
    assert str(file) == stubs.get_track("external:a").track.path
    assert 0 == run("remove", "upload:a", *options[:2]).exit_code
    assert 1 == run("remove", "upload:a", *options[:2]).exit_code
    wait_until(lambda: 2 == stubs.status().track_count)
    assert "upload:a/b" == stubs.get_track("external:a/b").track.path
