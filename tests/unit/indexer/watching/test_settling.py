from __future__ import annotations

import os
from pathlib import Path

import pytest

from segue.indexer.watching.settling import Settling


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        """Returns the time in seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def settling(clock: Clock) -> Settling:
    """Files that must stay the same for two seconds."""
    return Settling(2.0, clock)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of one byte."""
    path = tmp_path / "song.flac"
    path.write_bytes(b"a")
    return path


def test_nothing(settling: Settling) -> None:
    """Without a file there is nothing to take and nothing to wait for."""
    assert ([], {}, None) == (settling.take_files(9), settling.take_missing(), settling.seconds_left())


def test_a_file_that_stays_the_same(settling: Settling, clock: Clock, file: Path) -> None:
    """It is taken after two seconds, once, however often it was added."""
    settling.add(file)
    clock.now += 1.5
    settling.add(file)
    assert ([], 0.5) == (settling.take_files(9), settling.seconds_left())
    clock.now += 0.5
    assert ([file], [], None) == (settling.take_files(9), settling.take_files(9), settling.seconds_left())


@pytest.mark.parametrize("is_reported", [True, False])
def test_a_file_that_grows(settling: Settling, clock: Clock, file: Path, is_reported: bool) -> None:
    """Each change makes it wait for two seconds more, also with one that is not reported."""
    settling.add(file)
    for size in range(2, 6):
        clock.now += 1.9
        file.write_bytes(b"a" * size)
        if is_reported:
            settling.add(file)
        clock.now += 0.2
        assert [] == settling.take_files(9)
    clock.now += 2
    assert [file] == settling.take_files(9)


def test_a_file_that_changes_its_time_alone(settling: Settling, clock: Clock, file: Path) -> None:
    """A new time is a change, as of a program that writes a whole file in place."""
    settling.add(file)
    os.utime(file, ns=(1, 1))
    clock.now += 2
    assert [] == settling.take_files(9)


def test_a_file_that_vanishes(settling: Settling, clock: Clock, file: Path) -> None:
    """It becomes a missing one, which waits for twice as long."""
    settling.add(file)
    file.unlink()
    clock.now += 2
    assert [] == settling.take_files(9)
    clock.now += 3.9
    assert {} == settling.take_missing()
    clock.now += 0.1
    assert ({file: False}, {}) == (settling.take_missing(), settling.take_missing())


def test_a_file_that_comes_back(settling: Settling, clock: Clock, file: Path) -> None:
    """It is no longer missing."""
    settling.add_missing(file)
    settling.add(file)
    clock.now += 9
    assert ({}, [file]) == (settling.take_missing(), settling.take_files(9))


def test_many_missing_files(settling: Settling, clock: Clock, tmp_path: Path) -> None:
    """They are taken together when no more have become missing for a while, or after a minute."""
    for number in range(40):
        settling.add_missing(tmp_path / str(number), is_folder=number == 0)
        assert {} == settling.take_missing()
        clock.now += 1.25
    settling.add_missing(tmp_path / "last")
    assert 4 == settling.seconds_left()
    clock.now += 4
    taken = settling.take_missing()
    assert (41, [tmp_path / "0"]) == (len(taken), [path for path, is_folder in taken.items() if is_folder])


def test_removals_that_never_end(settling: Settling, clock: Clock, tmp_path: Path) -> None:
    """A minute after the first they are taken, although more come."""
    for number in range(30):
        settling.add_missing(tmp_path / str(number))
        clock.now += 2
    assert 30 == len(settling.take_missing())


def test_the_limit_of_a_batch(settling: Settling, clock: Clock, tmp_path: Path) -> None:
    """The first files are taken first, and the others later."""
    files = [tmp_path / f"{number}.flac" for number in range(5)]
    for path in files:
        path.touch()
        settling.add(path)
    clock.now += 2
    assert (files[:3], files[3:], []) == (settling.take_files(3), settling.take_files(3), settling.take_files(3))
