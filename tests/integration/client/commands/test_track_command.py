from __future__ import annotations

from pathlib import Path

import grpc

from tests.integration.client.answers import TRACKS
from tests.integration.client.behaviours import fails, info
from tests.integration.client.conftest import Peer
from tests.integration.client.test_client_cli import document, segue


def test_track(peer: Peer) -> None:
    """Track prints the known properties of a track; with --json, every field."""
    text = segue(peer, "track", TRACKS[0].track_id).stdout
    (printed,) = document(segue(peer, "track", TRACKS[0].track_id, "--json"))["results"]
    assert (True, False) == ("music/song-0.flac" in text, "Tagged" in text)
    assert ["Predicted", "tags", "sad", "0.50,", "80s", "0.12"] in [line.split() for line in text.splitlines()]
    assert [{"tag": "sad", "score": 0.5}, {"tag": "80s", "score": 0.125}] == printed["tags"]
    assert (180.0, "", TRACKS[0].track_id) == (printed["duration"], printed["tagged_genre"], printed["track_id"])


def test_own_metadata(peer: Peer) -> None:
    """External ids are sent as they are, also with a slash; attributes are printed as --attribute accepts them."""
    result = segue(peer, "track", TRACKS[0].track_id, "external:a/0.c", TRACKS[1].track_id)
    assert [TRACKS[0].track_id, "external:a/0.c", TRACKS[1].track_id] == list(peer.received[0].track_ids)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert {"External id a/0", "External id a/1", "Attributes bpm=90, lists=x; y, live=true, mood=calm"} <= {*lines}
    assert "The catalogue has no track 'external:a/0.c'" in result.stderr
    (printed,) = document(segue(peer, "track", TRACKS[0].track_id, "--json"))["results"]
    assert {"mood": "calm", "bpm": 90, "live": True, "lists": ["x", "y"]} == printed["attributes"]


def test_several_tracks(peer: Peer) -> None:
    """Tracks are named by ids and by paths; each that fails has its error, and the exit code is 1."""
    missing, known = "f" * 32, [TRACKS[1].track_id, TRACKS[2].track_id]
    result = segue(peer, "track", missing, *known, "song.flac")
    assert [1, 1, 1, 1] == [result.exit_code, *(result.stdout.count(f"Song {number}") for number in range(3))]
    assert f"segue: The catalogue has no track '{missing}'" in result.stderr
    printed = document(segue(peer, "track", missing, "song.flac", "--json"))["results"]
    assert ["TRACK_NOT_FOUND", "song.flac"] == [printed[0]["error"]["reason"], printed[1]["name"]]
    # The ids are read in one call.
    assert [[missing, *known], str(Path("song.flac").absolute())] == [
        list(peer.received[0].track_ids),
        peer.received[1].path,
    ]


def test_track_of_a_link(peer: Peer, tmp_path: Path) -> None:
    """Of a link that is not in the catalogue, its file is shown."""
    (clip := tmp_path / "clip.wav").write_bytes(b"RIFF")
    (link := tmp_path / "link.wav").symlink_to(clip)
    missing = fails(grpc.StatusCode.NOT_FOUND, "There is no such track.", info("TRACK_NOT_FOUND"))
    peer.behaviours += [missing]
    assert "Song 0" in segue(peer, "track", str(link)).stdout
    assert [str(link), str(clip)] == [request.path for request in peer.received]
