"""Measures how much the memory of a server grows with large clips, and how long their calls take.

    python benchmarks/large_clips.py

Sends 10 min of FLAC and 1 h of WAV to a server of its own, as clips and as seeds. Linux only.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from segue.client import Client
from segue.core.testing.synthetic_clips import render_clip

RATE = 44_100
BIN = Path(sys.executable).parent


def write_track(path: Path, seconds: int) -> Path:
    """Writes a stereo track of noise at CD quality."""
    rng = np.random.default_rng(seconds)
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
        for _ in range(seconds):
            file.write(rng.uniform(-0.9, 0.9, (RATE, 2)))
    return path


def process_tree(pid: int) -> Iterator[int]:
    """Yields a process and all of its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from process_tree(int(child))


def resident_mebibytes(pid: int) -> float:
    """Returns the resident memory of a process and its descendants, with the files that they map."""
    pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in process_tree(pid))
    return pages * 4096 / 2**20


@contextmanager
def running_server(folder: Path) -> Iterator[tuple[int, str]]:
    """Starts a server over three tracks; yields its process id and its address."""
    music, data, address = folder / "music", folder / "data", f"unix:{folder}/socket"
    music.mkdir()
    for kind in range(3):
        soundfile.write(music / f"{kind}.wav", render_clip(kind, 10.0), 22_050)
    model = ("--model", "segue-fast")
    subprocess.run([BIN / "segue-indexer", "add", music, "--data", data, *model], check=True, capture_output=True)
    server = subprocess.Popen([BIN / "segue-server", "--data", data, "--listen", address, *model])
    try:
        yield server.pid, address
    finally:
        server.terminate()
        server.wait()


def measure(name: str, pid: int, call: Callable[[], object]) -> None:
    """Prints the time of a call, and how much the memory of the server grew at its peak."""
    before, over, peaks = resident_mebibytes(pid), threading.Event(), [0.0]

    def watch() -> None:
        while not over.wait(0.02):
            peaks.append(resident_mebibytes(pid))

    watcher, start = threading.Thread(target=watch), time.perf_counter()
    watcher.start()
    call()
    seconds = time.perf_counter() - start
    over.set()
    watcher.join()
    print(f"{name:28} {seconds:6.1f} s   {max(peaks) - before:+6.1f} MiB")


def main() -> None:
    """Prints a line for each call."""
    with tempfile.TemporaryDirectory() as name, running_server(Path(name)) as (pid, address):
        tracks = [write_track(Path(name, "ten-minutes.flac"), 600), write_track(Path(name, "an-hour.wav"), 3_600)]
        with Client(address, wait_for_ready=True) as client:
            client.classify(Path(name, "music", "0.wav"))
            for track in tracks:
                print(f"{track.name}: {track.stat().st_size / 1e6:.0f} MB")
                measure(f"classify {track.name}", pid, partial(client.classify, track))
                measure(f"recommend {track.name}", pid, partial(client.recommend, track))


if __name__ == "__main__":
    main()
