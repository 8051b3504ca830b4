from __future__ import annotations

from pathlib import Path

import pytest

from segue.trainer.export import _put


def folder(path: Path, text: str) -> Path:
    """A folder with a file of this text."""
    path.mkdir()
    (path / "manifest.json").write_text(text)
    return path


def test_an_older_artifact_makes_way(tmp_path: Path) -> None:
    """The new one stands in its place."""
    fresh, place = folder(tmp_path / "fresh", "new"), folder(tmp_path / "place", "old")
    _put(fresh, place, tmp_path / "older")
    assert ("new", "old") == tuple((tmp_path / part / "manifest.json").read_text() for part in ("place", "older"))


def test_an_older_artifact_comes_back(tmp_path: Path) -> None:
    """Where the new one cannot be moved, the old one stands where it stood."""
    place = folder(tmp_path / "place", "old")
    with pytest.raises(FileNotFoundError):
        _put(tmp_path / "missing", place, tmp_path / "older")
    assert "old" == (place / "manifest.json").read_text()
    assert [place] == list(tmp_path.iterdir())
