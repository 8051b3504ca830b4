from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from segue.client import MAX_AUDIO_BYTES, AudioSource, AudioTooLongError, AudioUnreadableError, MalformedRequestError
from segue.client import _calls as calls
from segue.client import _writes as writes
from segue.client._streaming import builders as streams
from segue.v1 import catalog_service_pb2, classification_service_pb2, feedback_service_pb2, recommendation_service_pb2
from segue.v1.catalog_service_pb2 import ListTracksResponse
from segue.v1.recommendation_service_pb2 import RecommendRequest, Seed

UNSEEDED = RecommendRequest()


def test_every_method_has_a_call() -> None:
    """Every method of the contract has a function that builds its request."""
    contract = {
        method.input_type.full_name
        for module in (
            classification_service_pb2,
            recommendation_service_pb2,
            catalog_service_pb2,
            feedback_service_pb2,
        )
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    built = [
        calls.classify(b"audio", None).request,
        calls.recommend(b"audio", UNSEEDED).request,
        calls.continue_list(["id"]).request,
        calls.find_path("id", b"audio").request,
        calls.get_track("id").request,
        calls.list_tracks(None).request,
        calls.batch_get_tracks(["id"]).request,
        calls.search_tracks("words", None).request,
        calls.status().request,
        writes.update_track("id", None, None, None, None).request,
        writes.delete_tracks(["id"]).request,
        *streams.upsert_tracks([writes.track_item("id")], 1).requests,
        calls.record_feedback("user", "id", "played", None).request,
        *streams.streaming_classify([]).requests,
        *streams.batch_classify([b"audio"])[0].requests,
        *streams.streaming_recommend(["id"], UNSEEDED)[0].requests,
        *streams.recommend_upload([b"RIFF"], calls.recommend_request(None, None), 1).requests,
    ]
    assert contract == {request.DESCRIPTOR.full_name for request in built}


def test_bytes_and_path(tmp_path: Path) -> None:
    """A file and its bytes are the same request."""
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    assert calls.classify(b"RIFF", 3).request == calls.classify(path, 3).request


def test_unset_numbers_stay_unset() -> None:
    """A number that is None is not sent, which is not the same as 0."""
    unset, zero = calls.classify(b"", None).request, calls.classify(b"", 0).request
    assert (False, True) == (unset.HasField("top_k"), zero.HasField("top_k"))


def test_read_mask() -> None:
    """The fields of a read mask are sent; None sends no mask, and a single str is refused."""
    assert ["scores", "timeline"] == list(calls.classify(b"", None, ("scores", "timeline")).request.read_mask.paths)
    assert not calls.recommend("id", UNSEEDED).request.HasField("read_mask")
    with pytest.raises(TypeError, match="a list of fields"):
        calls.classify(b"", None, "scores")


@pytest.mark.parametrize(("number", "sent"), [(2**40, 2**31 - 1), (-(2**40), -(2**31)), (10_000, 10_000), (-1, -1)])
def test_numbers_beyond_int32(number: int, sent: int) -> None:
    """A number that int32 cannot hold is sent as the nearest that it can, and the server checks its own limits."""
    assert sent == calls.recommend_request(number, None).limit


def test_seed_by_type() -> None:
    """A str is the id of a track, bytes are audio, and a list has several seeds."""
    several = [Seed(track_id="id"), Seed(genre="jazz", weight=-1)]
    requests = [calls.recommend(seed, UNSEEDED).request for seed in ("id", b"id", several)]
    assert ["track_id", "audio", None] == [request.WhichOneof("seed") for request in requests]
    assert several == list(requests[2].seeds)


@pytest.mark.parametrize("text", ["song.mp3", "./song", "/music/song.flac", "a/b"])
def test_file_name_as_a_seed(text: str) -> None:
    """A str that looks like a file and not like an id is not sent, and the error says how to name a file."""
    for call in (partial(calls.recommend, request=UNSEEDED), calls.get_track):
        with pytest.raises(MalformedRequestError, match=re.escape(f"pathlib.Path({text!r})")):
            call(text)


def test_track_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is sent absolute, and a byte that is not UTF-8 in the form that the indexer writes."""
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "a.wav") == calls.get_track(Path("sub/../a.wav")).request.path
    assert "/caf\\xe9.wav" == calls.get_track(Path("/caf\udce9.wav")).request.path
    assert "/caf\\xe9.wav" == calls.get_track(Path("/caf\\xe9.wav")).request.path
    (tmp_path / "\\xe9.wav").touch()
    assert f"{tmp_path}/\\x5cxe9.wav" == calls.get_track(Path("\\xe9.wav")).request.path
    assert "" == calls.get_track("id").request.path


def test_one_id_is_no_batch() -> None:
    """A str is refused as a list of ids."""
    with pytest.raises(TypeError, match="a list of ids"):
        calls.batch_get_tracks("id")


def test_audio_at_the_limit() -> None:
    """16 MiB of audio are accepted."""
    assert MAX_AUDIO_BYTES == len(calls.classify(bytes(MAX_AUDIO_BYTES), None).request.audio.content)


@pytest.mark.parametrize("size", [MAX_AUDIO_BYTES + 1, 17 * 2**20, 40 * 2**20])
@pytest.mark.parametrize("from_file", [False, True])
def test_audio_past_the_limit(tmp_path: Path, size: int, from_file: bool) -> None:
    """Larger audio raises the error that the server would return, with the name of the file."""
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.truncate(size)
    source: AudioSource = path if from_file else bytes(size)
    with pytest.raises(AudioTooLongError, match="16 MiB, the limit of one message") as raised:
        calls.classify(source, None)
    error = raised.value
    expected = ("AUDIO_TOO_LONG", "audio.content", {"limit_bytes": "16777216"}, from_file)
    assert expected == (error.reason, error.field, error.metadata, str(path) in error.message)


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    """A huge file raises the error without being read in full."""
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(AudioTooLongError):
        calls.classify(path, None)


def test_unreadable_files(tmp_path: Path) -> None:
    """The error of a missing file and that of a folder name the path and the cause."""
    messages = []
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(AudioUnreadableError) as raised:
            calls.classify(path, None)
        messages.append(raised.value.message)
    expected = [
        f"{tmp_path}/none.wav cannot be read: No such file or directory.",
        f"{tmp_path} cannot be read: Is a directory.",
    ]
    assert expected == messages


def test_str_is_not_audio() -> None:
    """A path as a str is refused, since a str is a track id elsewhere."""
    with pytest.raises(TypeError, match=r"audio is bytes, a path such as pathlib.Path or an open file, not str"):
        calls.classify("a.wav", None)  # type: ignore[arg-type] # the mistake under test


def test_id_with_undecodable_bytes() -> None:
    """An id with undecodable bytes is sent with replacement characters, so that the server finds no track."""
    assert "a?" == calls.get_track("a\udcff").request.track_id


def test_next_page() -> None:
    """The call for the next page has the same page size and the token of the page; the last page has no next call."""
    first = calls.list_tracks(7)
    second = calls.next_page(first, ListTracksResponse(next_page_token="t"))  # noqa: S106 - a page token
    assert second is not None
    assert (7, "t") == (second.request.page_size, second.request.page_token)
    assert calls.next_page(second, ListTracksResponse()) is None
