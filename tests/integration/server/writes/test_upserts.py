"""Tracks that callers add and change by their own ids."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from segue.v1.audio_pb2 import Audio
from segue.v1.catalog_service_pb2 import (
    UPSERT_CHANGE_ADDED,
    UPSERT_CHANGE_UNCHANGED,
    UPSERT_CHANGE_UPDATED,
    OwnMetadata,
    TrackEmbedding,
    UpsertTracksRequest,
)
from segue.v1.recommendation_service_pb2 import RecommendRequest, Variety
from tests.helpers.indexer import run
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import running_server
from tests.helpers.server.stubs import Stubs, failure
from tests.integration.server.writes.items import attributes, changes, clip, upserted, vector


def test_clips(stubs: Stubs) -> None:
    """They are classified, recommended with the owner's metadata within seconds, and unchanged when sent again."""
    items = [clip("a", 4.0, title="One", attributes=attributes(bpm=120.0)), clip("b", 5.0)]
    first = upserted(stubs, *items)
    assert [UPSERT_CHANGE_ADDED] * 2 == changes(first.values())
    track = stubs.get_track("external:a").track
    assert (first["a"].response.track_id, "One", "a", "upload:a") == (
        track.track_id,
        track.title,
        track.external_id,
        track.path,
    )
    assert (4.0, {"bpm": 120.0}) == (track.duration.ToTimedelta().total_seconds(), MessageToDict(track.attributes))
    assert track.genre in stubs.status().genres
    assert "b" == stubs.get_track("external:b").track.title
    wait_until(lambda: 2 == stubs.status().track_count)
    assert ["b"] == [each.track.external_id for each in stubs.recommend("external:a").recommendations]
    again = upserted(stubs, *items)
    assert [UPSERT_CHANGE_UNCHANGED] * 2 == changes(again.values())
    assert max(first[key].response.revision.catalogue_revision for key in "ab") == (
        again["a"].response.revision.catalogue_revision
    )


def test_other_audio_and_other_metadata(stubs: Stubs) -> None:
    """An item replaces what it has and keeps what it lacks; the old audio leaves the catalogue."""
    old = upserted(stubs, clip("a", 4.0, title="One", artist="X"))["a"].response
    new = upserted(stubs, clip("a", 5.0))["a"].response
    assert (UPSERT_CHANGE_UPDATED, True) == (new.change, old.track_id != new.track_id)
    track = stubs.get_track("external:a").track
    assert (new.track_id, "One", "X") == (track.track_id, track.title, track.artist)
    assert [old.track_id] == [*stubs.batch_get_tracks([old.track_id]).missing_track_ids]
    alone = UpsertTracksRequest(external_id="a", metadata=OwnMetadata(title="Two"))
    assert [UPSERT_CHANGE_UPDATED] == changes(upserted(stubs, alone).values())
    assert ("Two", "") == ((track := stubs.get_track("external:a").track).title, track.artist)
    assert [UPSERT_CHANGE_UNCHANGED] == changes(upserted(stubs, alone).values())


def test_embeddings(stubs: Stubs) -> None:
    """Tracks with an embedding alone are recommended, and need no audio when they are sent again."""
    items = [vector(f"v{number}", stubs, number, title=f"T{number}") for number in range(20)]
    assert [UPSERT_CHANGE_ADDED] * 20 == changes(upserted(stubs, *items).values())
    wait_until(lambda: 20 == stubs.status().track_count)
    request = RecommendRequest(track_id="external:v3", limit=50, variety=Variety(max_per_artist=0))
    found = stubs.send_recommend(request).recommendations
    assert {f"v{number}" for number in range(20) if number != 3} == {each.track.external_id for each in found}
    assert {""} == {each.track.genre for each in found}
    assert [UPSERT_CHANGE_UNCHANGED] * 20 == changes(upserted(stubs, *items).values())


def test_the_same_audio_with_two_ids(stubs: Stubs) -> None:
    """It is one track; without one of its ids it stays, and without both it goes."""
    both = upserted(stubs, clip("a"), clip("b"))
    assert 1 == len({response.response.track_id for response in both.values()})
    assert [] == [*stubs.delete_tracks("external:a").missing_track_ids]
    assert both["b"].response.track_id == stubs.get_track("external:b").track.track_id
    assert ["external:a"] == [*stubs.delete_tracks("external:a", "external:b").missing_track_ids]
    assert [both["a"].response.track_id] == [*stubs.batch_get_tracks([both["a"].response.track_id]).missing_track_ids]


def test_the_same_id_twice_in_a_stream(stubs: Stubs) -> None:
    """One of the two wins, and nothing else is left."""
    responses = list(stubs.upsert_tracks([clip("a", 4.0), clip("a", 5.0), clip("a", 6.0)]))
    assert 3 == len(responses)
    wait_until(lambda: 1 == stubs.status().track_count)
    assert stubs.get_track("external:a").track.track_id in {response.response.track_id for response in responses}


BAD = {
    "empty id": (UpsertTracksRequest(audio=Audio(content=b"x")), "MALFORMED_REQUEST", "external_id"),
    "long id": (UpsertTracksRequest(external_id="x" * 257), "MALFORMED_REQUEST", "257 characters"),
    "control character": (UpsertTracksRequest(external_id="a\nb"), "MALFORMED_REQUEST", "control character"),
    "metadata of nothing": (
        UpsertTracksRequest(external_id="none", metadata=OwnMetadata(title="x")),
        "TRACK_NOT_FOUND",
        "external:none",
    ),
    "nothing at all": (UpsertTracksRequest(external_id="none"), "TRACK_NOT_FOUND", "external:none"),
    "no audio": (UpsertTracksRequest(external_id="e", audio=Audio()), "MALFORMED_REQUEST", "audio.content is empty"),
    "no music": (UpsertTracksRequest(external_id="e", audio=Audio(content=b"x" * 99)), "AUDIO_UNDECODABLE", ""),
    "short": (clip("e", 0.5), "AUDIO_TOO_SHORT", ""),
    "text over its bound": (clip("e", title="x" * 1_025), "MALFORMED_REQUEST", "title has 1,025"),
    "too many attributes": (
        clip("e", attributes=attributes(**{f"a{number}": 1 for number in range(33)})),
        "MALFORMED_REQUEST",
        "33 names",
    ),
    "attribute of an attribute": (clip("e", attributes=attributes(a={"b": 1})), "MALFORMED_REQUEST", "attributes.a"),
    "wrong name": (clip("e", attributes=attributes(**{"1a": 1})), "MALFORMED_REQUEST", "1a"),
    "embedding without a model": (
        UpsertTracksRequest(external_id="e", embedding=TrackEmbedding(values=[1.0])),
        "MALFORMED_REQUEST",
        "model_id is empty",
    ),
    "embedding of another model": (
        UpsertTracksRequest(external_id="e", embedding=TrackEmbedding(values=[1.0], model_id="other")),
        "MALFORMED_REQUEST",
        "'other'",
    ),
}


def test_wrong_items(stubs: Stubs) -> None:
    """Each has its own status, writes nothing, and leaves the others alone."""
    not_a_number = attributes()
    not_a_number.fields["a"].number_value = float("nan")
    cases = [*BAD.values(), (clip("e", attributes=not_a_number), "MALFORMED_REQUEST", "finite")]
    for item, reason, text in cases:
        answers = {response.WhichOneof("outcome"): response for response in stubs.upsert_tracks([item, clip("good")])}
        assert {"response", "status"} == set(answers), reason
        status = answers["status"].status
        assert reason in str(status.details[0]), status
        assert text in status.message, status
    wait_until(lambda: 1 == stubs.status().track_count)


def test_an_empty_stream(stubs: Stubs) -> None:
    """It ends without a response."""
    assert [] == list(stubs.upsert_tracks([]))


def test_a_file_of_the_indexer(stubs: Stubs, options: tuple[str, ...], tmp_path: Path, clips: list[Path]) -> None:
    """Its metadata can be changed by its external id, and other audio takes the id from it."""
    upserted(stubs, clip("first"))
    manifest = tmp_path / "tracks.jsonl"
    manifest.write_text(f'{{"path": "{clips[0]}", "external_id": "disk"}}\n')
    ended = run("add", "--manifest", manifest, *options[:4])
    assert 0 == ended.exit_code, ended.output
    item = UpsertTracksRequest(external_id="disk", metadata=OwnMetadata(title="Named"))
    known = upserted(stubs, item)["disk"].response
    track = stubs.get_track("external:disk").track
    assert (known.track_id, "Named", str(clips[0])) == (track.track_id, track.title, track.path)
    same = UpsertTracksRequest(external_id="disk", audio=Audio(content=clips[0].read_bytes()))
    assert (UPSERT_CHANGE_UNCHANGED, known.track_id) == (
        (sent := upserted(stubs, same)["disk"].response).change,
        sent.track_id,
    )
    other = upserted(stubs, clip("disk", 5.0))["disk"].response
    assert (UPSERT_CHANGE_UPDATED, other.track_id) == (other.change, stubs.get_track("external:disk").track.track_id)
    assert "" == stubs.get_track(known.track_id).track.external_id


def test_a_server_that_only_reads(tmp_path: Path, tiny_model: Path) -> None:
    """It refuses all three calls with a sentence, before it reads an item."""
    with running_server("--data", str(tmp_path / "data"), "--model", str(tiny_model)) as running:
        stubs = Stubs(running.address)
        for send in (lambda: list(stubs.upsert_tracks([clip("a")])), lambda: stubs.delete_tracks("external:a")):
            with pytest.raises(grpc.RpcError) as call:
                send()
            assert ("PERMISSION_DENIED", "WRITES_DISABLED") == failure(call)[:2]
            assert "--allow-writes" in str(call.value.details())
