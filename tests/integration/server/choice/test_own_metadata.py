"""External ids in place of track ids, and filters by the owner's attributes."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from segue.core.catalogue.own_metadata import MAX_ATTRIBUTES
from segue.core.catalogue.records import Track
from segue.v1.recommendation_service_pb2 import (
    AttributeCondition,
    ContinueRequest,
    FindPathRequest,
    RecommendRequest,
    RecommendUploadConfig,
    RecommendUploadRequest,
    Seed,
    StreamingRecommendRequest,
    TrackExclusion,
    TrackFilter,
)
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.clips import wav
from tests.helpers.server.invented_catalogue import ALL, ids, recommended, respond
from tests.helpers.server.stubs import Stubs, failure

EXTERNAL = ("external:id/7", "external:id/9")


def test_tracks_by_their_external_ids(stubs: Stubs) -> None:
    """A track is read by it, with the owner's metadata; unknown ids are named as they were sent."""
    track = stubs.get_track("external:id/7").track
    assert (track_id(7), "id/7", "Own album") == (track.track_id, track.external_id, track.album)
    expected = {"mood": "calm", "bpm": 67.0, "live": False, "lists": ["morning", "list 1"]}
    assert expected == MessageToDict(track.attributes)
    response = stubs.batch_get_tracks(["external:id/7", track_id(2), "external:none", "external:id/7", "id/7"])
    assert [track_id(number) for number in (7, 2, 7)] == [track.track_id for track in response.tracks]
    assert ["external:none", "id/7"] == [*response.missing_track_ids]
    with pytest.raises(grpc.RpcError) as call:
        stubs.get_track("external:none")
    assert ("NOT_FOUND", "TRACK_NOT_FOUND") == failure(call)[:2]


def test_seeds_by_their_external_ids(stubs: Stubs) -> None:
    """One seed, several seeds and streamed requests give what the track ids give."""
    assert respond(stubs, track_id=track_id(7)) == respond(stubs, track_id="external:id/7")
    plain = [Seed(track_id=track_id(7)), Seed(track_id=track_id(9), weight=-0.5)]
    external = [Seed(track_id="external:id/7"), Seed(track_id="external:id/9", weight=-0.5)]
    assert respond(stubs, seeds=plain) == respond(stubs, seeds=external)
    items = [StreamingRecommendRequest(item_id="1", request=RecommendRequest(track_id="external:id/7", limit=100))]
    (item,) = stubs.streaming_recommend(items)
    assert respond(stubs, track_id=track_id(7)) == item.response


@pytest.mark.parametrize("wrong", ["external:none", "external:", "external:ID/7", "id/7"])
def test_unknown_external_ids(stubs: Stubs, wrong: str) -> None:
    """Each unknown seed is named."""
    with pytest.raises(grpc.RpcError) as call:
        respond(stubs, seeds=[Seed(track_id=wrong), Seed(track_id="external:id/7")])
    assert ("NOT_FOUND", "TRACK_NOT_FOUND") == failure(call)[:2]
    assert wrong in str(call.value.details())


def test_external_ids_in_filters(stubs: Stubs) -> None:
    """They name tracks in both lists, also in the request of an upload; unknown ones are ignored."""
    only = TrackFilter(track_ids=["external:id/7", "external:none", track_id(2)])
    assert {track_id(7), track_id(2)} == {*ids(recommended(stubs, filter=only))}
    without = TrackFilter(exclude=TrackExclusion(track_ids=["external:id/7"]))
    everything = ids(recommended(stubs, variety=ALL))
    assert [each for each in everything if each != track_id(7)] == ids(recommended(stubs, filter=without, variety=ALL))
    config = RecommendUploadConfig(request=RecommendRequest(filter=only))
    uploaded = stubs.recommend_upload([RecommendUploadRequest(config=config), RecommendUploadRequest(chunk=wav(4.0))])
    assert {track_id(7), track_id(2)} == {*ids(list(uploaded.response.recommendations))}


def is_number(value: object, least: float, greatest: float) -> bool:
    """Returns whether an attribute is a number in a range."""
    return isinstance(value, float) and least <= value <= greatest


CALM = AttributeCondition(name="mood", values=["calm"])


@pytest.mark.parametrize(
    ("conditions", "is_met"),
    [
        ([CALM], lambda own: own.get("mood") == "calm"),
        ([AttributeCondition(name="mood", values=["calm", "wild", "?"])], lambda own: "mood" in own),
        ([AttributeCondition(name="lists", values=["morning"])], lambda own: "morning" in own.get("lists", ())),
        ([AttributeCondition(name="lists", values=["list 0"])], lambda own: "list 0" in own.get("lists", ())),
        ([AttributeCondition(name="bpm", min=70, max=85.5)], lambda own: is_number(own.get("bpm"), 70, 85.5)),
        ([AttributeCondition(name="bpm", min=85)], lambda own: is_number(own.get("bpm"), 85, 1e9)),
        ([AttributeCondition(name="live", is_true=False)], lambda own: own.get("live") is False),
        ([CALM, AttributeCondition(name="live", is_true=True)], lambda own: own.get("mood") == "calm" and own["live"]),
    ],
)
def test_attributes(
    stubs: Stubs, tracks: dict[str, Track], conditions: list[AttributeCondition], is_met: object
) -> None:
    """A filter leaves the tracks that meet all conditions, and an exclusion those that meet none."""
    assert callable(is_met)
    everything = ids(recommended(stubs, variety=ALL))
    expected = [key for key in everything if is_met(tracks[key].own.attributes)]
    assert 0 < len(expected) < len(everything)
    assert expected == ids(recommended(stubs, variety=ALL, filter=TrackFilter(attributes=conditions)))
    if len(conditions) == 1:
        exclude = TrackFilter(exclude=TrackExclusion(attributes=conditions))
        rest = [key for key in everything if key not in expected]
        assert rest == ids(recommended(stubs, variety=ALL, filter=exclude))


@pytest.mark.parametrize(
    "condition",
    [
        AttributeCondition(name="unknown", values=["calm"]),
        AttributeCondition(name="mood", min=1),
        AttributeCondition(name="live", values=["true"]),
        AttributeCondition(name="bpm", is_true=True),
        AttributeCondition(name="bpm", min=90, max=80),
    ],
)
def test_attributes_that_no_track_has(stubs: Stubs, condition: AttributeCondition) -> None:
    """An unknown name or another type meets no condition; the response names the field."""
    response = respond(stubs, filter=TrackFilter(attributes=[condition]))
    assert ([], "filter.attributes") == (list(response.recommendations), response.emptied_by)
    everything = TrackFilter(exclude=TrackExclusion(attributes=[condition]))
    assert respond(stubs).recommendations == respond(stubs, filter=everything).recommendations


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        (AttributeCondition(values=["calm"]), "filter.attributes[1]"),
        (AttributeCondition(name="mood"), "filter.attributes[1]"),
        (AttributeCondition(name="mood", values=["calm"], min=1), "filter.attributes[1]"),
        (AttributeCondition(name="mood", is_true=True, max=1), "filter.attributes[1]"),
        (AttributeCondition(name="mood", values=[""]), "filter.attributes[1].values"),
        (AttributeCondition(name="mood", values=["x"] * 1_001), "filter.attributes[1].values"),
        (AttributeCondition(name="m" * 1_025, values=["x"]), "filter.attributes[1].name"),
        (AttributeCondition(name="bpm", min=float("nan")), "filter.attributes[1]"),
    ],
)
def test_wrong_conditions(stubs: Stubs, condition: AttributeCondition, field: str) -> None:
    """A condition that has no name, or none or two kinds of values, is refused."""
    with pytest.raises(grpc.RpcError) as call:
        respond(stubs, filter=TrackFilter(attributes=[CALM, condition]))
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST") == failure(call)[:2]
    assert field in str(failure(call)[2])


def test_too_many_conditions(stubs: Stubs) -> None:
    """More than 32 conditions are refused, in both lists."""
    many = [CALM] * (MAX_ATTRIBUTES + 1)
    for wanted in (TrackFilter(attributes=many), TrackFilter(exclude=TrackExclusion(attributes=many))):
        with pytest.raises(grpc.RpcError, match="send at most 32"):
            respond(stubs, filter=wanted)


def test_external_ids_in_playlists(stubs: Stubs) -> None:
    """They name tracks in a list to continue, and at the ends of a path."""
    plain, external = ([Seed(track_id=name) for name in names] for names in ((track_id(7), track_id(9)), EXTERNAL))
    assert stubs.continue_list(ContinueRequest(items=plain)) == stubs.continue_list(ContinueRequest(items=external))
    paths = [stubs.find_path(FindPathRequest(start=start, end=end)) for start, end in (plain, external)]
    assert paths[0] == paths[1]
    with pytest.raises(grpc.RpcError, match="external:none"):
        stubs.continue_list(ContinueRequest(items=[Seed(track_id="external:none"), *external]))


def test_too_many_and_too_long_external_ids(stubs: Stubs) -> None:
    """They are refused or unknown without a look into Redis; a missing id is named as it was sent."""
    many = ["external:id/7"] * 3_001
    with pytest.raises(grpc.RpcError, match="send at most 1,000"):
        respond(stubs, filter=TrackFilter(track_ids=many))
    with pytest.raises(grpc.RpcError, match="send 1 to 1,000"):
        stubs.batch_get_tracks(many)
    long = f"external:{'x' * 257}"
    assert [long] == list(stubs.batch_get_tracks([long, "external:id/7"]).missing_track_ids)
