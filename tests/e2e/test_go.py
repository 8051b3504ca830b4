"""The example of a client in Go, used as its page describes."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.helpers.machine import go_tools
from tests.helpers.machine.commands import output_of

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "clients" / "examples"
ENVIRONMENT = {
    **go_tools.ENVIRONMENT,
    "PATH": f"{go_tools.TOOLS}:{os.environ['PATH']}",
    "GOFLAGS": "-mod=readonly",
    "PROTOC": f"{sys.executable} -m grpc_tools.protoc",
}


def in_shell(command: str, folder: Path) -> str:
    """Runs a command line with Go's tools on the PATH and returns what it printed; fails unless its exit code is 0."""
    return output_of("bash", "-euc", command, folder=folder, environment=ENVIRONMENT)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its generated code."""
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
            pytest.skip(f"Go cannot install the generators: {str(error)[-200:]}")
    in_shell(f"./generate '{ROOT / 'proto'}'", folder)
    return folder


def test_a_clip_is_classified(example: Path, server: str, clips: list[Path]) -> None:
    """The example prints the ten genres of a clip, the most probable first."""
    lines = [line.split("\t") for line in in_shell(f"go run . {server} '{clips[0]}'", example).splitlines()]
    scores = [float(score) for _, score in lines]
    assert 10 == len(lines)
    assert sorted(scores, reverse=True) == scores


def test_an_error_is_printed(example: Path, server: str, tmp_path: Path) -> None:
    """The example prints the server's message of an error."""
    (tmp_path / "text.mp3").write_text("This is not music. " * 100)
    with pytest.raises(AssertionError, match="not audio that can be decoded"):
        in_shell(f"go run . {server} '{tmp_path / 'text.mp3'}'", example)
