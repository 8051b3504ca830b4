from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from segue.core.catalogue.finding import Finding
from segue.indexer.catalogue.verdict import Verdict
from segue.indexer.cli.report import (
    backup_summary,
    print_report,
    print_status,
    print_verdict,
    progress,
    progress_bar,
    rebuild_summary,
    removal_summary,
    restore_summary,
)
from segue.indexer.pipeline.left_out import LeftOut
from segue.indexer.pipeline.records import Failure
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.settings import OutputOptions

KEYS = {
    "model",
    "indexed",
    "tracks",
    "skipped",
    "added",
    "unchanged",
    "updated",
    "removed",
    "forgotten",
    "failed",
    "decoded",
    "rechecked",
    "seconds",
    "dry_run",
    "error",
    "failures",
    "left_out",
}


def test_the_document_has_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs read one JSON document with every count, and every failure with its reason."""
    counts = RunCounts(added=2, failures=[Failure("/x.wav", "AUDIO_SILENT", "Silence.")])
    print_report(counts, OutputOptions(as_json=True))
    document = json.loads(capsys.readouterr().out)

    assert KEYS == set(document)
    assert 1 == document["failed"]
    assert [{"path": "/x.wav", "reason": "AUDIO_SILENT", "message": "Silence."}] == document["failures"]


def test_people_read_counts_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    """The counts go to stdout, each failure with its message to stderr."""
    failure = Failure("/x.wav", "AUDIO_SILENT", "It is silent.")
    print_report(RunCounts(tracks=9, added=2, failures=[failure], seconds=1.5), OutputOptions())
    printed = capsys.readouterr()

    assert "Files: 2 added, 0 unchanged, 1 failed in 1.5 s. Catalogue: 9 tracks.\n" == printed.out
    assert "failed: /x.wav: It is silent. [AUDIO_SILENT]\n" == printed.err


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (RunCounts(), "Files: 0 added, 0 unchanged, 0 failed in 0.0 s."),
        (RunCounts(tracks=0), "Files: 0 added, 0 unchanged, 0 failed in 0.0 s. Catalogue: 0 tracks."),
        (
            RunCounts(tracks=1, removed=1, forgotten=1),
            "Files: 0 added, 0 unchanged, 1 forgotten, 0 failed in 0.0 s. Catalogue: 1 track, 1 removed.",
        ),
        (
            RunCounts(tracks=2_000, unchanged=1_999, skipped=1),
            "Files: 0 added, 1,999 unchanged, 1 skipped, 0 failed in 0.0 s. Catalogue: 2,000 tracks.\n"
            "Skipped 1 file that failed in an earlier run and did not change since: run `segue-indexer retry` to try "
            "again.",
        ),
        (
            RunCounts(tracks=12, updated=1, forgotten=1, removed=1, dry_run=True),
            "Dry run: nothing was changed. A run would count 0 added, 1 updated, 0 unchanged, 1 forgotten, 0 failed, "
            "and remove 1 track.",
        ),
        (
            RunCounts(tracks=12, forgotten=4, removed=4, dry_run=True),
            "Dry run: nothing was changed. A run would count 0 added, 0 unchanged, 4 forgotten, 0 failed, and remove 4 "
            "tracks.\nThat is more than 20 % of the tracks: the run needs --allow-removals, unless the files were only "
            "renamed.",
        ),
        (
            RunCounts(left_out=LeftOut({".jpg": 8}, {".ape": 1}), dry_run=True),
            "Dry run: nothing was changed. A run would count 0 added, 0 unchanged, 0 failed.\n"
            "Left out: 1 file that needs ffmpeg (.ape 1), 8 files that are not music (.jpg 8).\n"
            "Put ffmpeg on the PATH to index the files that need it.",
        ),
        (
            RunCounts(left_out=LeftOut(resource_fork=1)),
            "Files: 0 added, 0 unchanged, 0 failed in 0.0 s.\nLeft out: 1 resource fork.",
        ),
    ],
)
def test_a_summary_reads_well(capsys: pytest.CaptureFixture[str], counts: RunCounts, expected: str) -> None:
    """The sentences fit no, one and many files and tracks."""
    print_report(counts, OutputOptions())

    assert f"{expected}\n" == capsys.readouterr().out


def test_other_commands_have_summaries() -> None:
    """Each says what was done, or what a run would do."""
    one = RunCounts(tracks=1, removed=1, forgotten=1, seconds=1.5)
    dry = RunCounts(tracks=20, removed=11, forgotten=11, dry_run=True)

    assert [
        "Removed 1 track and 1 file in 1.5 s. The catalogue has 1 track.",
        "Published the index of revision 7 with 1 track in 1.5 s.",
        "Wrote 1 track to /b in 1.5 s.",
        "Restored 1 track from /b in 1.5 s.",
    ] == [removal_summary(one), rebuild_summary(one, 7), backup_summary(one, "/b"), restore_summary(one, "/b")]
    assert [
        f"Dry run: nothing was changed. A run would {action}."
        for action in (
            "remove 11 tracks and 11 files from a catalogue of 20 tracks",
            "publish the index of revision 7 with 20 tracks",
            "write 20 tracks to /b",
            "restore 20 tracks from /b",
        )
    ] == [removal_summary(dry), rebuild_summary(dry, 7), backup_summary(dry, "/b"), restore_summary(dry, "/b")]


FINDINGS = [Finding("a", "Lost."), Finding("b\x1b", "Lost.")]


@pytest.mark.parametrize(
    ("verdict", "removed", "expected"),
    [
        (Verdict([], []), 0, "No problems found in 1.5 s. The catalogue has 9 tracks."),
        (
            Verdict(FINDINGS, FINDINGS),
            0,
            "Found 2 problems. Run `segue-indexer verify --repair` to repair what can be repaired.",
        ),
        (
            Verdict(FINDINGS, FINDINGS[:1]),
            0,
            "Repaired 1 of 2 problems. Run `segue-indexer verify --repair` again.",
        ),
        (Verdict(FINDINGS[:1], []), 0, "Repaired 1 problem. The catalogue has 9 tracks."),
        (
            Verdict(FINDINGS, []),
            1,
            "Repaired 2 problems and removed 1 damaged track. The catalogue has 9 tracks. Add the music again to index "
            "what was removed.",
        ),
    ],
)
def test_a_verdict_reads_well(
    capsys: pytest.CaptureFixture[str], verdict: Verdict, removed: int, expected: str
) -> None:
    """Each finding is a line on stderr, and the summary says what to do."""
    print_verdict(verdict, RunCounts(tracks=9, removed=removed, seconds=1.5), OutputOptions())
    printed = capsys.readouterr()

    assert f"{expected}\n" == printed.out
    assert ["problem: a: Lost.", "problem: b\\x1b: Lost."][: len(verdict.findings)] == printed.err.splitlines()


def test_the_status_shows_unfinished_work(capsys: pytest.CaptureFixture[str]) -> None:
    """The staging area of an interrupted reindex or restore has a line of its own."""
    status: dict[str, Any] = {
        "redis": "unix:/data/redis.sock",
        "tracks": 1,
        "revision": 3,
        "catalogue": {"uuid": "u", "model_id": "m", "fingerprint": "f", "width": 16},
        "index": {"revision": 3, "tracks": 1},
        "staging": {"model_id": "n", "tracks": 32},
        "failed": {},
        "failures": None,
    }
    print_status(status, OutputOptions())

    assert [
        "redis      unix:/data/redis.sock",
        "tracks     1",
        "revision   3",
        "model      m (front end f, width 16)",
        "catalogue  u",
        "index      revision 3, 1 track",
        "failed     none",
        "staging    32 tracks by n, from an unfinished reindex or restore",
    ] == capsys.readouterr().out.splitlines()


def test_quiet_prints_only_failures(capsys: pytest.CaptureFixture[str]) -> None:
    """There are no counts on stdout, but the failures are on stderr."""
    print_report(RunCounts(failures=[Failure("/x.wav", "R", "Cause.")]), OutputOptions(quiet=True))
    printed = capsys.readouterr()

    assert "" == printed.out
    assert "/x.wav" in printed.err


def test_a_long_list_of_failures_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """The counts stay on the screen, and the last line says how to get the rest."""
    print_report(RunCounts(failures=[Failure(f"/{number}", "R", "Cause.") for number in range(60)]), OutputOptions())

    assert "... and 10 more; use --json to list them all." == capsys.readouterr().err.splitlines()[-1]


def test_a_file_name_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences in the name of a failed file are printed as escapes."""
    print_report(RunCounts(failures=[Failure("/\x1b[31m", "R", "Cause.")]), OutputOptions())

    assert "failed: /\\x1b[31m: Cause. [R]\n" == capsys.readouterr().err


def test_a_log_gets_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """If stderr is not a terminal, a line is printed every few seconds, with count, rate and remaining time."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress(100, OutputOptions()) as show:
        show(RunCounts(added=1))
        now = 10.0
        show(RunCounts(added=49, updated=1))
        show(RunCounts(added=50))

    expected = "50 of 100 files, 5.0 files/s, 10 s left: 49 added, 1 updated, 0 unchanged, 0 failed\n"
    assert expected == capsys.readouterr().err


def test_a_program_gets_documents(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json each line is a document with the counts, the elapsed seconds and the remaining ones."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with progress(100, OutputOptions(as_json=True)) as show:
        now = 10.0
        show(RunCounts(added=49, updated=1, decoded=50))

    counts = {"added": 49, "updated": 1, "unchanged": 0, "skipped": 0, "failed": 0, "decoded": 50, "rechecked": 0}
    expected = {"done": 50, "total": 100, **counts, "seconds": 10.0, "seconds_left": 10.0}
    assert expected == json.loads(capsys.readouterr().err)


def test_a_terminal_gets_a_bar() -> None:
    """The bar shows the progress, the rate, the remaining time and the counts."""
    terminal = StringIO()
    with progress_bar(Console(file=terminal, force_terminal=True, width=80), total=4) as show:
        show(RunCounts(added=1, unchanged=1))
        show(RunCounts(added=2, unchanged=1, failures=[Failure("/x", "R", "Cause.")]))

    assert "4/4" in terminal.getvalue()
    assert "/s " in terminal.getvalue()
    assert "2 added, 1 unchanged, 1 failed" in terminal.getvalue()


def test_a_bar_that_waits_for_the_model() -> None:
    """Between the first decoded file and the first added one, the bar says why it does not move."""
    terminal = StringIO()
    with progress_bar(Console(file=terminal, force_terminal=True, width=80), total=4) as show:
        show(RunCounts(decoded=3))
    assert "3 decoded, loading the model" in terminal.getvalue()
