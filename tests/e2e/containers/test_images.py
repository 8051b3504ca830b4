"""The contents of the images."""

from __future__ import annotations

import gzip
import os
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

import pytest

from segue.core.settings.version import VERSION
from tests.e2e.containers.compose import Compose
from tests.e2e.containers.conftest import IMAGES, LOAD_IMAGE
from tests.e2e.containers.docker_engine import Docker

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BUILD_TOOLS = "cc c++ gcc g++ clang ld as make cmake go uv pip pip3 git"
ISOLATED = ("run", "--rm", "--network", "none")
READ_ONLY = (*ISOLATED, "--read-only", "--tmpfs", "/tmp")
CHUNK = 2**22
# Encodes a tone, and prints the seconds that Segue decodes.
DECODE_AAC = """
ffmpeg -v error -f lavfi -i sine=220:duration=5 -c:a aac /tmp/tone.m4a && python3 -c '
from pathlib import Path
from segue.core.audio.decode import read_audio
print(len(read_audio(Path("/tmp/tone.m4a"), 16_000, lambda source: source.read(0, source.samples))) / 16_000)'
"""


@pytest.fixture(params=[*IMAGES, LOAD_IMAGE])
def image(request: pytest.FixtureRequest) -> str:
    """Each image that this tree builds."""
    request.getfixturevalue("load_image" if request.param == LOAD_IMAGE else "images")
    return str(request.param)


def in_image(docker: Docker, image: str, script: str) -> str:
    """Runs a shell script in a container of an image, as the image's user, and returns all of its output."""
    ended = docker.run(*ISOLATED, "--entrypoint", "sh", image, "-c", script)
    return ended.stdout + ended.stderr


def test_the_user_is_not_root(docker: Docker, image: str) -> None:
    """An image runs as user and group 10001, and is in no other group."""
    assert "10001:10001\n" == in_image(docker, image, 'echo "$(id -u):$(id -G)"')


def test_no_build_tools(docker: Docker, image: str) -> None:
    """An image has no compiler, no installer and no version control."""
    script = f"for tool in {BUILD_TOOLS}; do ! command -v $tool || exit; done; echo none"
    assert "none\n" == in_image(docker, image, script)


def test_no_secret_of_the_build(docker: Docker, image: str) -> None:
    """The certificates that the build trusted are not in the image."""
    assert "none\n" == in_image(docker, image, "[ -s /run/secrets/ca ] || echo none")


def test_no_file_is_writable(docker: Docker, image: str) -> None:
    """An image has no file that its user could change."""
    script = 'find / -xdev -type f -writable -not -path "/proc/*" 2>/dev/null | grep . || echo none'
    assert "none\n" == in_image(docker, image, script)


@pytest.mark.usefixtures("images")
def test_the_tests_pass_in_their_image(docker: Docker) -> None:
    """The image for tests needs no network and writes to /tmp only."""
    ended = docker.run(*READ_ONLY, "segue-test")
    assert 0 == ended.returncode, ended.stdout + ended.stderr


@pytest.mark.usefixtures("images")
def test_the_trainer_starts(docker: Docker) -> None:
    """The trainer needs no network and writes to /tmp only."""
    assert f"segue-trainer, version {VERSION}\n" == docker.output(*READ_ONLY, "segue-trainer", "--version")


@pytest.mark.usefixtures("images")
def test_the_server_decodes_aac(docker: Docker) -> None:
    """The server's image has ffmpeg, so that five seconds of AAC in MP4 are decoded."""
    seconds = docker.output(*READ_ONLY, "--entrypoint", "sh", "segue-server", "-c", DECODE_AAC)
    assert pytest.approx(5, abs=0.2) == float(seconds)


def test_no_secret_in_any_layer(stack: Compose, secrets: Path) -> None:
    """No layer and no build step contains a key or the token."""
    description = PROJECT["description"].encode()  # every wheel contains it: this shows that the search works
    keys = [(secrets / name).read_bytes().splitlines()[1] for name in ("server.key", "ca.key")]
    texts = [description, (secrets / "token").read_bytes().strip(), *keys]
    built = [image for image in (*IMAGES, LOAD_IMAGE) if stack.docker.succeeds("image", "inspect", image)]
    assert {description} == found_in_images(stack.docker, built, texts)


def found_in_images(docker: Docker, images: list[str], texts: list[bytes]) -> set[bytes]:
    """Returns those of the texts that occur in the layers or the build steps of images."""
    history = [docker.output("image", "history", "--no-trunc", "--format", "{{.CreatedBy}}", name) for name in images]
    steps = "".join(history).encode()
    found = {text for text in texts if text in steps}
    overlap = max(map(len, texts))
    previous = b""
    for chunk in saved_bytes(docker, images):
        joined = previous[-overlap:] + chunk
        found |= {text for text in texts if text in joined}
        previous = chunk
    return found


def saved_bytes(docker: Docker, images: list[str]) -> Iterator[bytes]:
    """Yields the contents of all layers, uncompressed, in chunks."""
    command = ["docker", "image", "save", *images]
    with (
        subprocess.Popen(command, env=os.environ | docker.environment, stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            if member.isfile():
                yield from chunks(cast("BufferedReader", archive.extractfile(member)))
    assert 0 == process.returncode


def chunks(blob: BufferedReader) -> Iterator[bytes]:
    """Yields the contents of a layer, which some engines compress."""
    stream = gzip.GzipFile(fileobj=blob) if blob.peek(2)[:2] == b"\x1f\x8b" else blob
    while chunk := stream.read(CHUNK):
        yield chunk
