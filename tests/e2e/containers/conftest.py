"""The images, built once for all tests, and the services of docker/compose.yaml with music in their catalogue.

``./scripts/containers [FOLDER]`` runs these tests. They use the Docker engine that answers, or start one; where that
is impossible they skip, with the reason.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from segue.core.testing.synthetic_clips import render_folder
from tests.e2e.containers.compose import DOCKER, Compose
from tests.e2e.containers.docker_engine import Docker, EngineMissingError, docker_engine
from tests.helpers.machine.commands import output_of
from tests.helpers.machine.go_tools import GHZ, GoToolMissingError, go_tool

FOLDER = Path(__file__).parent
# From nothing, the images take minutes to build; the first test waits for them.
TIMEOUT_SECONDS = 2400
IMAGES = ("segue-server", "segue-indexer", "segue-client", "segue-trainer", "segue-test")
LOAD_IMAGE = "segue-load"
MUSIC_ENDINGS = {".flac", ".wav", ".au", ".mp3", ".ogg", ".opus"}

_log = logging.getLogger(__name__)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests of this folder, so that only ./scripts/containers runs them."""
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.containers)
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@contextmanager
def logged(step: str) -> Iterator[None]:
    """Logs a step of the run with the seconds that it took."""
    begin = time.monotonic()
    yield
    _log.info("%s (%.0f s)", step, time.monotonic() - begin)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that is removed at the end: pytest keeps its own for three runs, and images take gigabytes."""
    folder = Path(tempfile.mkdtemp(prefix="segue-containers-"))
    yield folder
    # Only in its own file system: what is still mounted in it stays.
    output_of("rm", "-rf", "--one-file-system", folder)


@pytest.fixture(scope="session")
def docker(scratch: Path) -> Iterator[Docker]:
    """The Docker engine that answers, or one for the time of the run."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            # As Ctrl-C does: pytest ends every fixture, so nothing is left running.
            signal.signal(number, signal.default_int_handler)
    try:
        with docker_engine(Path(os.environ.get("SEGUE_DOCKER_ENGINE") or scratch / "engine").absolute()) as docker:
            yield docker
    except EngineMissingError as error:
        pytest.skip(f"containers were not run: {error}")


@pytest.fixture(scope="session")
def music(scratch: Path) -> Path:
    """The folder SEGUE_MUSIC, or twenty rendered clips."""
    if folder := os.environ.get("SEGUE_MUSIC"):
        return Path(folder).absolute()
    with logged("rendered clips: SEGUE_MUSIC names no folder of music"):
        render_folder(scratch / "music")
    return scratch / "music"


@pytest.fixture(scope="session")
def clips_inside(music: Path) -> list[str]:
    """Up to four files of the folder of music, by their paths in the containers."""
    files = sorted(path.relative_to(music) for path in music.rglob("*") if path.suffix in MUSIC_ENDINGS)
    assert files, f"{music} has no music"
    return [f"/music/{file}" for file in files[:4]]


@pytest.fixture(scope="session")
def clip(clips_inside: list[str]) -> str:
    """One file of the folder of music, by its path in the containers."""
    return clips_inside[0]


@pytest.fixture(scope="session")
def secrets(scratch: Path) -> Path:
    """The folder for certificates and a token; ``stack`` fills it."""
    return scratch / "secrets"


@pytest.fixture(scope="session")
def compose(docker: Docker, scratch: Path, music: Path, secrets: Path) -> Compose:
    """The project that all tests share; its images are not built yet."""
    settings = {
        "SEGUE_CA": os.environ.get("SEGUE_CA") or os.environ.get("PIP_CERT") or "/dev/null",
        "SEGUE_MUSIC": str(music),
        "SEGUE_SECRETS": str(secrets),
        "SEGUE_PORT": "0",
        "SEGUE_PROMETHEUS_PORT": "0",
        "TMPDIR": str(scratch),  # docker compose leaves files there
    }
    return Compose(docker, settings)


@pytest.fixture(scope="session")
def images(compose: Compose) -> tuple[str, ...]:
    """The images that users run, built from this tree."""
    with logged("built the images"):
        compose.build("tools")
    _log_sizes(compose.docker, *IMAGES)
    return IMAGES


@pytest.fixture(scope="session")
def load_image(compose: Compose) -> str:
    """The image with ghz, which Go builds in the image or, where no image can be pulled, in .tools."""
    if not compose.docker.pulls_images:
        try:
            go_tool(GHZ)
        except GoToolMissingError as error:
            pytest.skip(f"ghz was not run: {error}")
    with logged("built the image with ghz"):
        compose.build("load", "load")
    _log_sizes(compose.docker, LOAD_IMAGE)
    return LOAD_IMAGE


def _log_sizes(docker: Docker, *images: str) -> None:
    for image in images:
        size = int(docker.output("image", "inspect", "--format", "{{.Size}}", image))
        _log.info("%s takes %.0f MB", image, size / 1e6)


@pytest.fixture(scope="session")
def stack(
    compose: Compose, images: tuple[str, ...], secrets: Path, request: pytest.FixtureRequest
) -> Iterator[Compose]:
    """Everything that ``docker compose up`` starts, healthy, with an empty catalogue."""
    assert images
    _create_secrets(compose.docker, secrets)
    try:
        with logged("started the services"):
            compose.up()
        yield compose
    finally:
        if request.session.testsfailed:
            compose.log_services()
        with logged("removed the services"):
            compose.down("--volumes")


def _create_secrets(docker: Docker, folder: Path) -> None:
    """Creates certificates and a token; without segue-server on the PATH, its image creates the token."""
    path = f"{Path(shutil.which('docker') or '').parent}:/usr/bin:/bin"
    environment = {**docker.environment, "SEGUE_SECRETS": str(folder), "PATH": path}
    output_of(DOCKER / "new-secrets", environment=environment)


@pytest.fixture(scope="session")
def answer_before_indexing(stack: Compose, clip: str) -> subprocess.CompletedProcess[str]:
    """The client's answer to a recommendation from the empty catalogue."""
    return stack.client("recommend", clip)


@pytest.fixture(scope="session")
def indexed(stack: Compose, answer_before_indexing: subprocess.CompletedProcess[str]) -> Compose:
    """The same services, with the music in the catalogue."""
    with logged("indexed the music"):
        stack.output("run", "--rm", "-T", "indexer")
    return stack
