"""What it costs to hear a piece while it arrives: each window from what is there, beside the whole at once.

    python benchmarks/arriving.py [SECONDS]

Processor time of decoding and front end on one core, as the ratio of both in this run; the network is not in it.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable

import soundfile

from segue.core.features.config import FeatureConfig
from segue.core.features.extract import extract
from segue.core.features.extract_partial import extract_partial
from segue.core.testing.synthetic_clips import render_clip

KINDS = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]
CONFIG = FeatureConfig()
RUNS = 3


def encoded(seconds: float, container: str, subtype: str | None) -> bytes:
    """A rendered stereo clip as the bytes of a file."""
    file = io.BytesIO()
    clip = render_clip(4, seconds, 48_000)
    with soundfile.SoundFile(file, "w", 48_000, 2, format=container, subtype=subtype) as writer:
        for start in range(0, len(clip), 48_000):  # libsndfile's Vorbis encoder cannot bear much at once
            writer.write(clip[start : start + 48_000].repeat(2).reshape(-1, 2))
    return file.getvalue()


def window_by_window(content: bytes, count: int) -> None:
    """Hears each window when the bytes that hold it have come, and half a window more: bit rates vary."""
    for number in range(count):
        there = content[: int(len(content) * (number + 1.5) / count)]
        if not extract_partial(there, CONFIG, number, 1, ended=number == count - 1).windows:
            raise SystemExit(f"window {number} had not come")


def cost(work: Callable[[], object]) -> float:
    """The least processor time of some runs, in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Prints a line for each kind of file."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    count = int(seconds / 3.1)
    print(f"{seconds:g} s in {count} windows of 3 s")
    for container, subtype in KINDS:
        content = encoded(seconds, container, subtype)
        extract(content, CONFIG, count)  # loads what the first call loads
        whole = cost(lambda content=content: extract(content, CONFIG, count))  # type: ignore[misc] # bound at once
        parts = cost(lambda content=content: window_by_window(content, count))  # type: ignore[misc] # likewise
        print(f"{subtype or container:8} whole {1e3 * whole:6.0f} ms, window by window {parts / whole:5.2f} times that")


if __name__ == "__main__":
    main()
