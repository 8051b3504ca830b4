"""The unit files of packaging/systemd, checked by systemd itself."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "packaging" / "systemd"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
UNITS = sorted([*SERVICES, *(path.name for path in FOLDER.glob("*.timer"))])
# The exposure level of systemd-analyze, in tenths: 0 is the safest, 100 the most exposed.
MAX_EXPOSURE = "20"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The unit files, with the programs of this environment in place of those in /opt/segue."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on the PATH: install systemd")
    for name in UNITS:
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/segue/bin", str(Path(sys.executable).parent)))
    return tmp_path


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs systemd-analyze, and returns its exit code and output."""
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_units_are_there() -> None:
    """There is a service for each program that runs on its own, and a timer for the indexer."""
    assert ["segue-indexer.service", "segue-indexer.timer", "segue-server.service"] == UNITS


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_valid(units: Path, unit: str) -> None:
    """The output of systemd-analyze verify has nothing to say about the file."""
    ended = analyze(units, "verify", f"./{unit}")
    assert (0, []) == (ended.returncode, [line for line in ended.stderr.splitlines() if "segue" in line])


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_is_hardened(units: Path, unit: str) -> None:
    """The exposure level of a service is "OK" by systemd-analyze security."""
    ended = analyze(units, "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", f"./{unit}")
    assert 0 == ended.returncode, ended.stdout[-400:] + ended.stderr
