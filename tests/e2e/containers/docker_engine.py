"""The Docker engine that builds and runs the images in tests: the one that answers, or one for the time of a run.

Starting one needs root and Debian's packages. Such an engine pulls no image: its base image is built from packages.
"""

from __future__ import annotations

import fcntl
import io
import logging
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.containers.host_network import HostNetwork
from tests.helpers.machine.commands import output_of, run_command

# The name of the public base image, so that the Dockerfile builds on either.
BASE_IMAGE = "python:3.13-slim-trixie"
PUBLIC_REDIS_IMAGE = "redis:8-alpine"

_LOCK = Path("/run/lock/segue-engine")
_PACKAGES = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "tini": "tini",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
}
_COMPOSE_PLUGIN = "./usr/libexec/docker/cli-plugins/docker-compose"
# The base's own apt fetches the package, so the packages of this machine stay as they are.
_FETCH_COMPOSE = "cd /tmp && apt-get update -qq >&2 && apt-get download -qq docker-compose >&2 && \
dpkg-deb --fsys-tarfile docker-compose*.deb"
_BUILD_SECONDS = 1800
_START_SECONDS = 60
_STOP_SECONDS = 120

_log = logging.getLogger(__name__)


class EngineMissingError(Exception):
    """This machine has no Docker engine that can build and run the images; the text gives the reason."""


@dataclass(frozen=True)
class Docker:
    """An engine, by the docker command.

    Attributes:
        environment: the variables by which docker finds the engine.
        pulls_images: public images can be had.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    pulls_images: bool = False

    def run(self, *arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a docker command and returns its exit code and output."""
        return run_command("docker", *arguments, environment=self.environment, stdin=stdin, timeout=_BUILD_SECONDS)

    def output(self, *arguments: str | Path) -> str:
        """Runs a docker command and returns its standard output; fails unless the exit code is 0."""
        return output_of("docker", *arguments, environment=self.environment, timeout=_BUILD_SECONDS)

    def succeeds(self, *arguments: str | Path) -> bool:
        """Runs a docker command and returns whether its exit code is 0."""
        return 0 == self.run(*arguments).returncode

    def can_pull(self, image: str) -> bool:
        """Returns whether an image is there or can be pulled within two minutes."""
        if self.succeeds("image", "inspect", image):
            return True
        try:
            pull = run_command("docker", "pull", "--quiet", image, environment=self.environment, timeout=120)
        except subprocess.TimeoutExpired:
            return False
        return 0 == pull.returncode


@contextmanager
def docker_engine(folder: Path) -> Iterator[Docker]:
    """Yields the engine that answers, or starts one in a folder and stops it at the end; its images stay there.

    Raises:
        EngineMissingError: there is no engine, or it cannot run compose, or it has no base image.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("docker") and Docker().succeeds("info"):
        yield _present_engine(folder)
        return
    _log.info("no Docker engine answers: starting one for this run")
    _install("no Docker engine answers", *_PACKAGES)
    with _started_engine(folder) as docker:
        _build_base_image(docker, folder)
        _install_compose(docker, folder)
        yield docker


def _present_engine(folder: Path) -> Docker:
    """Returns the engine that answers, with a base image."""
    docker = Docker()
    if not docker.succeeds("compose", "version"):
        raise EngineMissingError("a Docker engine answers, but docker compose is not installed")
    if docker.can_pull(os.environ.get("SEGUE_REDIS_IMAGE", PUBLIC_REDIS_IMAGE)):
        _log.info("using the Docker engine that answers")
        return Docker(pulls_images=True)
    _log.info("using the Docker engine that answers; it pulls no images, so they are built from packages")
    _build_base_image(docker, folder)
    return docker


def _install(reason: str, *programs: str) -> None:
    """Installs Debian's packages of the programs that are not on the PATH."""
    if os.geteuid() != 0:
        raise EngineMissingError(f"{reason}, and only root can install one")
    if shutil.which("apt-get") is None:
        raise EngineMissingError(f"{reason}, and there is no apt-get to install one")
    packages = [_PACKAGES[program] for program in programs if shutil.which(program) is None]
    if packages:
        ended = run_command("sh", "-c", 'apt-get update -qq && apt-get install -y -qq "$@"', "sh", *packages)
        if ended.returncode:
            raise EngineMissingError(f"{reason}, and apt-get cannot install {' '.join(packages)}: {_last_line(ended)}")


@contextmanager
def _started_engine(folder: Path) -> Iterator[Docker]:
    """Yields a new engine that keeps its state in a folder; restores the network of this machine at the end."""
    (folder / "config" / "cli-plugins").mkdir(parents=True, exist_ok=True)
    docker = Docker({"DOCKER_HOST": f"unix://{folder}/docker.sock", "DOCKER_CONFIG": str(folder / "config")})
    with _LOCK.open("w") as lock:  # one engine at a time, since each restores the network that it found
        fcntl.flock(lock, fcntl.LOCK_EX)
        network = HostNetwork.current()
        process = _start(folder)
        try:
            _wait_until_ready(docker, process, folder)
            yield docker
        finally:
            _stop(process, folder)
            network.restore()


def _start(folder: Path) -> subprocess.Popen[bytes]:
    roots: list[str | Path] = ["--data-root", folder / "data", "--exec-root", folder / "exec"]
    command: list[str | Path] = ["dockerd", *roots, "-H", f"unix://{folder}/docker.sock", "-p", folder / "pid"]
    with (folder / "dockerd.log").open("w") as log:
        # In a session of its own, so that Ctrl-C does not end it before its containers are removed.
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def _wait_until_ready(docker: Docker, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if docker.succeeds("info"):
            return
        time.sleep(0.5)
    log = (folder / "dockerd.log").read_text().strip()
    raise EngineMissingError(f"a Docker engine does not start here: {log.rpartition(chr(10))[2]}")


def _stop(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
    run_command("umount", folder / "exec" / "netns" / "default")


def _build_base_image(docker: Docker, folder: Path) -> None:
    """Builds the base image from Debian's packages, unless the engine has one."""
    if docker.succeeds("image", "inspect", BASE_IMAGE):
        return
    _install("no base image can be pulled", "mmdebstrap")
    # In a file first: through a pipe, an incomplete base would become an image as well.
    archive = folder / "base.tar"
    include = "--include=ca-certificates,netbase,tzdata,python3,python3-venv"
    ended = run_command("mmdebstrap", "--quiet", "--variant=minbase", include, "trixie", archive)
    if 0 == ended.returncode:
        ended = docker.run("import", archive, BASE_IMAGE)
    archive.unlink(missing_ok=True)
    if ended.returncode:
        raise EngineMissingError(f"no base image can be built here: {_last_line(ended)}")
    _log.info("built the base image from packages")


def _install_compose(docker: Docker, folder: Path) -> None:
    """Installs docker compose for this engine's client, unless it is there."""
    if docker.succeeds("compose", "version"):
        return
    fetch = ["docker", "run", "--rm", BASE_IMAGE, "sh", "-c", _FETCH_COMPOSE]
    ended = subprocess.run(fetch, env=os.environ | docker.environment, capture_output=True, timeout=600, check=False)
    if ended.returncode:
        raise EngineMissingError(f"docker compose cannot be installed here: {ended.stderr.decode()[-300:]}")
    with tarfile.open(fileobj=io.BytesIO(ended.stdout)) as package:
        plugin = package.extractfile(_COMPOSE_PLUGIN)
        assert plugin is not None, f"Debian's package docker-compose has no {_COMPOSE_PLUGIN}"
        path = folder / "config" / "cli-plugins" / "docker-compose"
        path.write_bytes(plugin.read())
    path.chmod(0o755)


def _last_line(ended: subprocess.CompletedProcess[str]) -> str:
    return (ended.stdout + ended.stderr).strip().rpartition("\n")[2]
