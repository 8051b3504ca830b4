from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from segue.core.index.snapshot import list_snapshots
from segue.core.redis_catalogue.open import open_store
from tests.helpers.catalogue.failover import Server
from tests.helpers.indexer import PROGRAM, Indexer, run, run_json
from tests.helpers.machine.processes import stopped
from tests.helpers.machine.waiting import PATIENCE_SECONDS, wait_until
from tests.helpers.watching import RunningWatch, running_watch

CLIPS = 12
# More than the queue of inotify holds by default.
QUEUE = 16_384


@pytest.fixture
def watch(indexer: Indexer, music: Path) -> Iterator[RunningWatch]:
    """A watch of the folder of music."""
    with running_watch(indexer.data, indexer.model, music) as watch:
        yield watch


def _count(indexer: Indexer) -> int:
    with indexer.store() as store:
        return store.count()


def test_a_folder_that_vanishes(watch: RunningWatch, indexer: Indexer, music: Path, more: Path) -> None:
    """Nothing is removed while the folder is away; when it is back, what changed meanwhile is applied."""
    away = music.rename(music.with_name("away"))
    assert "Nothing is removed" in watch.wait_for("problem")["message"]
    assert CLIPS == _count(indexer)
    shutil.copy(more / "0000.flac", away / "new.flac")
    away.rename(music)
    assert f"{music} is back" == watch.wait_for("resumed")["message"]
    watch.wait_for_total("added", CLIPS + 1)
    shutil.copy(more / "0001.flac", music / "newer.flac")
    watch.wait_for_total("added", CLIPS + 2)
    assert 0 == watch.total("forgotten")


def test_a_folder_that_was_away_at_the_start(indexer: Indexer, music: Path) -> None:
    """The empty folder of a disk that is not mounted removes nothing, and the disk is noticed when it is there."""
    assert not indexer.add(music).returncode
    away = music.rename(music.with_name("away"))
    music.mkdir()
    with running_watch(indexer.data, indexer.model, music) as watch:
        assert "There is no music under" in watch.wait_for("problem")["message"]
        music.rmdir()
        away.rename(music)
        watch.wait_for("walked", lambda event: event["unchanged"] == CLIPS)
        assert 0 == watch.total("forgotten")


def test_many_removals_are_refused(watch: RunningWatch, indexer: Indexer, music: Path) -> None:
    """More than a fifth of the tracks at once stay, and the message says what to do; sync does it meanwhile."""
    for number in range(3):
        (music / f"{number:04}.flac").unlink()
    refusal = watch.wait_for("problem")
    assert "REMOVAL_REFUSED" == refusal["reason"]
    assert "Refused to remove 3 of 12 tracks" in refusal["message"]
    assert "run `segue-indexer sync` on the folder with --allow-removals" in refusal["message"]
    assert CLIPS == _count(indexer)
    sync = run_json("sync", music, "--data", indexer.data, "--model", indexer.model, "--allow-removals")
    assert 3 == sync["removed"]
    (music / "0003.flac").unlink()
    watch.wait_for_total("forgotten", 1)


def test_all_files_removed_one_after_the_other(indexer: Indexer, music: Path, tmp_path: Path, more: Path) -> None:
    """The last file of a folder is not forgotten, however many tracks the catalogue has elsewhere."""
    assert not indexer.add(more).returncode
    for number in range(1, CLIPS):
        (music / f"{number:04}.flac").unlink()
    with running_watch(indexer.data, indexer.model, music) as watch:
        (music / "0000.flac").unlink()
        assert f"There is no music under {music} any more" in watch.wait_for("problem")["message"]
        assert 0 == watch.total("forgotten")


@pytest.mark.parametrize("failpoint", ["after-decode:4", "before-commit:1", "after-commit:1", "before-rename:1"])
def test_a_watch_that_is_killed(indexer: Indexer, music: Path, failpoint: str) -> None:
    """The next one continues, and the catalogue is that of an undisturbed run."""
    environment = {"SEGUE_FAILPOINT": failpoint}
    with running_watch(indexer.data, indexer.model, music, environment=environment, ready=False) as watch:
        assert -signal.SIGKILL == watch.process.wait(PATIENCE_SECONDS)
    with running_watch(indexer.data, indexer.model, music) as watch:
        assert CLIPS == watch.total("added") + watch.total("unchanged")
        assert CLIPS == watch.end()[1]["tracks"]
    verified = run("verify", "--data", indexer.data)
    assert (0, "") == (verified.exit_code, verified.stderr)


def test_a_watch_that_is_killed_among_changes(watch: RunningWatch, indexer: Indexer, music: Path, more: Path) -> None:
    """Changes that were made while no watch ran are applied by the next one."""
    shutil.copytree(more, music / "album")
    watch.process.kill()
    watch.process.wait(PATIENCE_SECONDS)
    (music / "0000.flac").unlink()
    with running_watch(indexer.data, indexer.model, "--settle", "0.1", music) as after:
        wait_until(lambda: 2 * CLIPS - 1 == _count(indexer))
        assert 1 == after.total("forgotten")


def test_a_redis_that_is_away(tiny_model: Path, music: Path, more: Path, tmp_path: Path) -> None:
    """The watch goes on, says so, and applies what changed when Redis is back; nothing is missed."""
    redis = Server(tmp_path / "redis")
    with ExitStack() as stack:
        stack.callback(redis.kill)
        watch = stack.enter_context(running_watch(tmp_path / "data", tiny_model, "--redis", redis.url, music))
        redis.kill()
        shutil.copy(more / "0000.flac", music / "new.flac")
        (music / "0000.flac").rename(music / "moved.flac")
        problem = watch.wait_for("problem")
        assert "STORE_UNAVAILABLE" == problem["reason"]
        assert "tries again by itself" in problem["message"]
        redis.start()
        watch.wait_for("resumed")
        watch.wait_for_total("added", CLIPS + 2)
        watch.wait_for_total("forgotten", 1)
        assert CLIPS + 1 == watch.total("decoded")


def test_a_redis_that_was_emptied(tiny_model: Path, music: Path, more: Path, tmp_path: Path) -> None:
    """The next change finds another catalogue, and all music is added to it again."""
    redis = Server(tmp_path / "redis")
    with ExitStack() as stack:
        stack.callback(redis.kill)
        watch = stack.enter_context(running_watch(tmp_path / "data", tiny_model, "--redis", redis.url, music))
        with redis.client() as client:
            client.flushall()
        shutil.copy(more / "0000.flac", music / "new.flac")
        with open_store(tmp_path / "data", redis.url) as store:
            wait_until(lambda: CLIPS + 1 == store.count())
        assert watch.process.poll() is None


def test_other_commands_meanwhile(watch: RunningWatch, indexer: Indexer, music: Path, more: Path) -> None:
    """The lock is free between batches; while another process writes, the watch waits and names it."""
    assert CLIPS == indexer.report(more)["added"]
    with indexer.store() as store:
        identity = store.identity()
        assert identity is not None
        with store.writer(*identity.key):
            (music / "0000.flac").rename(music / "moved.flac")
            problem = watch.wait_for("problem")
            assert ("CATALOGUE_LOCKED", True) == (problem["reason"], str(os.getpid()) in problem["message"])
            assert 0 == watch.total("forgotten")
    watch.wait_for("resumed")
    watch.wait_for_total("forgotten", 1)


def test_a_command_during_a_batch(indexer: Indexer, music: Path) -> None:
    """It is refused as by any other writer, and the error names the watch."""
    with running_watch(indexer.data, indexer.model, music, ready=False) as watch, indexer.store() as store:
        wait_until(lambda: store.identity() is not None)
        with stopped(watch.process.pid):
            refused = indexer.report(music)
        if refused["error"]:  # the batch may have ended just before
            assert "CATALOGUE_LOCKED" == refused["error"]["reason"]
            assert str(watch.process.pid) in refused["error"]["message"]
        watch.wait_for("watching")


def test_two_watches_of_one_folder(watch: RunningWatch, indexer: Indexer, music: Path, more: Path) -> None:
    """Each change is applied once, whichever is first, and both go on."""
    with running_watch(indexer.data, indexer.model, music) as second:
        shutil.copytree(more, music / "album")
        wait_until(lambda: 2 * CLIPS == watch.total("added") + second.total("added"))
        (music / "0000.flac").unlink()
        wait_until(lambda: 1 == watch.total("forgotten") + second.total("forgotten"))
        assert 2 * CLIPS == watch.total("decoded") + second.total("decoded")
        assert (0, 0) == (watch.end()[0], second.end()[0])


def test_a_queue_that_overflows(watch: RunningWatch, indexer: Indexer, music: Path, more: Path) -> None:
    """Changes that the system did not report are found by a walk, and the watch says why."""
    limit = Path("/proc/sys/fs/inotify/max_queued_events")
    if not limit.exists() or int(limit.read_text()) > QUEUE:
        pytest.skip("the queue of inotify is missing or larger than usual")
    with stopped(watch.process.pid):
        for number in range(QUEUE):
            (music / f"{number}.txt").touch()
            (music / f"{number}.txt").unlink()
        shutil.copy(more / "0000.flac", music / "unreported.flac")
    assert "fs.inotify.max_queued_events" in watch.wait_for("problem")["message"]
    watch.wait_for_total("added", CLIPS + 1)


@pytest.mark.parametrize(("limit", "number"), [("watches", 10), ("instances", 0)])
def test_limits_of_the_system(indexer: Indexer, music: Path, limit: str, number: int) -> None:
    """Beyond the limits of watched folders and of programs that watch, the error names the setting and --poll."""
    for album in range(20):
        (music / f"album {album}").mkdir()
    options = ["--data", str(indexer.data), "--model", str(indexer.model)]
    command = [*PROGRAM, "watch", str(music), *options]
    script = f'echo {number} >/proc/sys/user/max_inotify_{limit} && exec "$@"'
    limited = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    try:
        subprocess.run([*limited, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine permits no user namespace")
    ended = subprocess.run([*limited, *command], capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert 1 == ended.returncode
    assert f"fs.inotify.max_user_{limit}" in ended.stderr
    assert "--poll 60" in ended.stderr
    assert "Traceback" not in ended.stderr
    _check_that_polling_works([*limited, *command, "--poll", "1", "--json"])


def _check_that_polling_works(command: list[str]) -> None:
    polling = RunningWatch(command, {})
    try:
        polling.wait_for("watching")
        assert 0 == polling.end()[0]
    finally:
        polling.process.kill()


def test_a_replaced_model(watch: RunningWatch, indexer: Indexer, other_model: Path, music: Path, more: Path) -> None:
    """After a reindex with another model, the watch ends with a sentence rather than mixing models."""
    reindexed = run("reindex", "--data", indexer.data, "--model", other_model)
    assert 0 == reindexed.exit_code, reindexed.stderr
    shutil.copy(more / "0000.flac", music / "new.flac")
    assert 1 == watch.process.wait(PATIENCE_SECONDS)
    wait_until(lambda: bool(watch.events[-1].get("error")))
    assert "CATALOGUE_MISMATCH" == watch.events[-1]["error"]["reason"]


def test_an_index_that_cannot_be_written(indexer: Indexer, music: Path) -> None:
    """The catalogue follows all the same; the watch says what is wrong, and publishes when it can."""
    indexer.data.mkdir()
    (indexer.data / "snapshots").write_text("no folder")
    with running_watch(indexer.data, indexer.model, music, ready=False) as watch:
        assert "SNAPSHOT_UNWRITABLE" == watch.wait_for("problem")["reason"]
        assert CLIPS == _count(indexer)
        (indexer.data / "snapshots").unlink()
        wait_until(lambda: bool(list_snapshots(indexer.data / "snapshots")))


def test_an_idle_watch_takes_no_processor_time(watch: RunningWatch) -> None:
    """It waits for notifications: in 10 s it takes less than a tenth of a second."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    time.sleep(1)
    before = _processor_seconds(watch.process.pid)
    time.sleep(10)
    assert _processor_seconds(watch.process.pid) - before < 0.1


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
