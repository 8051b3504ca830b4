"""A real server process over a real catalogue."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from segue.core.connect import open_store
from segue.core.identity import track_id
from segue.core.listen import listen
from segue.core.model import Model
from segue.core.snapshot import publish
from segue.core.store import Addition, PathRecord, Track


class Running(NamedTuple):
    """A server process that answers at ``address``."""

    address: str
    process: subprocess.Popen[str]


@contextmanager
def running_server(*options: str) -> Iterator[Running]:
    """Starts segue-server on a free port, and ends it by SIGTERM."""
    command = [sys.executable, "-m", "segue.server", "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = []
            assert process.stderr is not None
            for line in process.stderr:
                said.append(line)
                if found := re.search(r"listening on (\S+)", line):
                    break
            else:
                pytest.fail("the server did not start:\n" + "".join(said))
            yield Running(found[1], process)
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="session")
def loaded_tiny_model(tiny_model: Path) -> Model:
    """The tiny network, loaded once."""
    return Model.load(tiny_model)


Fill = Callable[[Path, Sequence[Path]], list[str]]


@pytest.fixture(scope="session")
def fill(loaded_tiny_model: Model) -> Fill:
    """What writes clips to the catalogue in a data folder, as the indexer does, and answers their ids."""

    def write(data: Path, clips: Sequence[Path]) -> list[str]:
        additions = [addition(loaded_tiny_model, clip) for clip in clips]
        manifest = loaded_tiny_model.manifest
        with open_store(data) as store:
            with store.writer(manifest.model_id, manifest.features.fingerprint, manifest.embedding_width) as writer:
                writer.add(additions)
            publish(data, store)
        return [addition.track.track_id for addition in additions]

    return write


def addition(model: Model, clip: Path) -> Addition:
    """Everything that the catalogue holds of a clip."""
    piece = listen(clip, model.manifest.features, model.manifest.windows)
    (heard,) = model.hear([piece.windows])
    name = track_id(memoryview(clip.read_bytes()))
    genre = model.manifest.labels[int(heard.posterior.argmax())]
    track = Track(name, title=clip.stem, genre=genre, seconds=piece.seconds, path=str(clip))
    return Addition(track, heard.embedding, PathRecord(str(clip), clip.stat().st_size, clip.stat().st_mtime_ns, name))
