"""`segue classify` for several files: which share a stream, and which have calls of their own."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from segue.client import MAX_AUDIO_BYTES
from tests.integration.client.behaviours import fails, info
from tests.integration.client.conftest import Peer
from tests.integration.client.test_client_cli import document, segue


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Five files; the peer fails for the second, and refuses the fourth when it comes by a stream."""
    paths = [tmp_path / f"{number}.wav" for number in range(5)]
    for path, content in zip(paths, (b"one", b"", b"three", b"busy", b"five"), strict=True):
        path.write_bytes(content)
    return list(map(str, paths))


def kinds(peer: Peer) -> list[str]:
    """The names of the messages that the peer received."""
    return [request.DESCRIPTOR.name for request in peer.received]


def test_several_files_share_a_stream(peer: Peer, files: list[str]) -> None:
    """The results are in the order of the files although they arrive in another; a refused file is sent again."""
    result = segue(peer, "classify", "--json", "--top-k", "3", *files)
    results = document(result)["results"]
    assert (1, files) == (result.exit_code, [entry["file"] for entry in results])
    assert ["", "AUDIO_SILENT", "", "", ""] == [entry.get("error", {}).get("reason", "") for entry in results]
    assert ["BatchClassifyRequest"] * 5 + ["ClassifyRequest"] == kinds(peer)
    assert (3, b"busy") == (peer.received[0].request.top_k, peer.received[-1].audio.content)


def test_a_message_names_the_file(peer: Peer, files: list[str]) -> None:
    """The error of a file that came by the stream has its name."""
    assert f"segue: {files[1]}: It failed. (request r-1)\n" == segue(peer, "classify", *files).stderr


def test_files_that_do_not_fit_into_a_message(peer: Peer, files: list[str], tmp_path: Path) -> None:
    """A large file, standard input and a missing file are handled by themselves, in their places."""
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(MAX_AUDIO_BYTES + 1))
    names = [files[0], files[2], str(large), files[4], "-", "none.wav", files[0]]
    results = document(segue(peer, "classify", "--json", *names, stdin=b"RIFF"))["results"]
    assert names == [entry["file"] for entry in results]
    assert ["none.wav"] == [entry["file"] for entry in results if "error" in entry]
    received = kinds(peer)
    assert ["BatchClassifyRequest"] * 2 == received[:2]
    assert {"StreamingClassifyRequest"} == set(received[2:-3])
    assert ["ClassifyRequest"] * 3 == received[-3:]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED])
def test_a_stream_that_fails(peer: Peer, files: list[str], code: grpc.StatusCode) -> None:
    """The files are sent one by one if the stream breaks off, or the server is older than the stream."""
    peer.behaviours.append(fails(code))
    result = segue(peer, "classify", files[0], files[2])
    assert (0, 2) == (result.exit_code, result.stdout.count("blues"))
    assert ["BatchClassifyRequest", "ClassifyRequest", "ClassifyRequest"] == kinds(peer)


def test_a_server_that_refuses_the_token(peer: Peer, files: list[str]) -> None:
    """Each file has the error of its own call."""
    peer.behaviours += [fails(grpc.StatusCode.UNAUTHENTICATED, "No token.", info("TOKEN_MISSING"))] * 3
    result = segue(peer, "classify", files[0], files[2])
    assert [f"segue: {name}: No token." for name in (files[0], files[2])] == result.stderr.splitlines()
