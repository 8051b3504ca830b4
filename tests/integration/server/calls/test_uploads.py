"""Clips that are too large for one message, sent in chunks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from segue.core.testing.synthetic_clips import render_clip
from segue.v1.audio_pb2 import SAMPLE_ENCODING_INT16, PcmFormat
from segue.v1.classification_service_pb2 import StreamingClassifyConfig, StreamingClassifyRequest
from segue.v1.recommendation_service_pb2 import RecommendRequest, RecommendUploadConfig, RecommendUploadRequest
from tests.helpers.audio import encode
from tests.helpers.clips import wav
from tests.helpers.server.servers import RunningServer, running_server
from tests.helpers.server.stubs import Stubs, failure

CHUNK_BYTES = 2**18


def upload(content: bytes, pcm: PcmFormat | None = None, **request: object) -> Iterator[RecommendUploadRequest]:
    """All messages of an upload."""
    config = RecommendUploadConfig(request=RecommendRequest(**request), pcm=pcm)  # type: ignore[arg-type] # any of its fields
    yield RecommendUploadRequest(config=config)
    for start in range(0, len(content), CHUNK_BYTES):
        yield RecommendUploadRequest(chunk=content[start : start + CHUNK_BYTES])


def classify_messages(content: bytes) -> Iterator[StreamingClassifyRequest]:
    """All messages of a stream that asks only for the result."""
    config = StreamingClassifyConfig(result_only=True, read_mask=FieldMask(paths=["*"]))
    yield StreamingClassifyRequest(config=config)
    for start in range(0, len(content), CHUNK_BYTES):
        yield StreamingClassifyRequest(chunk=content[start : start + CHUNK_BYTES])


@pytest.fixture(scope="module")
def large_clip() -> bytes:
    """A WAV of 20 MiB."""
    return encode(np.tile(render_clip(2, 30.0, 44_100), 8), 44_100)


def test_an_upload_is_answered_as_a_message(stubs: Stubs, clips: list[Path]) -> None:
    """The response for a clip in chunks is that for the same clip in one message."""
    content = clips[3].read_bytes()
    mask = FieldMask(paths=["*"])
    expected = stubs.recommend(content, limit=4, read_mask=["*"])
    assert expected == stubs.recommend_upload(upload(content, limit=4, read_mask=mask)).response
    assert 4 == len(expected.recommendations)


def test_raw_samples(stubs: Stubs) -> None:
    """Raw samples in chunks are the same seed as a file."""
    samples = (32_000 * render_clip(5, 20.0, 22_050)).astype("<i2")
    pcm = PcmFormat(sample_rate=22_050, channels=1, sample_encoding=SAMPLE_ENCODING_INT16)
    raw = stubs.recommend_upload(upload(samples.tobytes(), pcm)).response
    file = stubs.recommend_upload(upload(encode(samples, 22_050))).response
    assert file.recommendations == raw.recommendations


def test_a_clip_of_more_than_one_message(stubs: Stubs, large_clip: bytes) -> None:
    """A clip above 16 MiB is classified and recommended for, without responses for windows."""
    (response,) = stubs.streaming_classify(classify_messages(large_clip))
    assert 10 == len(response.result.scores)
    assert response.result.timeline[-1].end.seconds > 200
    assert 10 == len(stubs.recommend_upload(upload(large_clip)).response.recommendations)


def test_nothing_is_left_of_an_upload(server: RunningServer, stubs: Stubs) -> None:
    """The space of a clip is free after its call, whether it succeeded, failed or was cancelled."""
    stubs.recommend_upload(upload(wav(5)))
    with pytest.raises(grpc.RpcError):
        stubs.recommend_upload(upload(b"This is not music." * 1_000))
    call = stubs.streaming_classify(classify_messages(wav(60)))
    call.cancel()
    assert 0 == server.metrics()["segue_spool_bytes"]


CONFIG, CHUNK = RecommendUploadRequest(config=RecommendUploadConfig()), RecommendUploadRequest(chunk=b"RIFF")
SEEDED = RecommendUploadRequest(config=RecommendUploadConfig(request=RecommendRequest(track_id="0" * 32)))
NO_LIMIT = RecommendUploadRequest(config=RecommendUploadConfig(request=RecommendRequest(limit=0)))
INVALID = {
    "nothing": ([], "config"),
    "no config": ([CHUNK], "config"),
    "two configs": ([CONFIG, CONFIG], "config"),
    "no chunk": ([CONFIG], "chunk"),
    "an empty chunk": ([CONFIG, RecommendUploadRequest(chunk=b"")], "chunk"),
    "a seed in the config": ([SEEDED, CHUNK], "config.request"),
    "a chunk of 17 MiB": ([CONFIG, RecommendUploadRequest(chunk=bytes(17 * 2**20))], "chunk"),
    "a limit of 0": ([NO_LIMIT, CHUNK], "limit"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_uploads(stubs: Stubs, name: str) -> None:
    """The error for messages in the wrong order, or with wrong values, names the field."""
    requests, field = INVALID[name]
    with pytest.raises(grpc.RpcError) as error:
        stubs.recommend_upload(requests)
    code, reason, details = failure(error)
    violations = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST", [field]) == (code, reason, [one.field for one in violations])


def test_limits_of_the_operator(tmp_path: Path, tiny_model: Path) -> None:
    """The limits of a message, of a stream and of all streams are options."""
    limits = ("--clip-mib", "1", "--stream-mib", "3", "--spool-mib", "2", "--spool", str(tmp_path))
    with running_server("--data", str(tmp_path / "data"), "--model", str(tiny_model), *limits) as server:
        stubs = Stubs(server.address)
        assert ("AUDIO_TOO_LONG", "1048576") == refusal(lambda: stubs.classify(bytes(2**20 + 1)))
        assert stubs.classify(wav(5)).scores
        streams = itertools.count(1)
        messages = (classify_messages(wav(5 * next(streams))) for _ in range(2))
        assert [1, 1] == [len(list(stubs.streaming_classify(one))) for one in messages]
        too_long = refusal(lambda: list(stubs.streaming_classify(classify_messages(bytes(5 * 2**19)))))
        assert ("AUDIO_TOO_LONG", "2097152") == too_long
        assert [tmp_path / "data"] == list(tmp_path.iterdir())


def refusal(call: object) -> tuple[str, str]:
    """The reason of a failed call, and the limit that its details name."""
    with pytest.raises(grpc.RpcError) as error:
        call()  # type: ignore[operator] # a call of a stub
    _, reason, details = failure(error)
    return reason, details["ErrorInfo"].metadata.get("limit_bytes", "")  # type: ignore[attr-defined] # an ErrorInfo
