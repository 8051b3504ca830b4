from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segue.core.paths import default_data_folder, default_model, resolve_model


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SEGUE_DATA": "/music-data", "XDG_DATA_HOME": "/xdg"}, "/music-data"),
        ({"XDG_DATA_HOME": "/xdg"}, "/xdg/segue"),
        ({"XDG_DATA_HOME": "relative"}, "/home/me/.local/share/segue"),
        ({}, "/home/me/.local/share/segue"),
    ],
)
def test_the_data_folder(environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data folder is SEGUE_DATA, or else the user's data folder by the XDG specification."""
    for name in ("SEGUE_DATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **environment}.items():
        monkeypatch.setenv(name, value)
    assert Path(expected) == default_data_folder()


def test_the_default_model() -> None:
    """The folder of the default artifact exists."""
    assert (default_model() / "manifest.json").is_file()


def test_a_model_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One word is a shipped model, unless a folder has that name; everything else is a path."""
    monkeypatch.chdir(tmp_path)
    assert default_model().parent / "segue-fast" == resolve_model("segue-fast")
    assert Path("./mine") == resolve_model("./mine")
    assert Path("unknown") == resolve_model("unknown")
    (tmp_path / "segue-fast").mkdir()
    assert Path("segue-fast") == resolve_model("segue-fast")


@pytest.mark.parametrize("name", ["", ".", "..", "segue-fast/", "./segue-fast", "n" * 300, "seg\0ue", "file"])
def test_other_texts_are_paths(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving never fails; opening an invalid path fails later, with its own error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert Path(name) == resolve_model(name)


@pytest.mark.parametrize(("program", "command"), [("server", "doctor"), ("indexer", "add"), ("trainer", "evaluate")])
def test_a_model_name_that_is_too_long(program: str, command: str, tmp_path: Path) -> None:
    """Every program with --model gives an error message, not a traceback."""
    (tmp_path / "a.wav").touch()
    options = {"trainer": ["--input", str(tmp_path)], "indexer": [str(tmp_path)]}.get(program, [])
    command_line = [sys.executable, "-m", f"segue.{program}", command, *options, "--model", "n" * 300]
    environment = os.environ | {"SEGUE_DATA": str(tmp_path / "data")}
    result = subprocess.run(command_line, capture_output=True, text=True, check=False, env=environment)
    assert 1 == result.returncode
    assert "There is no model in nnn" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("program", ["server", "indexer", "trainer"])
def test_help_imports_no_large_library(program: str) -> None:
    """The options of a program, and so its --help, need no Redis client, no NumPy and no TensorFlow."""
    heavy = {"redis", "numpy", "tensorflow"}
    script = f"import sys, segue.{program}.cli; print({heavy} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "set()" == loaded.stdout.strip()
