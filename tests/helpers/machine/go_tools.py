"""Programs in Go that tests use; Go builds them into .tools on their first use."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.helpers.machine.commands import run_command

TOOLS = Path(__file__).parents[3] / ".tools"
GHZ = "github.com/bojand/ghz/cmd/ghz@v0.93.0"
GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"
# No build depends on the checksum database, which many networks do not reach.
ENVIRONMENT = {"GOBIN": str(TOOLS), "GOSUMDB": "off", "CGO_ENABLED": "0"}


class GoToolMissingError(Exception):
    """A Go program is not in .tools and cannot be built; the text gives the reason."""


def go_tool(module: str) -> Path:
    """Returns the path of a program in .tools, which Go builds if it is not there.

    Args:
        module: the program's module path and version, such as ``GHZ``.

    Raises:
        GoToolMissingError: Go is not on the PATH, or cannot build it.
    """
    name = module.rpartition("/")[2].partition("@")[0]
    if (TOOLS / name).exists():
        return TOOLS / name
    if shutil.which("go") is None:
        raise GoToolMissingError(f"{name} is not in .tools, and Go is not on the PATH to build it")
    ended = run_command("go", "install", module, environment=ENVIRONMENT)
    if ended.returncode:
        raise GoToolMissingError(f"Go cannot build {name}: {ended.stderr.strip()[-200:]}")
    return TOOLS / name
