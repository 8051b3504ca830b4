"""The check for known holes, against a database of advisories of our own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOLE = {
    "id": "PYSEC-2026-1",
    "summary": "A crafted file reads memory.",
    "affected": [
        {
            "package": {"name": "example-codec", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2"}]}],
        }
    ],
}


class Database(BaseHTTPRequestHandler):
    """Answers as OSV does: there is a hole in example-codec 1.1, and in nothing else."""

    def do_POST(self) -> None:
        """Answers a query."""
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_known = ("example-codec", "1.1") == (query["package"]["name"], query["version"])
        body = json.dumps({"vulns": [HOLE]} if is_known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Prints nothing."""


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of the database."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def advisories(url: str, pins: Path, text: str) -> tuple[int, str]:
    """The exit code and the output of the check."""
    pins.write_text(text, encoding="utf-8")
    command = [sys.executable, str(ROOT / "scripts" / "advisories"), "--osv-url", url, str(pins)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout


def test_a_known_hole(database: str, tmp_path: Path) -> None:
    """A version with a known hole is named with its advisory and the version that closes it, and the exit code is 1."""
    code, text = advisories(database, tmp_path / "pins.txt", "click==8.5.1\nexample-codec==1.1\n")
    assert 1 == code
    assert "advisories: example-codec 1.1: PYSEC-2026-1, fixed in 1.2: A crafted file reads memory.\n" == text


def test_no_known_hole(database: str, tmp_path: Path) -> None:
    """Versions without a known hole are counted."""
    code, text = advisories(database, tmp_path / "pins.txt", "click==8.5.1\nexample-codec==1.2\n")
    assert (0, "advisories: no known hole in 2 versions of pins.txt\n") == (code, text)


def test_no_database(tmp_path: Path) -> None:
    """If no database answers, one sentence says so, and the exit code is 0."""
    code, text = advisories("http://127.0.0.1:9/v1/query", tmp_path / "pins.txt", "click==8.5.1\n")
    assert (0, True, 1) == (code, text.startswith("advisories: UNCHECKED: "), text.count("\n"))
