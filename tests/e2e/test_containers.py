from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker" / "compose.yaml").read_text()


def test_the_label_is_the_version() -> None:
    """The version that the images carry is the one that is built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [project["version"]] == re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE)


def test_what_is_built_is_what_runs() -> None:
    """Every target that the compose file builds is in the Dockerfile."""
    targets = re.findall(r"^FROM .* AS (\S+)$", DOCKERFILE, re.MULTILINE)
    built = re.findall(r"^ +target: (server|indexer|client)$", COMPOSE, re.MULTILINE)
    assert ["server", "indexer", "client"] == built
    assert set(built) <= set(targets)


def test_published_on_the_loopback_only() -> None:
    """No port is open to other machines unless someone changes the file."""
    ports = re.findall(r"^ +ports: (.*)$", COMPOSE, re.MULTILINE)
    assert ['["127.0.0.1:${SEGUE_PORT:-50051}:50051"]'] == ports


def test_every_setting_is_documented() -> None:
    """What can be set from outside stands in the document."""
    text = (ROOT / "docs" / "containers.md").read_text()
    script = (ROOT / "scripts" / "containers").read_text()
    names = set(re.findall(r"\$\{(SEGUE_[A-Z_]+)", COMPOSE + script)) | set(re.findall(r" (SEGUE_[A-Z_]+):$", COMPOSE))
    assert [] == sorted(name for name in names if f"`{name}" not in text)


@pytest.mark.containers
@pytest.mark.timeout(1800)
def test_containers() -> None:
    """The images build, run together, answer, keep what they promise, and outlive a restart."""
    ended = subprocess.run([ROOT / "scripts" / "containers"], capture_output=True, text=True, check=False)
    if found := re.search(r"^containers: not run: (.*)$", ended.stdout, re.MULTILINE):
        pytest.skip(found[1])
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert re.search(r"^containers: \d+ checks passed", ended.stdout, re.MULTILINE)
