from __future__ import annotations

import os
import subprocess
import sys

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
# redis imports OpenTelemetry's metrics where they are installed, so the packages are hidden from all.
HIDDEN = """
import sys

class Hiding:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hiding())
"""
START = "from segue.core.settings.tracing import start_tracing; print(start_tracing('player'));"
PROGRAMS = """
import segue.client.cli.main, segue.server.cli.main, segue.server.lifecycle, segue.server.observability.metrics
from segue.client import Client
from segue.client.errors import SegueError
try:
    Client("127.0.0.1:1", timeout=0.1).status()
except SegueError:
    pass
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def run(program: str, variables: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a Python program with these variables of OpenTelemetry, and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment | (variables or {}), capture_output=True, text=True, check=False)


def test_nothing_is_imported_without_a_receiver() -> None:
    """Without the variable, client and server work without OpenTelemetry's packages, and import none of them."""
    ended = run(HIDDEN + START + PROGRAMS)
    assert ["None", "[]"] == ended.stdout.splitlines(), ended.stderr


def test_installed_packages_are_not_imported_without_a_receiver() -> None:
    """Installed packages are not imported either without the variable."""
    program = "import sys;" + START + "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    assert ["None", "[]"] == run(program).stdout.splitlines()


def test_missing_packages() -> None:
    """With the variable but without the packages, one sentence says what to install."""
    expected = (
        "OTEL_EXPORTER_OTLP_ENDPOINT is set, but traces need opentelemetry, not installed here. "
        "Run: pip install opentelemetry-exporter-otlp"
    )
    for program in ("client", "server"):
        arguments = "['segue', 'status']" if program == "client" else "['segue-server', '--listen', '127.0.0.1:0']"
        call = f"import sys; sys.argv = {arguments}; from segue.{program}.cli.main import main; main()"
        ended = run(HIDDEN + call, ENDPOINT)
        assert (1, f"Error: {expected}") == (ended.returncode, ended.stderr.splitlines()[-1])


def test_standard_variables() -> None:
    """The name of the program comes from the environment if it has one; traces can be turned off."""
    name = START.replace("start_tracing('player'))", "start_tracing('player').resource.attributes['service.name'])")
    assert "player" == run(name, ENDPOINT).stdout.strip()
    assert "own" == run(name, ENDPOINT | {"OTEL_SERVICE_NAME": "own"}).stdout.strip()
    for variable in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
        assert "None" == run(START, ENDPOINT | variable).stdout.strip()
    assert "None" != run(START, ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}).stdout.strip()


def test_unknown_protocol() -> None:
    """A protocol that OTLP does not have is refused with those that it has."""
    ended = run(START, ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"})
    assert "set OTEL_EXPORTER_OTLP_PROTOCOL to grpc or http/protobuf" in ended.stderr
