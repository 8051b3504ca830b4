"""A catalogue moves to another model while a server serves it."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from segue.client import Client, SegueError
from segue.core.model.artifact import read_manifest
from segue.core.paths import shipped_models
from segue.core.redis_catalogue.open import open_store
from tests.helpers.clips import wav
from tests.helpers.indexer import PROGRAM
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs

FAST = shipped_models() / "segue-fast"


def reindex(data: Path, model: Path | str) -> subprocess.Popen[str]:
    """Starts to move a catalogue to another model."""
    command = [*PROGRAM, "reindex", "--data", str(data), "--model", str(model), "--jobs", "1"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def add(data: Path, model: Path, clips: list[Path]) -> None:
    """Indexes clips."""
    command = [*PROGRAM, "add", *map(str, clips), "--data", str(data), "--model", str(model)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)


class Load:
    """Calls of every kind, one after the other.

    Attributes:
        calls: number of calls so far.
        failures: those that failed.
        models: the models that answered.
    """

    def __init__(self, address: str) -> None:
        self.calls = 0
        self.failures: list[str] = []
        self.models: set[str] = set()
        self._stubs = Stubs(address)
        with Client(address) as client:
            self._track = next(iter(client.list_tracks()))

    def call_once(self) -> None:
        """Makes a call of each kind."""
        clip, track = wav(4), self._track
        kinds: list[Callable[[], object]] = [
            lambda: self._answered(self._stubs.classify(clip)),
            lambda: self._answered(self._stubs.recommend(clip)),
            lambda: self._answered(self._stubs.recommend(track.track_id)),
            lambda: self._stubs.get_track(track.track_id),
            lambda: self._stubs.search(track.title),
            lambda: self._stubs.list_tracks(5),
            self._stubs.status,
        ]
        for call in kinds:
            self.calls += 1
            try:
                call()
            except Exception as error:  # noqa: BLE001 - every failure is reported
                self.failures.append(str(error))

    def _answered(self, response: object) -> None:
        self.models.add(response.revision.model_id)  # type: ignore[attr-defined] # the responses of three methods


@contextmanager
def loading(address: str) -> Iterator[Load]:
    """Calls a server repeatedly during the block, and asserts that no call failed."""
    load, over = Load(address), threading.Event()

    def call_repeatedly() -> None:
        while not over.is_set():
            load.call_once()
            time.sleep(0.02)

    threads = [threading.Thread(target=call_repeatedly) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert [] == load.failures
    assert 20 <= load.calls


def is_served(address: str, model_id: str) -> bool:
    """Returns whether a server has a model."""
    return model_id == Stubs(address).status().revision.model_id


def is_begun(data: Path) -> bool:
    """True as soon as a reindex has a catalogue of its own next to the one that is served."""
    with open_store(data) as store, store.staging() as staging:
        return staging.identity() is not None


def test_a_switch_and_back(tmp_path: Path, tiny_model: Path, clips: list[Path]) -> None:
    """A server goes over to the model of the catalogue and back, and no call fails, even if the indexer is killed."""
    add(tmp_path, tiny_model, clips[:6])
    tiny, fast = read_manifest(tiny_model).model_id, read_manifest(FAST).model_id
    with running_server("--data", str(tmp_path)) as server, loading(server.address) as load:
        killed = reindex(tmp_path, "segue-fast")
        wait_until(partial(is_begun, tmp_path))
        killed.kill()
        killed.communicate()
        assert is_served(server.address, tiny)
        for model, expected in (("segue-fast", fast), (str(tiny_model), tiny)):
            moving = reindex(tmp_path, model)
            printed, _ = moving.communicate(timeout=PATIENCE_SECONDS)
            assert 0 == moving.returncode, printed
            wait_until(partial(is_served, server.address, expected))
    assert {tiny, fast} == load.models


def test_another_model_was_named(tmp_path: Path, tiny_model: Path, clips: list[Path]) -> None:
    """A server that was started with the old model goes on to classify, also if it restarts; it cannot recommend."""
    add(tmp_path, tiny_model, clips[:2])
    moving = reindex(tmp_path, "segue-fast")
    assert 0 == moving.wait(PATIENCE_SECONDS), moving.communicate()
    with running_server("--data", str(tmp_path), "--model", str(tiny_model)) as server:
        stubs = Stubs(server.address)
        assert stubs.classify(wav(4)).scores
        assert (2, 1) == (stubs.health("segue.v1.RecommendationService"), stubs.health(""))
        with (
            Client(server.address) as client,
            pytest.raises(SegueError, match="Start the server with that model") as error,
        ):
            client.recommend(wav(4))
        assert "CATALOGUE_MISMATCH" == error.value.reason
