from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import FailureRecord, PathRecord
from segue.indexer.pipeline.left_out import MAX_NAMES, LeftOut
from segue.indexer.pipeline.records import Failure, MusicFile, Skipped, Unchanged
from segue.indexer.pipeline.scan import classify_files, find_file, find_music


class Records:
    """Records of files, and the number of queries."""

    def __init__(self, *records: PathRecord) -> None:
        self.records = {record.path: record for record in records}
        self.failed: dict[str, FailureRecord] = {}
        self.queries = 0
        self.tracks = 0

    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """Returns the records of these paths."""
        self.queries += 1
        return [self.records.get(path) for path in paths]

    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """Returns the failures of these paths."""
        return [self.failed.get(path) for path in paths]

    def count(self) -> int:
        """Returns the number of tracks, one for each file unless a test says another."""
        return self.tracks or len(self.records)

    def all_files(self) -> list[PathRecord]:
        """Returns all records."""
        return list(self.records.values())


def touch(folder: Path, *names: str) -> None:
    """Creates empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_music_is_found_in_order(tmp_path: Path) -> None:
    """Files with a known ending are sorted, folder by folder."""
    touch(tmp_path, "b.mp3", "a/z.FLAC", "a/b/c.ogg", "c.txt", "README", ".mp3")

    assert [tmp_path / "a/b/c.ogg", tmp_path / "a/z.FLAC", tmp_path / "b.mp3"] == list(find_music([tmp_path]))


def test_a_name_may_begin_with_dots(tmp_path: Path) -> None:
    """Albums and songs have such titles; only resource forks of macOS are left out."""
    names = ["...And Justice for All/...a.mp3", "..Hits/b.mp3", ".hack/.c.mp3", "...Baby One More Time.mp3"]
    touch(tmp_path, *names, "._b.mp3", "..Hits/._b.mp3")
    left_out = LeftOut()

    assert {tmp_path / name for name in names} == set(find_music([tmp_path], left_out))
    assert LeftOut(resource_fork=2) == left_out


def test_system_folders_are_not_walked(tmp_path: Path) -> None:
    """Bins, thumbnails and snapshots hold no music of the user; they are counted by their names."""
    touch(tmp_path, "a/@eaDir/a.mp3", "b/@eaDir/b.mp3", "#recycle/c.mp3", ".Trash-1000/d.mp3", "$Recycle.Bin/e.txt")
    left_out = LeftOut()

    assert [] == list(find_music([tmp_path], left_out))
    names = {"@eaDir": 2, "#recycle": 1, ".Trash-1000": 1, "$Recycle.Bin": 1}
    assert LeftOut(system_folder=names) == left_out


def test_what_is_named_is_taken_whatever_its_name(tmp_path: Path) -> None:
    """Named files and folders are music, even if the walk of their folder would leave them out; they do not count."""
    touch(tmp_path, "notes.txt", "._a.mp3", "#recycle/deleted.mp3", "other.txt")
    named = [tmp_path / "notes.txt", tmp_path / "._a.mp3"]
    left_out = LeftOut()

    assert [tmp_path / "#recycle/deleted.mp3", *named] == list(
        find_music([tmp_path, tmp_path / "#recycle", *named], left_out)
    )
    assert LeftOut(not_music={".txt": 1}) == left_out


def test_what_is_no_music_is_counted(tmp_path: Path) -> None:
    """Files are counted by their endings, in lower case; text after the last dot of a title is no ending."""
    touch(tmp_path, "a.jpg", "b.JPG", "sheet.cue", "README", "a song feat. Someone", ".DS_Store")
    (tmp_path / "gone.mp3").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe.mp3")
    left_out = LeftOut()

    assert [] == list(find_music([tmp_path], left_out))
    endings = {".jpg": 2, ".cue": 1, ".ds_store": 1, "no ending": 2}
    assert LeftOut(not_music=endings, not_a_file=2) == left_out


def test_many_endings_need_little_memory(tmp_path: Path) -> None:
    """A folder may hold as many endings as files; those beyond the first are counted together."""
    touch(tmp_path, *(f"part.{number}" for number in range(3 * MAX_NAMES)))
    left_out = LeftOut()

    assert [] == list(find_music([tmp_path], left_out))
    assert MAX_NAMES + 1 == len(left_out.not_music)
    assert 2 * MAX_NAMES == left_out.not_music["other"]


def test_some_music_needs_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ffmpeg on the PATH, endings that only it decodes are left out, but AAC is as usual as MP3."""
    programs, music = tmp_path / "bin", tmp_path / "music"
    touch(music, "a.ape", "b.MP+", "c.m4a")
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    left_out = LeftOut()

    assert [music / "c.m4a"] == list(find_music([music], left_out))
    assert LeftOut(needs_ffmpeg={".ape": 1, ".mp+": 1}) == left_out
    (programs / "ffmpeg").touch(mode=0o755)
    assert [music / "a.ape", music / "b.MP+", music / "c.m4a"] == list(find_music([music]))


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file has the same path whatever the working folder, so that the catalogue recognizes it."""
    touch(tmp_path, "music/a.mp3")
    monkeypatch.chdir(tmp_path / "music")

    assert [tmp_path / "music/a.mp3"] == list(find_music([Path("../music/./")]))


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    """A link that leads back up is not followed forever, and no folder is walked twice."""
    touch(tmp_path, "b/song.mp3")
    (tmp_path / "b/up").symlink_to(tmp_path)
    (tmp_path / "a").symlink_to(tmp_path / "b")

    assert [tmp_path / "b/song.mp3"] == list(find_music([tmp_path, tmp_path / "b"]))


def test_only_regular_files_are_found(tmp_path: Path) -> None:
    """A pipe or a broken link may be named like music; opening it would wait forever, or fail."""
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nothing")

    assert [] == list(find_music([tmp_path]))


def test_a_link_to_itself_is_a_failure(tmp_path: Path) -> None:
    """The link is reported, and the other files are found."""
    touch(tmp_path, "a.mp3", "z.mp3")
    (tmp_path / "loop.mp3").symlink_to("loop.mp3")

    *music, failure = find_music([tmp_path])

    assert [tmp_path / "a.mp3", tmp_path / "z.mp3"] == music
    assert isinstance(failure, Failure)
    assert (str(tmp_path / "loop.mp3"), "FILE_UNREADABLE") == (failure.path, failure.reason)


def test_a_folder_that_cannot_be_read_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is reported, and the walk continues."""
    touch(tmp_path, "a/x.mp3", "b/y.mp3")
    scan = os.scandir

    def refuse(path: Path) -> object:
        if path == tmp_path / "a":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    failure, music = find_music([tmp_path])

    assert isinstance(failure, Failure)
    assert (str(tmp_path / "a"), "FILE_UNREADABLE") == (failure.path, failure.reason)
    assert tmp_path / "b/y.mp3" == music


def test_a_file_with_the_same_size_and_time_is_unchanged(tmp_path: Path) -> None:
    """An indexed file is examined again only if its size or one of its times changed."""
    touch(tmp_path, "new.mp3", "same.mp3", "status.mp3", "touched.mp3")
    state = (tmp_path / "same.mp3").stat()
    records = Records(
        PathRecord(str(tmp_path / "same.mp3"), state.st_size, state.st_mtime_ns, "1"),
        PathRecord(str(tmp_path / "touched.mp3"), state.st_size, state.st_mtime_ns - 1, "2"),
        PathRecord(str(tmp_path / "status.mp3"), state.st_size, state.st_mtime_ns, "3", state.st_ctime_ns - 1),
    )
    os.utime(tmp_path / "status.mp3", ns=(state.st_atime_ns, state.st_mtime_ns))

    new, same, status, touched = classify_files(find_music([tmp_path]), records)

    assert isinstance(same, Unchanged)
    assert isinstance(new, MusicFile)
    assert not new.known
    assert isinstance(touched, MusicFile)
    assert (True, "") == (touched.known, touched.expected_id)
    assert isinstance(status, MusicFile)
    assert "3" == status.expected_id


def test_a_moved_file_is_expected_to_have_its_audio(tmp_path: Path) -> None:
    """A new file of the size and time of an indexed one has its track, unless such files have different tracks."""
    touch(tmp_path, "moved.mp3", "twins.mp3", "new.mp3")
    for number, name in enumerate(("moved.mp3", "twins.mp3", "new.mp3")):
        os.utime(tmp_path / name, ns=(number, number))
    records = Records(
        PathRecord("/old/moved.mp3", 0, 0, "1"),
        PathRecord("/old/copy.mp3", 0, 0, "1"),
        PathRecord("/old/twin.mp3", 0, 1, "2"),
        PathRecord("/old/other twin.mp3", 0, 1, "3"),
        PathRecord("/old/last twin.mp3", 0, 1, "2"),
        PathRecord("/old/larger.mp3", 1, 2, "4"),
    )
    found = {
        file.path.name: file for file in classify_files(find_music([tmp_path]), records) if isinstance(file, MusicFile)
    }
    assert {"moved.mp3": "1", "twins.mp3": "", "new.mp3": ""} == {
        name: file.expected_id for name, file in found.items()
    }
    assert not any(file.known for file in found.values())


def test_few_new_files_of_a_large_catalogue_are_not_looked_up(tmp_path: Path) -> None:
    """Reading all records would take longer than decoding one file."""
    touch(tmp_path, "moved.mp3")
    os.utime(tmp_path / "moved.mp3", ns=(0, 0))
    records = Records(PathRecord("/old/moved.mp3", 0, 0, "1"))
    for tracks, expected_id in ((5_000, "1"), (5_001, "")):
        records.tracks = tracks
        (file,) = classify_files(find_music([tmp_path]), records)
        assert isinstance(file, MusicFile)
        assert expected_id == file.expected_id


def test_a_failed_file_is_skipped_until_it_changes(tmp_path: Path) -> None:
    """It is opened again when its size or time changed; a file that could not be read is always tried again."""
    touch(tmp_path, "bad.mp3", "locked.mp3", "replaced.mp3")
    records = Records()
    for name, reason, age in (("bad", "R", 0), ("locked", "FILE_UNREADABLE", 0), ("replaced", "R", 1)):
        path = tmp_path / f"{name}.mp3"
        records.failed[str(path)] = FailureRecord(str(path), 0, path.stat().st_mtime_ns - age, reason, "Cause.", 0)

    bad, locked, replaced = classify_files(find_music([tmp_path]), records)

    assert isinstance(bad, Skipped)
    assert isinstance(locked, MusicFile)
    assert isinstance(replaced, MusicFile)


def test_a_failed_file_that_is_named_is_tried_again(tmp_path: Path) -> None:
    """Someone who names the file itself, and not its folder, wants to know why it failed."""
    touch(tmp_path, "bad.mp3")
    path, records = tmp_path / "bad.mp3", Records()
    records.failed[str(path)] = FailureRecord(str(path), 0, path.stat().st_mtime_ns, "R", "Cause.", 0)
    (bad,) = classify_files(find_music([path]), records, named=[path])
    assert isinstance(bad, MusicFile)


def test_many_files_need_few_queries(tmp_path: Path) -> None:
    """One query of the store has hundreds of files."""
    touch(tmp_path, *(f"{number}.mp3" for number in range(501)))
    records = Records()

    assert 501 == len(list(classify_files(find_music([tmp_path]), records)))
    assert 2 == records.queries


def test_a_file_that_vanishes_is_a_failure(tmp_path: Path) -> None:
    """A file may be deleted after the walk found it."""
    (failure,) = classify_files([tmp_path / "gone.mp3"], Records())

    assert isinstance(failure, Failure)
    assert "FILE_UNREADABLE" == failure.reason


@pytest.mark.parametrize("name", [b"caf\xc3\xa9.mp3", b"caf\xe9.mp3", b"\\xe9.mp3", b"\xff\xfe.mp3"])
def test_a_file_is_found_by_its_display_path(tmp_path: Path, name: bytes) -> None:
    """Whatever bytes the name has, the display path leads back to the file while it exists."""
    path = tmp_path / os.fsdecode(name)
    path.touch()

    assert path == find_file(display_path(path))
    path.unlink()
    assert find_file(display_path(path)) is None


def test_a_disk_that_does_not_answer_is_not_a_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk is raised, since the file may exist."""

    def refuse(path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(PermissionError):
        find_file("/music/a.mp3")
