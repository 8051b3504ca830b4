"""The number of modules that programs import before they do anything: most of the time of a short command."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Modules that a program imports to print its help and that gRPC and click do not import, and a few more.
BUDGETS = {"client": 150, "server": 90, "indexer": 60, "trainer": 50}
COUNT = """
import sys, grpc, click
base = set(sys.modules)
sys.argv = ["segue", "--help"]
from segue.{part}.cli.main import main
main(standalone_mode=False)
print("\\n" + " ".join(sorted(set(sys.modules) - base)))
"""


@pytest.mark.parametrize("part", BUDGETS)
def test_help_imports_few_modules(part: str) -> None:
    """The help of a program needs no network, no catalogue, and few modules."""
    ended = subprocess.run(
        [sys.executable, "-c", COUNT.format(part=part)], capture_output=True, text=True, check=True, timeout=60
    )
    modules = ended.stdout.splitlines()[-1].split()
    assert len(modules) <= BUDGETS[part], modules
