from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from segue.core.catalogue.records import FailureRecord, PathRecord
from segue.indexer.pipeline.examine import Failure
from segue.indexer.pipeline.scan import MusicFile, Skipped, Unchanged, classify_files, find_file, find_music
from segue.indexer.text import display_path


class Records:
    """Remembers files, and how often it was asked."""

    def __init__(self, *records: PathRecord) -> None:
        self.records = {record.path: record for record in records}
        self.failed: dict[str, FailureRecord] = {}
        self.asked = 0

    def files(self, paths: Sequence[str]) -> list[PathRecord | None]:
        """The records of these paths."""
        self.asked += 1
        return [self.records.get(path) for path in paths]

    def failures(self, paths: Sequence[str]) -> list[FailureRecord | None]:
        """How these files failed."""
        return [self.failed.get(path) for path in paths]


def touch(folder: Path, *names: str) -> None:
    """Makes empty files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_music_is_found_in_order(tmp_path: Path) -> None:
    """Files with a known ending come sorted, folder by folder; hidden ones and AppleDouble files do not come."""
    touch(tmp_path, "b.mp3", "a/z.FLAC", "a/b/c.ogg", "c.txt", ".hidden.wav", ".git/x.wav", "._b.mp3")

    found = list(find_music([tmp_path]))

    assert [tmp_path / "a/b/c.ogg", tmp_path / "a/z.FLAC", tmp_path / "b.mp3"] == found


def test_a_named_file_is_taken_whatever_its_ending(tmp_path: Path) -> None:
    """A path that is a file is meant, also where a folder's walk would leave it out."""
    touch(tmp_path, ".noise.txt")

    assert [tmp_path / ".noise.txt"] == list(find_music([tmp_path / ".noise.txt"]))


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file has the same path from wherever it is named, so that it is known again."""
    touch(tmp_path, "music/a.mp3")
    monkeypatch.chdir(tmp_path / "music")

    assert [tmp_path / "music/a.mp3"] == list(find_music([Path("../music/./")]))


def test_loops_of_links_end(tmp_path: Path) -> None:
    """A link that leads back up is not followed for ever, and no folder is walked twice."""
    touch(tmp_path, "b/song.mp3")
    (tmp_path / "b/up").symlink_to(tmp_path)
    (tmp_path / "a").symlink_to(tmp_path / "b")

    assert [tmp_path / "b/song.mp3"] == list(find_music([tmp_path, tmp_path / "b"]))


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    """Pipes and links to nothing may be named like music; opening them would wait for ever, or fail."""
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nothing")

    assert [] == list(find_music([tmp_path]))


def test_a_link_to_itself_is_a_failure(tmp_path: Path) -> None:
    """What cannot be followed is named, and costs no other file."""
    touch(tmp_path, "a.mp3", "z.mp3")
    (tmp_path / "loop.mp3").symlink_to("loop.mp3")

    *music, failure = find_music([tmp_path])

    assert [tmp_path / "a.mp3", tmp_path / "z.mp3"] == music
    assert isinstance(failure, Failure)
    assert (str(tmp_path / "loop.mp3"), "FILE_UNREADABLE") == (failure.path, failure.reason)


def test_a_folder_that_cannot_be_read_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be walked is named, and the walk goes on."""
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


def test_a_file_is_unchanged_while_size_and_time_stand(tmp_path: Path) -> None:
    """A known file is to be heard again if its size or its time changed, and only then."""
    touch(tmp_path, "new.mp3", "same.mp3", "touched.mp3")
    state = (tmp_path / "same.mp3").stat()
    records = Records(
        PathRecord(str(tmp_path / "same.mp3"), state.st_size, state.st_mtime_ns, "1"),
        PathRecord(str(tmp_path / "touched.mp3"), state.st_size, state.st_mtime_ns - 1, "2"),
    )

    new, same, touched = classify_files(find_music([tmp_path]), records)

    assert isinstance(same, Unchanged)
    assert isinstance(new, MusicFile)
    assert not new.known
    assert isinstance(touched, MusicFile)
    assert touched.known


def test_a_bad_file_is_skipped_until_it_changes(tmp_path: Path) -> None:
    """What failed is not opened again while size and time stand; what could not be read costs nothing to try."""
    touch(tmp_path, "bad.mp3", "locked.mp3", "replaced.mp3")
    records = Records()
    for name, reason, age in (("bad", "R", 0), ("locked", "FILE_UNREADABLE", 0), ("replaced", "R", 1)):
        path = tmp_path / f"{name}.mp3"
        records.failed[str(path)] = FailureRecord(str(path), 0, path.stat().st_mtime_ns - age, reason, "Why.", 0)

    bad, locked, replaced = classify_files(find_music([tmp_path]), records)

    assert isinstance(bad, Skipped)
    assert isinstance(locked, MusicFile)
    assert isinstance(replaced, MusicFile)


def test_a_bad_file_that_is_named_is_heard_again(tmp_path: Path) -> None:
    """Whoever names a file that failed, and not its folder, wants to hear why."""
    touch(tmp_path, "bad.mp3")
    path, records = tmp_path / "bad.mp3", Records()
    records.failed[str(path)] = FailureRecord(str(path), 0, path.stat().st_mtime_ns, "R", "Why.", 0)
    (bad,) = classify_files(find_music([path]), records, named=[path])
    assert isinstance(bad, MusicFile)


def test_many_files_are_looked_up_in_few_questions(tmp_path: Path) -> None:
    """The store is asked for hundreds of files at once."""
    touch(tmp_path, *(f"{number}.mp3" for number in range(501)))
    records = Records()

    assert 501 == len(list(classify_files(find_music([tmp_path]), records)))
    assert 2 == records.asked


def test_a_file_that_vanishes_is_a_failure(tmp_path: Path) -> None:
    """A file may go between the walk and the look at it."""
    (failure,) = classify_files([tmp_path / "gone.mp3"], Records())

    assert isinstance(failure, Failure)
    assert "FILE_UNREADABLE" == failure.reason


@pytest.mark.parametrize("name", [b"caf\xc3\xa9.mp3", b"caf\xe9.mp3", b"\\xe9.mp3", b"\xff\xfe.mp3"])
def test_a_file_is_found_again_by_its_text(tmp_path: Path, name: bytes) -> None:
    """Whatever bytes a name is made of, what was written down leads back to the file; once it is gone, to none."""
    path = tmp_path / os.fsdecode(name)
    path.touch()

    assert path == find_file(display_path(path))
    path.unlink()
    assert find_file(display_path(path)) is None


def test_a_disk_that_does_not_answer_is_not_a_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a file is there cannot always be told."""

    def refuse(path: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(PermissionError):
        find_file("/music/a.mp3")
