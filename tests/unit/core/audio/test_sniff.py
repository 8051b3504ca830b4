from __future__ import annotations

import struct

import pytest

from segue.core.audio.sniff import has_last_page, is_cut_in_fragment
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode


def encoded_clip(rate: int, container: str, subtype: str | None, seconds: float = 12.5) -> memoryview:
    """Returns the bytes of a rendered clip."""
    return memoryview(encode(render_clip(1, seconds, rate), rate, container, subtype))


LOSSY = {
    kind: encoded_clip(48_000, container, subtype, seconds=20.0)
    for kind, container, subtype in (("vorbis", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"))
}


@pytest.mark.parametrize("kind", ["vorbis", "opus"])
@pytest.mark.parametrize("missing", [10_000, 100_000])
def test_a_truncated_ogg(kind: str, missing: int) -> None:
    """A file that was cut off anywhere is recognized, and a whole file is not mistaken for one."""
    whole = LOSSY[kind]
    assert (True, False) == (has_last_page(whole), has_last_page(whole[:-missing]))


@pytest.mark.parametrize(("kept", "is_cut"), [(48, False), (47, False), (36, False), (35, True), (23, True)])
def test_a_truncated_fragment(kept: int, is_cut: bool) -> None:
    """A fragmented MP4 was cut off if it ends within a fragment, but not if it ends within its index."""
    whole = b"".join(struct.pack(">I4s4x", 12, name) for name in (b"ftyp", b"moof", b"mdat", b"mfra"))
    assert is_cut == is_cut_in_fragment(memoryview(whole[:kept]))
