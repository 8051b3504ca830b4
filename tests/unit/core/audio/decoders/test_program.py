"""The limits of ffmpeg and ffprobe, and what they can reach."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from segue.core.audio.decoders import program
from segue.core.audio.decoders.clip_file import open_clip_file
from segue.core.audio.decoders.confinement import Confinement, confinement
from segue.core.audio.decoders.ffmpeg import decode_by_ffmpeg
from segue.core.audio.decoders.program import program_input, running_program
from segue.core.errors import WorkerKilled, WorkerTimedOut

needs_bwrap = pytest.mark.skipif(
    shutil.which("ffmpeg") is None or not confinement(shutil.which("ffmpeg") or "").command,
    reason="bwrap is not on the PATH, or cannot work here",
)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A file that ffmpeg may get."""
    path = tmp_path / "clip.bin"
    path.write_bytes(b"the clip")
    return path


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the front of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


def write_program(folder: Path, name: str, script: str) -> None:
    """Writes a shell script into a folder of the PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def printed_by(clip: Path, *arguments: str) -> str:
    """Returns what the program "ffmpeg" prints."""
    with program_input(clip) as source, running_program("ffmpeg", arguments or [str(source.path)], source) as running:
        return running.read_all(30).decode()


def test_a_program_has_limits(programs: Path, clip: Path) -> None:
    """Its processor time and its memory are limited, whatever the limits of its worker are."""
    write_program(programs, "ffmpeg", "ulimit -t; ulimit -d; ulimit -c")
    assert f"{program.CPU_SECONDS}\n{program.MEMORY_BYTES // 1024}\n0\n" == printed_by(clip)


def test_a_program_gets_no_secrets(programs: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens and passwords in the environment are not passed on, nor variables that make ffmpeg write files."""
    monkeypatch.setenv("SEGUE_TOKEN", "secret")
    monkeypatch.setenv("FFREPORT", "file=/tmp/report")
    write_program(programs, "ffmpeg", "env")
    names = {line.partition("=")[0] for line in printed_by(clip).splitlines()}
    assert {"PATH"} == names - {"PWD", "OLDPWD", "SHLVL", "_"}  # a shell sets these


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the program opens the file by its name")
def test_a_program_does_not_see_the_name(programs: Path, tmp_path: Path) -> None:
    """It opens a descriptor that it inherits, so that no name of a file can mean anything to it."""
    write_program(programs, "ffmpeg", 'echo "$1"; cat "$1"')
    path = tmp_path / "concat:%03d.m3u8"
    path.write_bytes(b"content")
    name, content = printed_by(path).split("\n")
    assert name.startswith("/dev/fd/")
    assert "content" == content


def test_a_program_that_never_ends(programs: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped after its processor time, and the file is the cause."""
    monkeypatch.setattr(program, "CPU_SECONDS", 1)
    write_program(programs, "ffmpeg", "while :; do :; done")
    with pytest.raises(WorkerTimedOut, match="1 s of processor time"):
        printed_by(clip)


@pytest.mark.parametrize("name", ["ffmpeg", "ffprobe"])
def test_a_program_that_is_killed_early(programs: Path, clip: Path, name: str) -> None:
    """Before its first sample, too, a killed program says nothing about the file."""
    write_program(programs, name, "kill -9 $$")
    with (
        program_input(clip) as source,
        running_program(name, [], source) as running,
        pytest.raises(WorkerKilled, match=f"{name} was killed by SIGKILL"),
    ):
        running.read_all()


def test_a_killed_ffmpeg_is_no_refusal(programs: Path, clip: Path) -> None:
    """A clip whose ffmpeg was killed before it printed anything is not refused."""
    write_program(programs, "ffmpeg", "kill -9 $$")
    with open_clip_file(clip) as opened, pytest.raises(WorkerKilled), decode_by_ffmpeg(opened):
        pass


def test_a_program_is_killed_with_the_block(programs: Path, clip: Path) -> None:
    """A caller that stops reading leaves no program."""
    write_program(programs, "ffmpeg", "echo $$; exec sleep 600")
    with program_input(clip) as source, running_program("ffmpeg", [], source) as running:
        pid = int(running.output.readline())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_outside_the_system_is_not_confined(programs: Path, clip: Path) -> None:
    """A program whose files bwrap does not show runs as it is, and the reason is known."""
    write_program(programs, "ffmpeg", "echo it runs")
    assert "it runs\n" == printed_by(clip)
    found = confinement(str(programs / "ffmpeg"))
    assert () == found.command
    assert found.problem


def test_without_bwrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs run without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Confinement(problem="bwrap is not on the PATH") == confinement("/usr/bin/not-tried-before")


def confined(*words: str) -> subprocess.CompletedProcess[str]:
    """Runs a command as ffmpeg is run."""
    command = confinement(shutil.which("ffmpeg") or "").command
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False)


@needs_bwrap
def test_a_confined_program_has_no_files(clip: Path) -> None:
    """It cannot open a file of this machine, nor list a folder, although this process can."""
    for path in (clip, Path("/etc/passwd"), Path(f"/proc/{os.getpid()}/environ")):
        assert path.exists()
        assert "No such file" in confined("cat", str(path)).stderr
    assert "No such file" in confined("ls", str(clip.parent)).stderr


@needs_bwrap
def test_a_confined_program_has_no_network() -> None:
    """It cannot reach a port of this machine, although this process can."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        connect = ("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}")
        assert 0 == subprocess.run(connect, check=False).returncode
        assert "Connection refused" in confined(*connect).stderr


@needs_bwrap
def test_a_confined_program_that_is_killed(clip: Path) -> None:
    """The signal that ended it is known."""
    endless = ("-v", "quiet", "-f", "lavfi", "-i", f"sine=440:r={44_100 + os.getpid() % 1_000}", "-f", "au", "pipe:1")
    with program_input(clip) as source, running_program("ffmpeg", endless, source) as running:
        running.output.read(1)
        os.kill(pid_of(endless), signal.SIGKILL)
        while running.output.read(2**20):
            pass
        with pytest.raises(WorkerKilled, match="SIGKILL"):
            running.wait()


def pid_of(arguments: tuple[str, ...]) -> int:
    """Returns the id of the ffmpeg with these arguments."""
    ending = "\0".join(arguments).encode() + b"\0"
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (folder / "cmdline").read_bytes()
            if line.endswith(ending) and b"bwrap" not in line:
                return int(folder.name)
    raise AssertionError("ffmpeg does not run")
