from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tests.integration.client.answers import SCORES, TRACKS
from tests.integration.client.conftest import Peer

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_there_are_examples() -> None:
    """The README has examples, so that the test below runs some."""
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(
    example: str, peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The examples of the README run unchanged, with a server and a song."""
    assert "127.0.0.1:50051" in example
    monkeypatch.chdir(tmp_path)
    (tmp_path / "song.mp3").write_bytes(b"ID3")
    script = tmp_path / "example.py"
    script.write_text(example.replace("127.0.0.1:50051", peer.address), encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")
    clips = [r.audio.content for r in peer.received if "audio" in {field.name for field, _ in r.ListFields()}]
    assert [b"ID3"] * example.count("song.mp3") == clips
    printed = capsys.readouterr().out
    expected = [TRACKS[0].title, *([SCORES[0].genre] if ".classify(" in example else [])]
    assert [] == [name for name in expected if name not in printed]
