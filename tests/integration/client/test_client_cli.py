from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result
from google.rpc.error_details_pb2 import BadRequest

from segue.client.cli.main import main
from segue.v1.recommendation_service_pb2 import RecommendResponse, Seed
from segue.v1.track_pb2 import Track
from tests.integration.client.answers import DETAILS, TRACKS
from tests.integration.client.behaviours import fails, info
from tests.integration.client.conftest import Peer

SILENT = fails(grpc.StatusCode.INVALID_ARGUMENT, "Every window is silent.", info("AUDIO_SILENT"))


def segue(peer: Peer, *arguments: str, stdin: bytes = b"") -> Result:
    """Runs the command in this process."""
    return CliRunner(env={"SEGUE_ADDRESS": peer.address}).invoke(main, arguments, input=stdin)


def document(result: Result) -> Any:  # noqa: ANN401 - any document
    """Parses the document on standard output, and checks that standard error is empty."""
    assert "" == result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """A file that the peer accepts as audio."""
    path = tmp_path / "clip.wav"
    path.write_bytes(b"RIFF")
    return str(path)


def test_classify(peer: Peer, clip: str) -> None:
    """Classify prints the file, its genres with bars, and the model."""
    result = segue(peer, "classify", clip, "--top-k", "3")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["blues", "0.750", "█" * 15] in lines
    assert ([clip], "segue-fast-1a2b3c4d,", 0) == (lines[0], lines[-1][0], result.exit_code)
    assert 3 == peer.received[0].top_k


def test_timeline(peer: Peer, clip: str) -> None:
    """With --timeline, each window is printed with its best genre, and the flaws of the audio are printed as usual."""
    lines = [" ".join(line.split()) for line in segue(peer, "classify", clip, "--timeline").stdout.splitlines()]
    assert {"0:03 0:06 jazz 0.500", "2.5 s of the audio are missing."} <= {*lines}
    assert ["scores", "quality_flags", "missing_seconds", "genre_unknown", "timeline"] == list(
        peer.received[0].read_mask.paths
    )


def test_tags(peer: Peer, clip: str) -> None:
    """With --tags, the ten best tags are printed with bars; JSON has all of them."""
    lines = [line.split() for line in segue(peer, "classify", clip, "--tags").stdout.splitlines()]
    tags = [words for words in lines if words[:1] == ["tag"]]
    assert (10, ["tag", "0", "0.688", "█" * 14]) == (len(tags), tags[0])
    (printed,) = document(segue(peer, "classify", clip, "--tags", "--json"))["results"]
    assert (12, {"tag": "tag 11", "score": 0.0}) == (len(printed["tags"]), printed["tags"][-1])
    assert {("scores", "quality_flags", "missing_seconds", "genre_unknown", "tags")} == {
        tuple(request.read_mask.paths) for request in peer.received
    }


def test_tags_of_a_model_that_does_not_tag(peer: Peer, clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The genres are printed, and a line says why there are no tags."""
    monkeypatch.delitem(DETAILS, "tags")
    result = segue(peer, "classify", clip, "--tags")
    assert (0, True) == (result.exit_code, "blues" in result.stdout)
    assert "segue: The server's model predicts no tags.\n" == result.stderr


@pytest.mark.parametrize(
    ("command", "usual"),
    [
        ("classify", ["scores", "quality_flags", "missing_seconds", "genre_unknown"]),
        ("recommend", ["recommendations", "quality_flags", "missing_seconds"]),
    ],
)
def test_details(peer: Peer, clip: str, command: str, usual: list[str]) -> None:
    """Timeline, tags and embedding are requested and printed only if the options ask for them."""
    assert not {"timeline", "embedding", "tags"} & keys(segue(peer, command, clip, "--json"))
    assert "embedding" in keys(segue(peer, command, clip, "--json", "--embedding"))
    masks = [list(request.read_mask.paths) for request in peer.received]
    assert [[], [*usual, "embedding"]] == masks


def test_an_unknown_genre(peer: Peer, clip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line says that the clip may be of none of the genres, and JSON has the flag."""
    sentence = "It sounds unlike all of these genres, and may be of none of them."
    assert sentence not in segue(peer, "classify", clip).stdout
    monkeypatch.setitem(DETAILS, "genre_unknown", True)
    assert sentence in segue(peer, "classify", clip).stdout
    (result,) = document(segue(peer, "classify", clip, "--json"))["results"]
    assert result["genre_unknown"] is True


def keys(result: Result) -> set[str]:
    """The keys of a document, or of its only result."""
    printed = document(result)
    return set(printed.get("results", [printed])[0])


def test_classify_several(peer: Peer, clip: str) -> None:
    """Each file that fails has its error, the others have their genres, and the exit code is 1."""
    peer.behaviours.append(SILENT)
    result = segue(peer, "classify", clip, "none.wav", clip)
    assert (1, 1) == (result.exit_code, result.stdout.count("blues"))
    assert [
        f"segue: {clip}: Every window is silent.",
        "segue: none.wav cannot be read: No such file or directory.",
    ] == result.stderr.splitlines()


def test_classify_as_json(peer: Peer, clip: str, tmp_path: Path) -> None:
    """With --json, each file has one result, with its scores or its error."""
    silent = tmp_path / "silent.wav"
    silent.write_bytes(b"")
    result = segue(peer, "--json", "classify", str(silent), clip, "--timeline")
    first, second = document(result)["results"]
    assert (1, str(silent), "AUDIO_SILENT") == (result.exit_code, first["file"], first["error"]["reason"])
    assert {
        "file": clip,
        "scores": [{"genre": "blues", "score": 0.75}, {"genre": "jazz", "score": 0.25}],
        "quality_flags": ["QUALITY_FLAG_LOW_RATE"],
        "missing_seconds": 2.5,
        "genre_unknown": False,
        "timeline": [{"start": 3.0, "end": 6.0, "scores": [{"genre": "jazz", "score": 0.5}]}],
        "revision": {"model_id": "segue-fast-1a2b3c4d", "catalogue_revision": 12, "stale": False},
    } == second


def test_classify_one_as_json(peer: Peer, clip: str) -> None:
    """The document has the same shape for one file."""
    assert [clip] == [entry["file"] for entry in document(segue(peer, "classify", clip, "--json"))["results"]]


def test_audio_on_stdin(peer: Peer) -> None:
    """A dash is standard input, for both commands that accept audio."""
    codes = [segue(peer, command, "-", stdin=b"RIFF").exit_code for command in ("classify", "recommend")]
    assert ([0, 0], [b"RIFF", b"RIFF"]) == (codes, [request.audio.content for request in peer.received])


def test_recommend(peer: Peer, clip: str) -> None:
    """Recommend prints the tracks by rank, in a pipe one per line with the whole id."""
    result = segue(peer, "recommend", clip, "--limit", "5")
    rows = [line.split() for line in result.stdout.splitlines()[2:-1]]
    expected = ["2", "Song", "1", "An", "Artist", "blues", "3:01", "0.875", TRACKS[1].track_id]
    assert (0, 5, expected) == (result.exit_code, len(rows), rows[1])


def test_named_seeds(peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """genre:NAME and tag:NAME are seeds, unless a file has that name."""
    monkeypatch.chdir(tmp_path)
    segue(peer, "recommend", "tag:female vocals", "--less", "genre:jazz", "--json")
    assert [Seed(tag="female vocals", weight=1), Seed(genre="jazz", weight=-0.5)] == list(peer.received[0].seeds)
    Path("tag:sad").write_bytes(b"music")
    segue(peer, "recommend", "tag:sad", "--json")
    assert (b"music", "audio") == (peer.received[1].audio.content, peer.received[1].WhichOneof("seed"))


def test_recommend_by_id(peer: Peer) -> None:
    """An id that is not the name of a file is sent as an id, and --json prints the contract's message."""
    printed = document(segue(peer, "recommend", TRACKS[0].track_id, "--json"))
    assert TRACKS[0].track_id == peer.received[0].track_id
    details = {"timeline", "embedding", "reasons", "moments"}
    assert set(RecommendResponse.DESCRIPTOR.fields_by_name) - details == printed.keys()
    assert 5 == len(printed["recommendations"])
    assert {"track", "similarity", "copies"} == printed["recommendations"][0].keys()


def test_file_named_as_an_id(peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose name is a track id is sent as audio."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / TRACKS[0].track_id).write_bytes(b"RIFF")
    segue(peer, "recommend", TRACKS[0].track_id)
    assert b"RIFF" == peer.received[0].audio.content


def test_tracks(peer: Peer) -> None:
    """Tracks lists all tracks."""
    text = segue(peer, "tracks").stdout
    printed = document(segue(peer, "tracks", "--json"))
    ids = [track.track_id for track in TRACKS]
    assert (ids, "5 tracks") == ([line.split()[-1] for line in text.splitlines()[2:-1]], text.splitlines()[-1])
    assert ids == [track["track_id"] for track in printed["tracks"]]


def test_limited_tracks(peer: Peer) -> None:
    """With --limit, the first tracks are printed with the number of all."""
    text = segue(peer, "tracks", "--limit", "2").stdout
    printed = document(segue(peer, "tracks", "--limit", "2", "--json"))
    assert "2 of 5 tracks; --limit N shows more" == text.splitlines()[-1]
    assert (2, 5) == (len(printed["tracks"]), printed["total"])
    assert "5 tracks" == segue(peer, "tracks", "--limit", "5").stdout.splitlines()[-1]


def test_search(peer: Peer) -> None:
    """Search prints the tracks that the server finds by all words, and their number."""
    text = segue(peer, "search", "an", "ärtist", "--limit", "3").stdout
    printed = document(segue(peer, "search", "an", "ärtist", "--json"))
    ids = [track.track_id for track in TRACKS]
    assert (ids[:3], "3 of 5 tracks; --limit N shows more") == (
        [line.split()[-1] for line in text.splitlines()[2:-1]],
        text.splitlines()[-1],
    )
    assert (ids, 5) == ([track["track_id"] for track in printed["tracks"]], printed["total"])
    assert [("an ärtist", 3), ("an ärtist", 20)] == [(request.query, request.page_size) for request in peer.received]


@pytest.mark.parametrize(
    "arguments", [["recommend", "0" * 32], ["search", "song"], ["tracks"]], ids=lambda arguments: arguments[0]
)
def test_paths(peer: Peer, arguments: list[str]) -> None:
    """With --paths only the paths are printed, one per line; with --print0, each with a null byte at its end."""
    paths = [track.path for track in TRACKS]
    assert "".join(f"{path}\n" for path in paths) == segue(peer, *arguments, "--paths").stdout
    assert "".join(f"{path}\0" for path in paths) == segue(peer, *arguments, "--print0").stdout


def test_a_path_with_a_line_break(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that --paths would split is printed with a warning, and by --print0 without."""
    monkeypatch.setattr("tests.integration.client.conftest.TRACKS", [Track(path="a\nb"), Track(path="c")])
    result = segue(peer, "tracks", "--paths")
    assert ("a\nb\nc\n", "segue: 1 path has a line break: use --print0.\n") == (result.stdout, result.stderr)
    assert "" == segue(peer, "tracks", "--print0").stderr


def test_offset(peer: Peer) -> None:
    """--offset is sent to the server."""
    segue(peer, "recommend", TRACKS[0].track_id, "--limit", "5", "--offset", "100")
    assert (5, 100) == (peer.received[0].limit, peer.received[0].offset)


@pytest.mark.parametrize("command", ["classify", "recommend"])
def test_a_failure_names_the_file(peer: Peer, clip: str, command: str) -> None:
    """The message names the file or standard input, and not the field of the request, as the server does."""
    field = BadRequest(field_violations=[BadRequest.FieldViolation(field="audio.content")])
    empty = fails(
        grpc.StatusCode.INVALID_ARGUMENT, "audio.content is empty; send more.", info("MALFORMED_REQUEST"), field
    )
    short = fails(grpc.StatusCode.INVALID_ARGUMENT, "The clip is too short.", info("AUDIO_TOO_SHORT"), field)
    peer.behaviours += [empty, empty, short]
    assert f"segue: {clip} is empty; send more.\n" == segue(peer, command, clip).stderr
    assert "segue: standard input is empty; send more.\n" == segue(peer, command, "-", stdin=b"R").stderr
    assert f"segue: {clip}: The clip is too short.\n" == segue(peer, command, clip).stderr


def test_status(peer: Peer) -> None:
    """Status prints the address, the version, the model and the genres of the server."""
    text = segue(peer, "status").stdout
    printed = document(segue(peer, "status", "--json"))
    words = [peer.address, "0.1.0", "segue-fast-1a2b3c4d", "blues, jazz"]
    assert [] == [word for word in words if word not in text]
    assert (peer.address, 5, "") == (printed["address"], printed["track_count"], printed["catalogue_problem"])


def test_request_id_in_the_message(peer: Peer) -> None:
    """The message of a failed request has its id in the server's log."""
    peer.behaviours.append(fails(grpc.StatusCode.INTERNAL, "It failed.", info("INTERNAL"), x_request_id="r-1"))
    assert "segue: It failed. (request r-1)\n" == segue(peer, "status").stderr
