"""An indexer that lost its lock publishes no snapshot, and removes none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.core.errors import CatalogueLocked
from segue.core.index.publishing import publish
from segue.core.index.snapshot import list_snapshots
from segue.core.redis_catalogue.store import RedisStore
from segue.indexer.catalogue.publish import publish_index
from tests.helpers.catalogue.tracks import addition, track_id
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until

MODEL = ("model", "front end", 16)
STALE = """
import sys
from pathlib import Path
from segue.core.errors import CatalogueLocked
from segue.core.redis_catalogue.store import RedisStore
from segue.indexer.catalogue.publish import publish_index
store = RedisStore(sys.argv[2], lease=0.5)
with store.writer("model", "front end", 16) as writer:
    print("writing", flush=True)
    sys.stdin.readline()
    try:
        publish_index(Path(sys.argv[1]), store, writer)
    except CatalogueLocked as error:
        print(error, flush=True)
"""


def snapshots(data: Path) -> list[str]:
    """Returns everything in the folder of snapshots, the unfinished ones too."""
    return sorted(path.name for path in (data / "snapshots").iterdir())


def is_writable(catalogue: RedisStore) -> bool:
    """Returns whether the lock can be acquired."""
    try:
        with catalogue.writer(*MODEL):
            return True
    except CatalogueLocked:
        return False


def test_a_writer_that_was_suspended_beyond_its_lease(catalogue: RedisStore, tmp_path: Path) -> None:
    """After its successor has published, it changes no snapshot, and says that its lock was taken over."""
    command = [sys.executable, "-c", STALE, str(tmp_path), catalogue.address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as stale:
        assert stale.stdin is not None
        assert stale.stdout is not None
        assert "writing\n" == stale.stdout.readline()
        os.kill(stale.pid, signal.SIGSTOP)
        wait_until(lambda: is_writable(catalogue))
        with catalogue.writer(*MODEL) as writer:
            for number in range(30, 33):
                writer.add([addition(number)])
                publish_index(tmp_path, catalogue, writer)
            (tmp_path / "snapshots" / ".unfinished-by-the-successor").mkdir()
        before = snapshots(tmp_path)
        os.kill(stale.pid, signal.SIGCONT)
        said, _ = stale.communicate("go on\n", timeout=PATIENCE_SECONDS)

    assert "was taken over by" in said
    assert before == snapshots(tmp_path)


@pytest.fixture
def data(catalogue: RedisStore, tmp_path: Path) -> Path:
    """A folder with two snapshots and an unfinished one; the catalogue has changed since."""
    with catalogue.writer(*MODEL) as writer:
        for number in range(30, 32):
            publish_index(tmp_path, catalogue, writer)
            writer.add([addition(number)])
    (tmp_path / "snapshots" / ".unfinished-older").mkdir()
    return tmp_path


class _Successor:
    """A successor that gets the lock at the n-th check, and publishes, while the writer is suspended after it."""

    def __init__(self, publish_newer: Callable[[], object], at: int) -> None:
        self.checks = 0
        self._at = at
        self._publish_newer = publish_newer

    def check_lock(self) -> None:
        """Fails at every check after the one at which the successor took over."""
        self.checks += 1
        if self.checks > self._at:
            raise CatalogueLocked("it was taken over")
        if self.checks == self._at:
            self._publish_newer()


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_writer_that_is_suspended_while_it_publishes(catalogue: RedisStore, data: Path, at: int) -> None:
    """Wherever it is suspended, the successor's snapshots stay, and its own is not there at the end."""
    published = list[Path]()

    def publish_newer() -> None:
        with catalogue.writer(*MODEL) as writer:
            writer.remove([track_id(5)])
            publish_index(data, catalogue, writer)
            writer.remove([track_id(6)])
            publish_index(data, catalogue, writer)
        (data / "snapshots" / ".unfinished-newer").mkdir()
        published.extend(list_snapshots(data / "snapshots"))

    successor = _Successor(publish_newer, at)
    with catalogue.writer(*MODEL) as writer:
        writer.add([addition(40)])
    before = set(list_snapshots(data / "snapshots"))
    with pytest.raises(CatalogueLocked):
        publish(data, catalogue, successor.check_lock)

    after = set(list_snapshots(data / "snapshots"))
    assert (set(published) if at else before) == after
    assert (at > 0) == (data / "snapshots" / ".unfinished-newer").exists()


def test_a_writer_that_loses_its_lock_at_the_end(catalogue: RedisStore, data: Path) -> None:
    """If the lock is lost after its snapshot was published, it removes only what was older than its successor."""
    successor = _Successor(lambda: None, 99)
    publish(data, catalogue, successor.check_lock)
    assert 4 == successor.checks
    assert 2 == len(snapshots(data))
