from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from segue.indexer.cli.report import _bar, finish, progress
from segue.indexer.pipeline.examine import Failure
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.settings import OutputOptions

KEYS = {
    "tracks",
    "skipped",
    "added",
    "unchanged",
    "updated",
    "removed",
    "forgotten",
    "failed",
    "decoded",
    "seconds",
    "dry_run",
    "error",
    "failures",
}


def test_the_document_has_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs read one JSON document with every count, and every failure with its reason."""
    finish(RunCounts(added=2, failures=[Failure("/x.wav", "AUDIO_SILENT", "Nothing.")]), as_json=True, quiet=False)
    document = json.loads(capsys.readouterr().out)

    assert KEYS == set(document)
    assert 1 == document["failed"]
    assert [{"path": "/x.wav", "reason": "AUDIO_SILENT", "message": "Nothing."}] == document["failures"]


def test_a_person_reads_counts_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    """The counts go to stdout, each failure with its sentence to stderr."""
    failure = Failure("/x.wav", "AUDIO_SILENT", "Nothing can be heard.")
    finish(RunCounts(tracks=9, added=2, failures=[failure], seconds=1.5), as_json=False, quiet=False)
    said = capsys.readouterr()

    assert "2 added, 0 unchanged, 1 failed in 1.5 s; the catalogue has 9 tracks.\n" == said.out
    assert "failed: /x.wav: Nothing can be heard. [AUDIO_SILENT]\n" == said.err


def test_quiet_leaves_the_failures(capsys: pytest.CaptureFixture[str]) -> None:
    """What failed is said even to whoever wants no other word."""
    finish(RunCounts(failures=[Failure("/x.wav", "R", "Why.")]), as_json=False, quiet=True)
    said = capsys.readouterr()

    assert "" == said.out
    assert "/x.wav" in said.err


def test_a_long_list_of_failures_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """The counts stay on the screen, and where the rest stands is said."""
    finish(RunCounts(failures=[Failure(f"/{number}", "R", "Why.") for number in range(60)]), as_json=False, quiet=False)

    assert "... and 10 more; --json names them all." == capsys.readouterr().err.splitlines()[-1]


def test_a_log_gets_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stderr is no terminal a line comes every few seconds, with count, rate and the time that is left."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress(100, OutputOptions(as_json=False, quiet=False)) as show:
        show(RunCounts(added=1))
        now = 10.0
        show(RunCounts(added=49, updated=1))
        show(RunCounts(added=50))

    assert (
        "50 of 100 files, 5.0 a second, 10 s left: 49 added, 1 updated, 0 unchanged, 0 failed\n"
        == capsys.readouterr().err
    )


def test_a_program_gets_documents(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json each line is a document of its own: the counts, the seconds, and those that are left."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress(100, OutputOptions(as_json=True, quiet=False)) as show:
        now = 10.0
        show(RunCounts(added=49, updated=1, decoded=50))

    counts = {"added": 49, "updated": 1, "unchanged": 0, "skipped": 0, "failed": 0, "decoded": 50}
    expected = {"done": 50, "total": 100, **counts, "seconds": 10.0, "seconds_left": 10.0}
    assert expected == json.loads(capsys.readouterr().err)


def test_a_terminal_gets_a_bar() -> None:
    """A person sees how far it is, how fast, how long it will take, and the counts."""
    terminal = StringIO()
    with _bar(Console(file=terminal, force_terminal=True, width=80), total=4) as show:
        show(RunCounts(added=1, unchanged=1))
        show(RunCounts(added=2, unchanged=1, failures=[Failure("/x", "R", "Why.")]))

    assert "4/4" in terminal.getvalue()
    assert "/s " in terminal.getvalue()
    assert "2 added, 1 unchanged, 1 failed" in terminal.getvalue()
