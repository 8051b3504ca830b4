from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.store import all_track_ids
from segue.core.index.snapshot import load_newest
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.indexer import PROGRAM, Indexer, run, run_json
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs
from tests.helpers.watching import running_watch

CLIPS = 12
# On an idle machine it takes 3 to 4 s with the default settle time.
GENEROUS_SECONDS = 60


def paths(store: RedisStore, folder: Path) -> list[str]:
    """Returns the sorted paths of all indexed files, relative to a folder."""
    return sorted(os.path.relpath(file.path, folder) for file in store.all_files())


def test_files_that_come_change_and_go(indexer: Indexer, music: Path, more: Path) -> None:
    """The folder is synced first; then new, changed and removed files are applied, also in new subfolders."""
    with running_watch(indexer.data, indexer.model, music) as watch, indexer.store() as store:
        assert CLIPS == watch.wait_for("walked")["added"]

        deep = music / "a" / "b"
        deep.mkdir(parents=True)
        shutil.copy(more / "0000.flac", deep / "new.flac")
        (deep / "cover.jpg").write_bytes(b"no music")
        watch.wait_for_total("added", CLIPS + 1)
        shutil.copy(more / "0001.flac", music / "0000.flac")
        watch.wait_for_total("updated", 1)
        (music / "0001.flac").unlink()
        watch.wait_for_total("forgotten", 1)

        expected = sorted(["a/b/new.flac", "0000.flac", *(f"{number:04}.flac" for number in range(2, CLIPS))])
        assert expected == paths(store, music)
        code, ended, errors = watch.end()
        assert (0, "ended", "") == (code, ended["event"], errors)
        assert (CLIPS + 1, 1, 1, 0) == tuple(ended[name] for name in ("added", "updated", "forgotten", "failed"))
        _check_index(indexer, store)


def _check_index(indexer: Indexer, store: RedisStore) -> None:
    """Asserts that the published index has every track."""
    identity = store.identity()
    assert identity is not None
    snapshot = load_newest(indexer.data, identity, since=store.revision())
    assert snapshot is not None
    assert list(all_track_ids(store)) == list(snapshot.index.track_ids)


def test_a_copied_file_is_recommended_within_seconds(indexer: Indexer, music: Path, more: Path) -> None:
    """A running server recommends a file soon after it was copied into the folder, with the default settle time."""
    options = ("--data", str(indexer.data), "--model", str(indexer.model))
    with running_watch(indexer.data, indexer.model, "--settle", "2", music), running_server(*options) as server:
        stubs = Stubs(server.address)
        wait_until(lambda: CLIPS == stubs.status().track_count)
        with indexer.store() as store:
            seed = next(all_track_ids(store))
        clip = (more / "0003.flac").read_bytes()
        start = time.monotonic()
        (music / "copied.flac").write_bytes(clip)
        copied = str(music / "copied.flac")
        while copied not in _recommended(stubs, seed):
            assert time.monotonic() - start < GENEROUS_SECONDS
            time.sleep(0.05)
        print(f"recommended after {time.monotonic() - start:.1f} s")  # noqa: T201 - for the person who measures


def _recommended(stubs: Stubs, seed: str) -> list[str]:
    return [item.track.path for item in stubs.recommend(seed, limit=100).recommendations]


@pytest.mark.parametrize("name", ["album", os.fsdecode(b"caf\xe9")])
def test_a_moved_folder_is_not_decoded(indexer: Indexer, music: Path, tmp_path: Path, name: str) -> None:
    """A folder that is renamed, moved out and moved in again has the same tracks; only new audio is decoded."""
    (music / "shelf").mkdir()
    for number in range(2):
        (music / f"{number:04}.flac").rename(music / "shelf" / f"{number:04}.flac")
    with running_watch(indexer.data, indexer.model, music) as watch, indexer.store() as store:
        decoded, revision = watch.total("decoded"), store.revision()
        renamed = (music / "shelf").rename(music / name)
        watch.wait_for_total("forgotten", 2)
        assert (decoded, revision) == (watch.total("decoded"), store.revision())
        assert display_path(renamed / "0000.flac") in [file.path for file in store.all_files()]

        renamed.rename(tmp_path / "out")
        watch.wait_for_total("forgotten", 4)
        assert CLIPS - 2 == store.count()
        (tmp_path / "out").rename(music / "back")
        watch.wait_for_total("added", CLIPS + 4)
        assert CLIPS == store.count()


def test_a_file_that_grows_waits(indexer: Indexer, music: Path, more: Path) -> None:
    """A file that is copied slowly is indexed once, when it is complete."""
    content = (more / "0000.flac").read_bytes()
    with running_watch(indexer.data, indexer.model, music) as watch:
        step = len(content) // 8 + 1
        with (music / "slow.flac").open("wb") as file:
            for start in range(0, len(content), step):
                file.write(content[start : start + step])
                file.flush()
                time.sleep(0.25)
                assert CLIPS == watch.total("decoded")
        watch.wait_for_total("added", CLIPS + 1)
        assert (CLIPS + 1, 0, 0) == tuple(watch.total(name) for name in ("decoded", "updated", "failed"))


def test_a_file_that_is_copied_while_the_watch_starts_waits(indexer: Indexer, music: Path, more: Path) -> None:
    """The first walk leaves a file that changed a moment ago to the time when it has stopped changing."""
    shutil.copy(more / "0000.flac", music / "fresh.flac")
    with running_watch(indexer.data, indexer.model, "--settle", "5", music) as watch:
        assert music / "fresh.flac" not in [Path(file["path"]) for file in watch.wait_for("walked")["indexed"]]
        watch.wait_for_total("added", CLIPS + 1)


def test_a_temporary_name(indexer: Indexer, music: Path, more: Path) -> None:
    """A download has no ending of music until it is renamed; what replaces a file by renaming is an update."""
    with running_watch(indexer.data, indexer.model, music) as watch:
        shutil.copy(more / "0000.flac", music / "song.flac.part")
        time.sleep(1.5)
        (music / "song.flac.part").rename(music / "song.flac")
        watch.wait_for_total("added", CLIPS + 1)
        shutil.copy(more / "0001.flac", music / ".tmp")
        (music / ".tmp").rename(music / "song.flac")
        watch.wait_for_total("updated", 1)
        assert 0 == watch.total("failed")


def test_links_and_system_folders(indexer: Indexer, music: Path, more: Path, tmp_path: Path) -> None:
    """Links to what is found anyway and bins are left out, as by a walk; the folder itself may be a link."""
    (tmp_path / "link").symlink_to(music)
    with running_watch(indexer.data, indexer.model, tmp_path / "link") as watch, indexer.store() as store:
        (music / "copy.flac").symlink_to(music / "0000.flac")
        (music / "@eaDir").mkdir()
        shutil.copy(more / "0000.flac", music / "@eaDir" / "0000.flac")
        (music / "outside.flac").symlink_to(more / "0001.flac")
        shutil.copy(more / "0002.flac", music / "plain.flac")
        watch.wait_for_total("added", CLIPS + 2)
        expected = sorted(["outside.flac", "plain.flac", *(f"{number:04}.flac" for number in range(CLIPS))])
        assert expected == paths(store, tmp_path / "link")


def test_a_file_that_fails(indexer: Indexer, music: Path) -> None:
    """It is reported once, and again when it has changed."""
    with running_watch(indexer.data, indexer.model, music) as watch:
        (music / "bad.flac").write_bytes(b"no audio")
        watch.wait_for_total("failed", 1)
        (music / "bad.flac").write_bytes(b"no audio either")
        watch.wait_for_total("failed", 2)
        assert 2 == watch.end()[1]["failed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_end_in_good_order(indexer: Indexer, music: Path, number: int) -> None:
    """Ctrl-C and SIGTERM end it with the totals and the exit code 0, and free the lock."""
    with running_watch(indexer.data, indexer.model, music) as watch:
        code, ended, errors = watch.end(number)
    assert (0, "ended", CLIPS, 1, "") == (code, ended["event"], ended["tracks"], ended["batches"], errors)
    assert CLIPS == indexer.report(music)["unchanged"]


def test_text_for_people(indexer: Indexer, music: Path) -> None:
    """Without --json there is a line with the counts for each batch, and one with the totals."""
    command = [*PROGRAM, "watch", str(music), "--data", str(indexer.data), "--model", str(indexer.model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline(), process.stdout.readline()]
        process.terminate()
        lines += process.communicate()[0].splitlines()
    assert f"{CLIPS} added in " in lines[0]
    assert f"Watching {music}. Ctrl-C stops." in lines[1]
    assert f"Stopped. 1 batch: {CLIPS} added." in lines[2]


def test_folders_that_cannot_be_watched(indexer: Indexer, music: Path, tmp_path: Path) -> None:
    """A folder that does not exist, and a file, are errors of the command line."""
    for wrong in (tmp_path / "nowhere", music / "0000.flac"):
        assert 2 == run("watch", wrong, "--data", indexer.data).exit_code


def test_polling(indexer: Indexer, music: Path, more: Path) -> None:
    """With --poll, changes are found by walking through the folder."""
    with running_watch(indexer.data, indexer.model, "--poll", "1", music) as watch:
        shutil.copy(more / "0000.flac", music / "new.flac")
        (music / "0000.flac").rename(music / "renamed.flac")
        watch.wait_for_total("added", CLIPS + 2)
        watch.wait_for_total("forgotten", 1)
        assert CLIPS + 1 == watch.total("decoded")
    assert CLIPS + 1 == run_json("sync", music, "--data", indexer.data, "--model", indexer.model)["unchanged"]
