"""The files that build and run the images, checked without building any; tests/e2e/containers builds and runs them."""

from __future__ import annotations

import re
from pathlib import Path

from segue.core.settings.version import VERSION

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker" / "compose.yaml").read_text()
DEBIAN = (ROOT / "docker" / "debian.Dockerfile").read_text()
DEBIAN_COMPOSE = (ROOT / "docker" / "debian.compose.yaml").read_text()


def test_the_label_is_the_version() -> None:
    """The version in the labels of the images is that of the project."""
    assert [VERSION] == re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE)


def test_every_target_is_in_the_dockerfile() -> None:
    """Every target that docker/compose.yaml builds is in the Dockerfile."""
    targets = re.findall(r"^FROM .* AS (\S+)$", DOCKERFILE, re.MULTILINE)
    built = re.findall(r"^ +target: ([a-z]+)$", COMPOSE, re.MULTILINE)
    assert ["server", "indexer", "client", "trainer", "test", "load"] == built
    assert set(built) <= set(targets)


def test_ports_are_open_to_this_machine_only() -> None:
    """By default, every published port is on the loopback interface."""
    ports = re.findall(r"^ +ports: (.*)$", COMPOSE, re.MULTILINE)
    assert [
        '["${SEGUE_HOST:-127.0.0.1}:${SEGUE_PORT:-50051}:50051"]',
        '["127.0.0.1:${SEGUE_PROMETHEUS_PORT:-9090}:9090"]',
    ] == ports


def test_every_service_has_a_memory_limit() -> None:
    """No service that runs all the time can take all memory of the machine; nor can the indexer and the client."""
    services = re.split(
        r"^  (\w+):", COMPOSE.partition("\nservices:\n")[2].partition("\nnetworks:\n")[0], flags=re.MULTILINE
    )
    limited = {name for name, text in zip(services[1::2], services[2::2], strict=True) if "    mem_limit: " in text}
    assert {"redis", "server", "balancer", "prometheus", "indexer", "client"} == limited


def test_every_setting_is_documented() -> None:
    """docs/containers.md describes each variable that docker/compose.yaml and the tests of the images read."""
    page = (ROOT / "docs" / "containers.md").read_text()
    code = "".join(path.read_text() for path in (ROOT / "tests" / "e2e" / "containers").glob("*.py"))
    read_by_tests = re.findall(r"environ[^\n]*\"(SEGUE_[A-Z_]+)", code)
    read_by_compose = re.findall(r"\$\{(SEGUE_[A-Z_]+)| (SEGUE_[A-Z_]+):$", COMPOSE, re.MULTILINE)
    names = {*read_by_tests, *(first or second for first, second in read_by_compose)}
    assert {"SEGUE_DOCKER_ENGINE", "SEGUE_CA", "SEGUE_MODEL"} <= names
    assert [] == sorted(name for name in names if f"`{name}" not in page)


def test_every_public_image_can_be_built_from_packages() -> None:
    """docker/debian.compose.yaml builds an image for each service that uses a public one, and for the load."""
    public = re.findall(r"^  (\w+):\n    <<: \*hardened\n    image: \$\{", COMPOSE, re.MULTILINE)
    assert {"redis", "balancer", "prometheus"} == set(public)
    built = re.findall(r"^  (\w+):\n", DEBIAN_COMPOSE.partition("services:")[2], re.MULTILINE)
    assert {*public, "load"} == set(built)
    targets = re.findall(r"^ +target: (\w+)$", DEBIAN_COMPOSE, re.MULTILINE)
    assert targets
    assert set(targets) <= set(re.findall(r" AS (\w+)$", DEBIAN, re.MULTILINE))
