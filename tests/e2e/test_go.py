"""The example of a client in Go, as its page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "clients" / "examples"
TOOLS = ROOT / ".tools"


def in_shell(command: str, folder: Path) -> str:
    """What a line of the page prints, with Go's tools on the PATH."""
    environment = os.environ | {
        "PATH": f"{TOOLS}:{os.environ['PATH']}",
        "GOBIN": str(TOOLS),
        "GOSUMDB": "off",
        "GOFLAGS": "-mod=readonly",
        "PROTOC": f"{sys.executable} -m grpc_tools.protoc",
    }
    done = subprocess.run(
        ["bash", "-euc", command],  # noqa: S607 - the PATH's own
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, with its code generated."""
    if shutil.which("go") is None:
        pytest.skip("Go is not on the PATH")
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not in this environment: scripts/test has it")
    folder = tmp_path_factory.mktemp("go") / "example"
    shutil.copytree(EXAMPLES / "go", folder)
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"^go install .*$", page, re.MULTILINE):
        try:
            in_shell(line, folder)
        except AssertionError as error:
            pytest.skip(f"Go's modules cannot be had here: {str(error)[-200:]}")
    in_shell(f"./generate '{ROOT / 'proto'}'", folder)
    return folder


def test_a_clip_is_classified(example: Path, server: str, clips: list[Path]) -> None:
    """The example prints the ten genres of a clip, best first."""
    lines = [line.split("\t") for line in in_shell(f"go run . {server} '{clips[0]}'", example).splitlines()]
    scores = [float(score) for _, score in lines]
    assert 10 == len(lines)
    assert sorted(scores, reverse=True) == scores


def test_a_failure_is_told(example: Path, server: str, tmp_path: Path) -> None:
    """What the server refuses is told by its sentence."""
    (tmp_path / "text.mp3").write_text("This is not music. " * 100)
    with pytest.raises(AssertionError, match="not audio that can be decoded"):
        in_shell(f"go run . {server} '{tmp_path / 'text.mp3'}'", example)
