"""Server and indexer as services: no HOME, no entry in passwd, read-only programs, few places to write."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from segue.client import Client
from segue.core.testing.synthetic_clips import render_clip
from tests.helpers.audio import encode_by_ffmpeg, needs_ffmpeg
from tests.helpers.clips import wav
from tests.helpers.machine.commands import TIMEOUT_SECONDS, output_of, run_command
from tests.helpers.machine.ports import free_port
from tests.helpers.machine.processes import ended
from tests.helpers.machine.service_user import CLOSED_STREAMS, as_service_user
from tests.helpers.machine.waiting import PATIENCE_SECONDS

INDEXER, SERVER, TRAINER = ([sys.executable, "-m", f"segue.{name}"] for name in ("indexer", "server", "trainer"))
TEMPORARY_FOLDERS = [Path("/tmp"), Path("/var/tmp")]


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a short path, since that of a socket below it is limited to 103 bytes."""
    with tempfile.TemporaryDirectory(prefix="segue-") as folder:
        yield Path(folder)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder with one clip."""
    folder = tmp_path / "music"
    folder.mkdir()
    (folder / "clip.wav").write_bytes(wav(5))
    return folder


@pytest.mark.parametrize(
    ("read_only", "streams"), [([], ""), (TEMPORARY_FOLDERS, CLOSED_STREAMS)], ids=["programs", "everything"]
)
def test_indexer_and_server(
    short_path: Path, tiny_model: Path, music: Path, read_only: Sequence[Path], streams: str
) -> None:
    """Both work where only the data folder can be written, also without standard streams."""
    options = ("--data", short_path / "data", "--model", tiny_model)
    as_user = partial(as_service_user, read_only=read_only, writable=[short_path], streams=streams)
    subprocess.run(as_user(*INDEXER, "add", music, *options), check=True, timeout=TIMEOUT_SECONDS)
    address = f"127.0.0.1:{free_port()}"
    with subprocess.Popen(as_user(*SERVER, "--listen", address, *options)) as process:
        with Client(address, timeout=PATIENCE_SECONDS, wait_for_ready=True) as client:
            assert client.classify(wav(5)).scores
            assert 1 == client.status().track_count
        assert 0 == ended(process)


def test_doctor(tmp_path: Path, tiny_model: Path) -> None:
    """It finds nothing that would fail."""
    options = ("--data", tmp_path / "data", "--model", tiny_model, "--listen", "127.0.0.1:0")
    report = output_of(*as_service_user(*SERVER, "doctor", *options))
    assert "decoding: " in report


SECRETIVE = "import ctypes; ctypes.CDLL(None).prctl(4, 0)"
"""Forbids other processes to open the files of this one, as the system does to a program with capabilities."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_a_server_whose_files_may_not_be_opened(tmp_path: Path, tiny_model: Path) -> None:
    """Its workers cannot open a file without a name, so the clips of streams have names, until they are answered."""
    (spool := tmp_path / "spool").mkdir(mode=0o777)
    options = ("--data", tmp_path / "data", "--model", tiny_model, "--spool", spool)
    program = f"{SECRETIVE}; from segue.server.cli.main import main; main()"
    address = f"127.0.0.1:{free_port()}"
    command = as_service_user(sys.executable, "-c", program, "--listen", address, *options)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        with Client(address, timeout=PATIENCE_SECONDS, wait_for_ready=True) as client:
            assert client.classify(wav(200)).scores
        assert [] == list(spool.iterdir())
        assert 0 == ended(process)
        assert process.stderr is not None
        assert "the clips of streams have names in" in process.stderr.read()
    doctor = ("-c", program, "doctor", *options, "--listen", "127.0.0.1:0")
    assert f"streams: a worker process read a clip in {spool}" in output_of(*as_service_user(sys.executable, *doctor))


@needs_ffmpeg
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_a_worker_whose_files_may_not_be_opened(tmp_path: Path) -> None:
    """A clip that came in a message is read by ffmpeg."""
    clip = encode_by_ffmpeg(render_clip(3, 5.0, 22_050), 22_050, tmp_path / "clip.m4a")
    program = f"{SECRETIVE}; import sys; from pathlib import Path; from tests.helpers.audio import decode; "
    program += "print(len(decode(Path(sys.argv[1]).read_bytes())))"
    ffmpeg = str(Path(shutil.which("ffmpeg") or "").parent)
    command = as_service_user(sys.executable, "-c", program, clip, PATH=f"{ffmpeg}:/usr/bin:/bin")
    assert 5 == round(int(output_of(*command)) / 22_050)


def test_a_long_temporary_folder(tmp_path: Path, tiny_model: Path, music: Path) -> None:
    """The path of a Unix socket has at most 108 bytes, but TMPDIR may have more."""
    folder = tmp_path / ("t" * 200)
    folder.mkdir()
    options = ("--data", folder / "data", "--model", tiny_model)
    assert "1 added" in output_of(*as_service_user(*INDEXER, "add", music, *options, TMPDIR=str(folder)))


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ([*INDEXER, "status"], "--data or SEGUE_DATA"),
        (SERVER, "--data or SEGUE_DATA"),
        ([*SERVER, "doctor"], "--data or SEGUE_DATA"),
        ([*TRAINER, "train", "--input", "/music", "--output", "/model"], "--cache or SEGUE_CACHE"),
        ([*TRAINER, "tag", "--input", "/music", "--output", "/tags.npz"], "--backbone"),
    ],
    ids=["indexer", "server", "doctor", "train", "tag"],
)
def test_a_folder_that_only_the_user_can_name(command: list[str], option: str) -> None:
    """Without a home folder, a program that needs one says which option names another."""
    result = run_command(*as_service_user(*command))
    assert 2 == result.returncode
    assert "no home folder" in result.stderr
    assert option in result.stderr


def test_a_command_that_needs_no_folder() -> None:
    """A token is made without a home folder."""
    assert output_of(*as_service_user(*SERVER, "token", "new", "--scope", "read")).startswith("segue_")


def test_no_place_for_temporary_files(tmp_path: Path, tiny_model: Path, music: Path) -> None:
    """A sentence says that nothing can be written."""
    options = ("--data", tmp_path / "data", "--model", tiny_model)
    subprocess.run([*INDEXER, "status", *options[:2]], check=True, timeout=PATIENCE_SECONDS)
    result = run_command(*as_service_user(*INDEXER, "add", music, *options, read_only=TEMPORARY_FOLDERS))
    assert 1 == result.returncode
    assert "segue-indexer: No folder for temporary files can be written" in result.stderr
