from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest
from click.testing import CliRunner, Result
from google.rpc.error_details_pb2 import BadRequest

from segue.client.cli.main import main
from segue.core.audio.containers import FileBytes
from segue.core.audio.track_id import track_id
from segue.v1.audio_pb2 import Audio
from segue.v1.recommendation_service_pb2 import ContinueRequest, FindPathRequest, Seed, TrackFilter, Variety
from tests.integration.client.answers import TRACKS
from tests.integration.client.behaviours import fails, info
from tests.integration.client.conftest import Peer

A, B = "a" * 32, "b" * 32


def segue(peer: Peer, *arguments: str, stdin: bytes = b"") -> Result:
    """Runs the command in this process."""
    return CliRunner(env={"SEGUE_ADDRESS": peer.address}).invoke(main, ["playlist", *arguments], input=stdin)


def test_a_list_is_continued(peer: Peer, tmp_path: Path) -> None:
    """Without --to, the items are sent in their order; the table has the tracks in theirs, and the file the same."""
    clip = tmp_path / "clip.wav"
    clip.write_bytes(b"RIFF")
    items = ["--from", A, "--from", str(clip), "--from", "genre:jazz", "--from", "tag:sad"]
    out = tmp_path / "mix.m3u8"
    options = ["--length", "5", "--half-life", "2", "--out", str(out), "--per-artist", "1", "--years", "1990-"]
    result = segue(peer, *items, *options)
    seeds = [Seed(track_id=A), Seed(audio=Audio(content=b"RIFF")), Seed(genre="jazz"), Seed(tag="sad")]
    variety = Variety(max_per_artist=1, keep_copies=False)
    expected = ContinueRequest(items=seeds, half_life=2, limit=5, filter=TrackFilter(min_year=1990), variety=variety)
    assert [expected] == peer.received
    assert 0 == result.exit_code
    rows = zip(TRACKS, result.stdout.splitlines()[2:], strict=False)
    assert [True] * 5 == [track.title in line for track, line in rows]
    assert "Other tracks are left out" in result.stderr
    assert [True] * 5 == [f"music/song-{number}.flac" in out.read_text() for number in range(5)]


def test_a_path(peer: Peer, tmp_path: Path) -> None:
    """With --to, a path is found; the table says how smooth it is."""
    out = tmp_path / "mix.xspf"
    result = segue(peer, "--from", A, "--to", "-", "--length", "9", "--out", str(out), stdin=b"RIFF")
    end = Seed(audio=Audio(content=b"RIFF"))
    assert [FindPathRequest(start=Seed(track_id=A), end=end, length=9, variety=Variety())] == peer.received
    assert (0, "") == (result.exit_code, result.stderr)
    assert "Angle between neighbours: 45 degrees at most, 42 on average." in result.stdout
    assert 5 == out.read_text(encoding="utf-8").count("<location>")


def test_json_and_paths(peer: Peer) -> None:
    """The response can be printed as JSON, or its paths alone."""
    document = json.loads(segue(peer, "--from", A, "--to", B, "--json").stdout)
    assert (5, 45.0, 41.5) == (len(document["tracks"]), document["greatest_step"], document["mean_step"])
    paths = segue(peer, "--from", A, "--paths").stdout.splitlines()
    assert [track.path for track in TRACKS] == paths


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing option '--from'"),
        (["--from", A, "--from", B, "--to", A], "With --to, give one --from"),
        (["--from", A, "--to", B, "--half-life", "2"], "leave out --half-life"),
        (["--from", "-", "--to", "-"], "only one of the seeds"),
        (["--from", A, "--out", "mix.flac"], "does not end in .m3u, .m3u8 or .xspf"),
        (["--from", A, "--json", "--paths"], "leave out --paths"),
        (["--from", A, "--length", "many"], "not a valid integer"),
    ],
)
def test_wrong_command_lines(peer: Peer, arguments: list[str], message: str) -> None:
    """A command line that cannot be meant ends with 2, before anything is sent."""
    result = segue(peer, *arguments)
    assert (2, True, []) == (result.exit_code, message in result.stderr, peer.received)


@pytest.mark.parametrize(
    ("field", "message", "printed"),
    [
        ("limit", "limit is 0; use 1 to 100.", "--length is 0; use 1 to 100."),
        ("half_life", "half_life is 0; use 0.1 to 1000.", "--half-life is 0; use 0.1 to 1000."),
        ("variety.shuffle_seed", "variety.shuffle_seed is set.", "--shuffle is set."),
        ("filter.genres", "filter.genres has 'polka'.", "--genre has 'polka'."),
        ("items[1].genre", "items[1].genre has 'polka'.", "genre:polka: items[1].genre has 'polka'."),
    ],
)
def test_errors_name_the_arguments(peer: Peer, field: str, message: str, printed: str) -> None:
    """The message of an error has the option or the seed as it was written."""
    violation = BadRequest(field_violations=[BadRequest.FieldViolation(field=field, description=message)])
    code = grpc.StatusCode.INVALID_ARGUMENT
    peer.behaviours.append(fails(code, message, info("MALFORMED_REQUEST"), violation))
    result = segue(peer, "--from", A, "--from", "genre:polka")
    assert (1, f"segue: {printed}\n") == (result.exit_code, result.stderr)


def test_a_seed_that_does_not_exist(peer: Peer) -> None:
    """Text that is neither a file nor an id is an error that names it."""
    result = segue(peer, "--from", A, "--to", "no-song.mp3")
    assert (1, True, []) == (result.exit_code, "no-song.mp3 is neither" in result.stderr, peer.received)


def test_a_large_file(peer: Peer, tmp_path: Path) -> None:
    """A file above 16 MiB is not sent but named by its track id; if it is not in the catalogue, the error names it."""
    file = tmp_path / "large.flac"
    file.write_bytes(b"fLaC" + bytes(17 * 2**20))
    with file.open("rb") as opened:
        known = track_id(FileBytes(opened.fileno()))
    segue(peer, "--from", str(file), "--to", B)
    assert known == peer.received[0].start.track_id
    message = f"The catalogue has no track '{known}'."
    peer.behaviours.append(fails(grpc.StatusCode.NOT_FOUND, message, info("TRACK_NOT_FOUND")))
    result = segue(peer, "--from", str(file), "--to", B)
    assert f"has no track '{file}'. A file above 16 MiB is a seed only if" in result.stderr
