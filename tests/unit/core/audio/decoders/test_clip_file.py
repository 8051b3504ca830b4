from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from segue.core.audio.pcm import PcmForm, wav_header

_PROGRAM = """
import resource, sys
from pathlib import Path
from segue.core.audio.decode import read_audio

used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + 2**26,) * 2)
print(read_audio(Path(sys.argv[1]), 22_050, lambda source: source.seconds))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory")
def test_a_repaired_file_needs_no_memory(tmp_path: Path) -> None:
    """A WAV from a pipe, whose header has a length of 0, is read in less memory than its size."""
    path, form = tmp_path / "piped.wav", PcmForm(22_050, 2, floats=False)
    with path.open("wb") as file:
        file.write(wav_header(form, 0))
        # It begins with silence, whose zeros could be an endless row of empty chunks.
        file.truncate(file.tell() + 3_600 * 22_050 * 4)
    ended = subprocess.run([sys.executable, "-c", _PROGRAM, str(path)], capture_output=True, text=True, check=False)
    assert "3600.0\n" == ended.stdout, ended.stderr
