from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue.core.errors import AudioTooLong, EnvironmentUnusable, Overloaded
from segue.server.inference.spool import Spool
from tests.helpers.machine.waiting import wait_until_async


def files_in(folder: Path) -> list[Path]:
    """The files of a folder."""
    return list(folder.iterdir())


async def test_a_clip_is_read_by_its_path(tmp_path: Path) -> None:
    """The bytes of a clip can be read by its path, its start can be replaced, and nothing is left of it."""
    spool = Spool(tmp_path, 100, 100)
    with spool.open() as clip:
        await clip.append(b"head")
        await clip.append(b" and tail")
        await clip.replace_start(b"HEAD")
        assert (b"HEAD and tail", 13, 13) == (clip.path.read_bytes(), clip.size, spool.used_bytes)
    assert (0, []) == (spool.used_bytes, files_in(tmp_path))


async def test_a_clip_above_the_limit(tmp_path: Path) -> None:
    """A clip may have the limit exactly, and not a byte more."""
    spool = Spool(tmp_path, 100, 10)
    with spool.open() as clip:
        await clip.append(bytes(10))
        with pytest.raises(AudioTooLong, match="more than 10 bytes") as raised:
            await clip.append(b"1")
        assert 10 == clip.size
    assert "10" == str(raised.value.facts["limit_bytes"])


async def test_the_header_of_raw_samples(tmp_path: Path) -> None:
    """The header that the server adds to raw samples counts towards no limit."""
    with Spool(tmp_path, 10, 10).open() as clip:
        await clip.append(bytes(4), b"header")
        await clip.append(bytes(6))
        assert (16, 10, 16) == (clip.size, clip.received, clip.path.stat().st_size)


async def test_clips_share_the_space(tmp_path: Path) -> None:
    """A clip that does not fit together with another is refused, and fits after the other has ended."""
    spool = Spool(tmp_path, 15, 10)
    with spool.open() as first:
        await first.append(bytes(10))
        with spool.open() as second, pytest.raises(Overloaded, match="other callers"):
            await second.append(bytes(6))
    with spool.open() as third:
        await third.append(bytes(10))
        assert 10 == spool.used_bytes


async def test_a_clip_larger_than_all_space(tmp_path: Path) -> None:
    """A clip that could never fit is too long: no other caller is to blame, and trying again does not help."""
    with Spool(tmp_path, 5, 10).open() as clip, pytest.raises(AudioTooLong, match="more than 5 bytes"):
        await clip.append(bytes(6))


async def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    """The error names the option."""
    with pytest.raises(EnvironmentUnusable, match="--spool"), Spool(tmp_path / "none", 10, 10).open():
        pass


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limits the size of the files that this process writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk(tmp_path: Path) -> None:
    """A clip that the disk does not hold is refused, and its space is free again."""
    spool = Spool(tmp_path, 2**30, 2**30)
    with spool.open() as clip, largest_file(1_000), pytest.raises(Overloaded, match="disk is full"):
        await clip.append(bytes(2_000))
    assert 0 == spool.used_bytes


async def test_a_caller_who_leaves_while_a_chunk_is_written(tmp_path: Path) -> None:
    """A clip that is closed in the middle of a write gives its space back."""
    spool = Spool(tmp_path, 2**30, 2**30)

    async def send() -> None:
        with spool.open() as clip:
            while True:
                await clip.append(bytes(2**20))

    sending = asyncio.create_task(send())
    await wait_until_async(lambda: spool.used_bytes > 2**22)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert 0 == spool.used_bytes
