"""The services of docker/compose.yaml, run by docker compose on one engine."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.e2e.containers.docker_engine import Docker

DOCKER = Path(__file__).parents[3] / "docker"
_START_SECONDS = 240

_log = logging.getLogger(__name__)


class Compose:
    """A project of docker compose: containers, networks and volumes of its own.

    Attributes:
        docker: the engine that it runs on.
    """

    def __init__(self, docker: Docker, settings: Mapping[str, str]) -> None:
        """Starts nothing.

        Args:
            docker: the engine.
            settings: the variables that docker/compose.yaml reads.
        """
        self.docker = docker
        self._with_settings = replace(docker, environment={**docker.environment, **settings})
        overlay = [] if docker.pulls_images else ["-f", str(DOCKER / "debian.compose.yaml")]
        self._options = ["-p", f"segue-trial-{os.getpid()}", "-f", str(DOCKER / "compose.yaml"), *overlay]

    def run(self, *arguments: str, progress: str = "quiet") -> subprocess.CompletedProcess[str]:
        """Runs a command of docker compose and returns its exit code and output."""
        options = ["--ansi", "never", "--progress", progress, *self._options]
        return self._with_settings.run("compose", *options, *arguments)

    def output(self, *arguments: str) -> str:
        """Runs a command of docker compose and returns its standard output; fails unless the exit code is 0."""
        ended = self.run(*arguments)
        assert 0 == ended.returncode, ended.stdout + ended.stderr
        return ended.stdout

    def build(self, profile: str, *services: str) -> None:
        """Builds the images of a profile, or some of them."""
        ended = self.run("--profile", profile, "build", *services, progress="plain")
        assert 0 == ended.returncode, _last_lines(ended, 60)

    def up(self) -> None:
        """Starts the services and waits until all are healthy; does nothing for those that run."""
        ended = self.run("up", "--detach", "--wait", f"--wait-timeout={_START_SECONDS}", progress="plain")
        if ended.returncode:
            self.log_services()
        assert 0 == ended.returncode, _last_lines(ended, 5)

    def down(self, *options: str) -> None:
        """Removes the containers and the networks; the volumes stay unless ``--volumes`` is given."""
        self.run("--profile", "tools", "--profile", "load", "down", "--remove-orphans", *options)

    def log_services(self) -> None:
        """Logs the last lines that each service logged."""
        _log.error("the services logged last:\n%s", self.run("logs", "--no-color", "--tail", "20").stdout)

    def client(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs the command line client in a container, with TLS and a token."""
        return self.run("run", "--rm", "-T", "client", *arguments)

    def client_python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Runs Python code in a container of the client's image."""
        return self.run("run", "--rm", "-T", "--entrypoint", "python3", "client", "-c", code)

    def execute(self, service: str, *command: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a command in a running container of a service."""
        return self.run("exec", "-T", *(["--user", user] if user else []), service, *command)

    def containers(self, service: str) -> list[str]:
        """Returns the ids of a service's running containers."""
        return self.output("ps", "--quiet", service).split()

    def popen(self, *arguments: str, stdin: Path, stderr: Path) -> subprocess.Popen[str]:
        """Starts a command of docker compose that reads one file and logs its errors to another."""
        command = ["docker", "compose", "--progress", "quiet", *self._options, *arguments]
        with stdin.open() as source, stderr.open("w") as log:
            return subprocess.Popen(
                command,
                env=os.environ | self._with_settings.environment,
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )


def _last_lines(ended: subprocess.CompletedProcess[str], count: int) -> str:
    return "\n".join((ended.stdout + ended.stderr).splitlines()[-count:])
