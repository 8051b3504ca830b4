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
    """SEGUE_DATA is first, then the user's folder for data as the XDG specification has it."""
    for name in ("SEGUE_DATA", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **environment}.items():
        monkeypatch.setenv(name, value)
    assert Path(expected) == default_data_folder()


def test_the_model_that_ships() -> None:
    """The shipped artifact is where --model looks for it."""
    assert (default_model() / "manifest.json").is_file()


def test_a_model_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One word is a model that ships, unless a folder of that name is there; anything else is a path."""
    monkeypatch.chdir(tmp_path)
    assert default_model().parent / "segue-fast" == resolve_model("segue-fast")
    assert Path("./mine") == resolve_model("./mine")
    assert Path("unknown") == resolve_model("unknown")
    (tmp_path / "segue-fast").mkdir()
    assert Path("segue-fast") == resolve_model("segue-fast")


@pytest.mark.parametrize("name", ["", ".", "..", "segue-fast/", "./segue-fast", "n" * 300, "seg\0ue", "file"])
def test_what_is_no_name_is_a_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens it says what is wrong with it; to look it up never fails."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert Path(name) == resolve_model(name)


@pytest.mark.parametrize(("program", "command"), [("server", "doctor"), ("indexer", "add"), ("trainer", "evaluate")])
def test_a_model_of_a_name_that_is_too_long_is_a_sentence(program: str, command: str, tmp_path: Path) -> None:
    """In every program that takes one."""
    (tmp_path / "a.wav").touch()
    options = {"trainer": ["--input", str(tmp_path)], "indexer": [str(tmp_path)]}.get(program, [])
    call = [sys.executable, "-m", f"segue.{program}", command, *options, "--model", "n" * 300]
    environment = os.environ | {"SEGUE_DATA": str(tmp_path / "data")}
    ended = subprocess.run(call, capture_output=True, text=True, check=False, env=environment)
    assert 1 == ended.returncode
    assert "There is no model in nnn" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("program", ["server", "indexer", "trainer"])
def test_a_command_is_light(program: str) -> None:
    """To declare a program's options, and so to print its --help, takes no client, no array and no network."""
    heavy = {"redis", "numpy", "tensorflow"}
    script = f"import sys, segue.{program}.cli; print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "set()" == answer.stdout.strip()
