from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from segue.core.catalogue.store import all_track_ids
from segue.core.index.snapshot import load_newest
from segue.core.redis_catalogue.open import open_store
from segue.indexer.commands.sync import sync
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.settings import Settings
from tests.helpers.indexer import run, write_library

CLIPS = 12
COUNTS = ("added", "updated", "unchanged", "forgotten", "removed", "failed", "decoded", "tracks")

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A folder with music in two folders, and its catalogue."""
    folder = tmp_path_factory.mktemp("synced")
    music = write_library(folder / "music", CLIPS, seconds=4.0)
    (music / "a").mkdir()
    for number in range(2):
        (music / f"{number:04}.flac").rename(music / "a" / f"{number:04}.flac")
    (music / "0002.flac").rename(music / os.fsdecode(b"caf\xe9.flac"))
    assert 0 == run("add", music, "--data", folder / "data", "--model", tiny_model).exit_code
    return folder


@pytest.fixture
def music(template: Path, tmp_path: Path) -> Path:
    """The music, with a copy to restore it from, and a copy of its catalogue in the test's folder."""
    shutil.copytree(template / "music", tmp_path / "kept")
    shutil.copytree(template / "data" / "redis", tmp_path / "data" / "redis", ignore=shutil.ignore_patterns("*.sock"))
    return template / "music"


@pytest.fixture
def synced(music: Path, tmp_path: Path, tiny_model: Path) -> Run:
    """A function that makes this test's copy of the catalogue match the music."""

    def sync(*arguments: str | Path) -> Result:
        paths = [argument for argument in arguments if isinstance(argument, Path)] or [music]
        options = [argument for argument in arguments if isinstance(argument, str)]
        return run("sync", *paths, "--data", tmp_path / "data", "--model", tiny_model, "--jobs", "1", *options)

    return sync


@pytest.fixture(autouse=True)
def _restored(music: Path, tmp_path: Path) -> Iterator[None]:
    """Restores the music after the test, with the times of its files."""
    yield
    shutil.rmtree(music)
    shutil.copytree(tmp_path / "kept", music)


def counted(ended: Result) -> tuple[int, ...]:
    """Returns the counts of the report, in the order of ``COUNTS``."""
    report = json.loads(ended.stdout)
    return tuple(report[name] for name in COUNTS)


def test_unchanged_music_is_not_opened(synced: Run) -> None:
    """Each file is only compared with its record, also one whose name is not UTF-8."""
    assert (0, 0, CLIPS, 0, 0, 0, 0, CLIPS) == counted(synced("--json"))


def test_a_path_as_segue_prints_it(synced: Run, music: Path) -> None:
    """The text of a path that is not UTF-8 can be pasted into a command."""
    assert (0, 0, 1, 0, 0, 0, 0, CLIPS) == counted(synced(music / "caf\\xe9.flac", "--json"))
    assert 2 == synced(music / "nix\\xe9.flac").exit_code


def test_a_deleted_file_removes_its_track(synced: Run, music: Path, tmp_path: Path) -> None:
    """The track leaves the catalogue and the published index; a track with another file stays."""
    shutil.copy(music / "0005.flac", music / "copy.flac")
    assert (1, 0, CLIPS, 0, 0, 0, 1, CLIPS) == counted(synced("--json"))
    (music / "0005.flac").unlink()
    (music / "0006.flac").unlink()

    assert (0, 0, CLIPS - 1, 2, 1, 0, 0, CLIPS - 1) == counted(synced("--json"))
    with open_store(tmp_path / "data") as store:
        assert [None] == store.files([str(music / "0006.flac")])
        identity = store.identity()
        assert identity is not None
        snapshot = load_newest(tmp_path / "data", identity, since=store.revision())
        assert snapshot is not None
        assert list(all_track_ids(store)) == list(snapshot.index.track_ids)


def test_a_file_that_comes_back_meanwhile(music: Path, tmp_path: Path, tiny_model: Path) -> None:
    """A file that is missing at first, and back after new files were decoded, is not forgotten."""
    away = (music / "0005.flac").rename(tmp_path / "away.flac")
    (music / "0006.flac").unlink()
    write_library(tmp_path / "new", 1, seconds=5.0)
    shutil.copy(tmp_path / "new" / "0000.flac", music / "new.flac")
    counts = RunCounts()

    def bring_back(counts: RunCounts) -> None:
        if counts.added and away.exists():
            away.rename(music / "0005.flac")

    settings = Settings(tmp_path / "data", None, tiny_model, "auto", 1, 60.0, 1024, 0)
    sync([music], settings, counts, Interrupt(), bring_back)
    assert (False, 1, 1, CLIPS) == (away.exists(), counts.added, counts.forgotten, counts.tracks)


def test_a_renamed_folder_has_the_same_tracks(synced: Run, music: Path, tmp_path: Path) -> None:
    """However many files moved, none is decoded, no track is removed or added, and each has its new path."""
    with open_store(tmp_path / "data") as store:
        before = (store.revision(), list(all_track_ids(store)))
        moved = Path(shutil.move(music, tmp_path / "moved"))
        music.mkdir()
        ended = synced(moved, music, "--json", "--allow-removals")

        assert (CLIPS, 0, 0, CLIPS, 0, 0, 0, CLIPS) == counted(ended)
        assert before == (store.revision(), list(all_track_ids(store)))
        paths = [track.path for track in store.get(before[1]) if track]
        assert {str(moved)} == {str(Path(path).parent).removesuffix("/a") for path in paths}


def test_only_files_under_the_paths_are_forgotten(synced: Run, music: Path) -> None:
    """Files elsewhere stay in the catalogue, also if they are missing."""
    (music / "a" / "0000.flac").unlink()
    (music / "0007.flac").unlink()

    assert (0, 0, 1, 1, 1, 0, 0, CLIPS - 1) == counted(synced(music / "a", "--json"))


def test_many_removals_are_refused(synced: Run, music: Path, tmp_path: Path) -> None:
    """More than a fifth looks like an unmounted disk: new files are added, and removals need --allow-removals."""
    for number in range(3, 6):
        (music / f"{number:04}.flac").unlink()
    (music / "0006.flac").rename(music / "renamed.flac")
    refused = synced()

    assert 1 == refused.exit_code
    example = f"for example {music / '0003.flac'}."
    assert f"Refused to remove 3 of 12 tracks whose files are missing, {example}" in refused.stderr
    assert "--allow-removals" in refused.stderr
    assert "1 added" in refused.stdout
    with open_store(tmp_path / "data") as store:
        assert CLIPS == store.count()
    assert (0, 0, CLIPS - 3, 4, 3, 0, 0, CLIPS - 3) == counted(synced("--allow-removals", "--json"))


def test_an_empty_folder_is_refused(synced: Run, music: Path, tmp_path: Path) -> None:
    """The folder of a disk that is not mounted is empty, however few tracks of the catalogue it has."""
    shutil.rmtree(music / "a")
    (music / "a").mkdir()
    refused = synced(music / "a", music)

    assert 1 == refused.exit_code
    assert f"There is no music under {music / 'a'}: " in refused.stderr
    with open_store(tmp_path / "data") as store:
        assert CLIPS == store.count()
    assert (0, 0, 0, 2, 2, 0, 0, CLIPS - 2) == counted(synced(music / "a", "--allow-removals", "--json"))


def test_an_unreadable_file_is_not_missing(synced: Run, music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that does not answer loses no track."""
    stat = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if path.parent == music / "a":
            raise OSError(5, "Input/output error")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    ended = synced("--json", "--allow-removals")

    assert (0, 0, CLIPS - 2, 0, 0, 2, 0, CLIPS) == counted(ended)


@pytest.mark.parametrize("option", ["--dry-run", "--jobs=1"])
def test_the_report_says_what_is_left_out(synced: Run, music: Path, option: str) -> None:
    """Two lines follow the counts, of a run and of a dry run; a CUE sheet has one of its own."""
    for name in ("a/1.jpg", "a/2.JPG", "album.cue", "._0003.flac", "@eaDir/0003.flac"):
        (music / name).parent.mkdir(exist_ok=True)
        (music / name).touch()
    ended = synced(option)

    _, left_out, advice = ended.stdout.splitlines()
    reasons = "3 files that are not music (.jpg 2, .cue 1), 1 resource fork, 1 system folder (@eaDir 1)"
    assert f"Left out: {reasons}." == left_out
    assert "1 CUE sheet was not read: each file is one track." == advice
    assert "" == synced(option, "--quiet").stdout


def test_a_system_folder_that_is_named_is_indexed(synced: Run, music: Path) -> None:
    """The user may want the music in it."""
    (music / "#recycle").mkdir()
    shutil.copy(music / "0005.flac", music / "#recycle" / "copy.flac")

    assert (1, 0, CLIPS, 0, 0, 0, 1, CLIPS) == counted(synced(music, music / "#recycle", "--json"))


def test_a_dry_run_does_nothing(synced: Run, music: Path, tmp_path: Path) -> None:
    """It counts what a run would do, and says that nothing was changed."""
    (music / "0006.flac").rename(music / "renamed.flac")
    (music / "0007.flac").touch()
    ended = synced("--dry-run")

    # The renamed file, and all others if they were restored after another test, so that their status is new.
    printed = re.sub(r" (1|11) rechecked,", "", ended.stdout)
    counts = "1 added, 1 updated, 10 unchanged, 1 forgotten, 0 failed"
    assert f"Dry run: nothing was changed. A run would count {counts}, and remove 1 track.\n" == printed
    assert not (tmp_path / "data" / "snapshots").exists()
    with open_store(tmp_path / "data") as store:
        assert (CLIPS, CLIPS) == (store.count(), store.revision())


def test_a_dry_run_announces_a_refusal(synced: Run, music: Path) -> None:
    """It says that the run needs --allow-removals."""
    for number in range(3, 7):
        (music / f"{number:04}.flac").unlink()
    ended = synced("--dry-run")

    assert 0 == ended.exit_code
    assert "remove 4 tracks.\nThat is more than 20 % of the tracks: the run needs --allow-removals" in ended.stdout


def test_a_dry_run_of_add_creates_no_catalogue(music: Path, tmp_path: Path, tiny_model: Path) -> None:
    """It counts the files, and does not search for missing ones."""
    ended = run("add", music, "--data", tmp_path / "new", "--model", tiny_model, "--dry-run", "--json")

    assert (CLIPS, 0, 0, 0, 0, 0, 0, 0) == counted(ended)
    assert json.loads(ended.stdout)["dry_run"]
    with open_store(tmp_path / "new") as store:
        assert store.identity() is None


def test_another_file_of_the_same_size_and_time(synced: Run, music: Path) -> None:
    """A new file that only looks like a moved one is decoded."""
    old, new = music / "0005.flac", music / "0006.flac"
    content, state = bytearray(old.read_bytes()), old.stat()
    new.unlink()
    old.unlink()
    content[30] ^= 1  # in the digest of the samples, by which FLAC files are identified
    (music / "other.flac").write_bytes(content)
    os.utime(music / "other.flac", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert 1 == json.loads(synced("--json", "--allow-removals").stdout)["decoded"]
