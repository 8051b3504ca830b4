from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker" / "compose.yaml").read_text()
DEBIAN = (ROOT / "docker" / "debian.Dockerfile").read_text()
DEBIAN_COMPOSE = (ROOT / "docker" / "debian.compose.yaml").read_text()


def test_the_label_is_the_version() -> None:
    """The version that the images carry is the one that is built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [project["version"]] == re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE)


def test_what_is_built_is_what_runs() -> None:
    """Every target that the compose file builds is in the Dockerfile."""
    targets = re.findall(r"^FROM .* AS (\S+)$", DOCKERFILE, re.MULTILINE)
    built = re.findall(r"^ +target: ([a-z]+)$", COMPOSE, re.MULTILINE)
    assert ["server", "indexer", "client", "trainer", "test", "load"] == built
    assert set(built) <= set(targets)


def test_published_on_the_loopback_only() -> None:
    """No port is open to other machines unless someone changes the file."""
    ports = re.findall(r"^ +ports: (.*)$", COMPOSE, re.MULTILINE)
    assert [
        '["${SEGUE_HOST:-127.0.0.1}:${SEGUE_PORT:-50051}:50051"]',
        '["127.0.0.1:${SEGUE_PROMETHEUS_PORT:-9090}:9090"]',
    ] == ports


def test_every_setting_is_documented() -> None:
    """What can be set from outside stands in the document."""
    text = (ROOT / "docs" / "containers.md").read_text()
    script = (ROOT / "scripts" / "containers").read_text()
    names = set(re.findall(r"\$\{(SEGUE_[A-Z_]+)", COMPOSE + script)) | set(re.findall(r" (SEGUE_[A-Z_]+):$", COMPOSE))
    assert [] == sorted(name for name in names if f"`{name}" not in text)


def test_what_cannot_be_pulled_can_be_built() -> None:
    """For each image of others there is one of packages, and the two lists of services do not drift apart."""
    others = re.findall(r"^  (\w+):\n    <<: \*hardened\n    image: \$\{", COMPOSE, re.MULTILINE)
    assert {"redis", "balancer", "prometheus"} == set(others)
    made = re.findall(r"^  (\w+):\n", DEBIAN_COMPOSE.partition("services:")[2], re.MULTILINE)
    assert {*others, "load"} == set(made)
    targets = re.findall(r"^ +target: (\w+)$", DEBIAN_COMPOSE, re.MULTILINE)
    assert targets
    assert set(targets) <= set(re.findall(r" AS (\w+)$", DEBIAN, re.MULTILINE))


@pytest.mark.containers
@pytest.mark.timeout(1800)
def test_containers() -> None:
    """The images build, run together, lose a server and no call, keep what they promise, and outlive a restart."""
    ended = subprocess.run([ROOT / "scripts" / "containers"], capture_output=True, text=True, check=False)
    if found := re.search(r"^containers: not run: (.*)$", ended.stdout, re.MULTILINE):
        pytest.skip(found[1])
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    assert re.search(r"^containers: \d+ checks passed", ended.stdout, re.MULTILINE)
