"""Compares extracting each window of a clip as its bytes arrive with extracting the whole clip at once.

    python benchmarks/arriving.py [SECONDS]

Prints the processor time of decoding and front end on one core, and the ratio of both in this run; the model does not
run.
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

FORMATS = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]
CONFIG = FeatureConfig()
RUNS = 3


def encoded(seconds: float, container: str, subtype: str | None) -> bytes:
    """Returns a rendered stereo clip as the bytes of a file."""
    file = io.BytesIO()
    clip = render_clip(4, seconds, 48_000)
    with soundfile.SoundFile(file, "w", 48_000, 2, format=container, subtype=subtype) as writer:
        for start in range(0, len(clip), 48_000):  # libsndfile's Vorbis encoder fails on long blocks
            writer.write(clip[start : start + 48_000].repeat(2).reshape(-1, 2))
    return file.getvalue()


def extract_windows(content: bytes, count: int) -> None:
    """Extracts each window once its bytes and those of half a window more have arrived: bit rates vary."""
    for number in range(count):
        arrived = content[: int(len(content) * (number + 1.5) / count)]
        if not extract_partial(arrived, CONFIG, number, 1, ended=number == count - 1).windows:
            raise SystemExit(f"window {number} cannot be extracted from the bytes that arrived")


def processor_seconds(work: Callable[[], object]) -> float:
    """Returns the lowest processor time of a few runs, in seconds."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Prints a line for each format."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    count = int(seconds / 3.1)
    print(f"{seconds:g} s in {count} windows of 3 s")
    for container, subtype in FORMATS:
        content = encoded(seconds, container, subtype)
        extract(content, CONFIG, count)  # the first call loads modules
        whole = processor_seconds(lambda content=content: extract(content, CONFIG, count))  # type: ignore[misc] # bound at once
        parts = processor_seconds(lambda content=content: extract_windows(content, count))  # type: ignore[misc] # likewise
        print(f"{subtype or container:8} whole {1e3 * whole:6.0f} ms, window by window {parts / whole:5.2f} times that")


if __name__ == "__main__":
    main()
