"""Programs that know nothing of this project but its contract."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"

# What anyone would write who generated the stubs: no import of ours but what protoc made.
STRANGER = """
import sys, grpc
from segue.v1 import audio_pb2, classification_service_pb2 as messages, classification_service_pb2_grpc as service
with grpc.insecure_channel(sys.argv[1], [("grpc.max_send_message_length", 32 * 2**20)]) as channel:
    audio = audio_pb2.Audio(content=open(sys.argv[2], "rb").read())
    answer = service.ClassificationServiceStub(channel).Classify(messages.ClassifyRequest(audio=audio), timeout=60)
print(len(answer.scores), answer.revision.model_id)
"""


def called(*command: str | Path, env: dict[str, str] | None = None, input_: str | None = None) -> str:
    """What a command prints."""
    done = subprocess.run(command, env=env, input=input_, capture_output=True, text=True, timeout=600, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_fresh_stubs_in_an_empty_environment(server: str, clips: list[Path], tmp_path: Path) -> None:
    """Stubs that someone else generates from proto/, in an environment without Segue, work against the server."""
    uv, python = Path(sys.executable).parent / "uv", tmp_path / "venv" / "bin" / "python"
    if not uv.exists():
        pytest.skip("uv is not in this environment: scripts/test has it")
    called(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    called(uv, "pip", "install", "--quiet", "--python", python, "grpcio-tools", "googleapis-common-protos")
    protos = sorted((ROOT / "proto").rglob("*.proto"))
    out = [f"--{kind}_out={tmp_path}" for kind in ("python", "grpc_python")]
    (googleapis,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    paths = [f"--proto_path={path}" for path in (ROOT / "proto", googleapis)]
    called(python, "-m", "grpc_tools.protoc", *paths, *out, *protos)
    (tmp_path / "stranger.py").write_text(STRANGER)
    answer = called(python, tmp_path / "stranger.py", server, clips[0])
    assert answer.startswith("10 segue-accurate-")


@pytest.fixture(scope="module")
def grpcurl() -> Path:
    """The tool grpcurl, built once where Go is there."""
    tools = ROOT / ".tools"
    if not (tools / "grpcurl").exists():
        if shutil.which("go") is None:
            pytest.skip("grpcurl is built by Go, which is not on the PATH")
        done = subprocess.run(
            ["go", "install", GRPCURL],  # noqa: S607 - the PATH's own
            env=os.environ | {"GOBIN": str(tools), "GOSUMDB": "off"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"grpcurl cannot be built here: {done.stderr.strip()[-200:]}")
    return tools / "grpcurl"


def test_grpcurl_lists_the_services(grpcurl: Path, server: str) -> None:
    """A tool that only reads the reflection sees the three services and health."""
    services = called(grpcurl, "-plaintext", server, "list").split()
    expected = {"ClassificationService", "RecommendationService", "CatalogService"}
    assert {f"segue.v1.{name}" for name in expected} <= set(services)
    assert "grpc.health.v1.Health" in services


def test_grpcurl_classifies(grpcurl: Path, server: str, clips: list[Path]) -> None:
    """A tool that only reads the reflection classifies a clip."""
    request = json.dumps({"audio": {"content": base64.b64encode(clips[0].read_bytes()).decode()}, "topK": 3})
    method = "segue.v1.ClassificationService/Classify"
    answer = json.loads(called(grpcurl, "-plaintext", "-d", "@", server, method, input_=request))
    assert 3 == len(answer["scores"])
