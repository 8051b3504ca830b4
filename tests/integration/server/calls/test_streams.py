"""Clips in chunks, and invalid streams."""

from __future__ import annotations

import contextlib
import io
import itertools
import threading
from collections.abc import Iterable, Iterator

import grpc
import pytest
import soundfile
from google.protobuf.field_mask_pb2 import FieldMask

from segue.core.testing.synthetic_clips import render_clip
from segue.server.rpc.streams import MAX_STREAMS
from segue.v1.audio_pb2 import SAMPLE_ENCODING_FLOAT32, SAMPLE_ENCODING_INT16, PcmFormat
from segue.v1.classification_service_pb2 import (
    StreamingClassifyConfig,
    StreamingClassifyRequest,
    StreamingClassifyResponse,
)
from tests.helpers.clips import wav
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import RunningServer
from tests.helpers.server.stubs import Stubs, failure


def config_message(**settings: object) -> StreamingClassifyRequest:
    """The first message of a stream."""
    return StreamingClassifyRequest(config=StreamingClassifyConfig(**settings))  # type: ignore[arg-type] # any of its fields


def chunks(content: bytes, size: int = 50_000) -> Iterator[StreamingClassifyRequest]:
    """The messages that follow it."""
    for start in range(0, len(content), size):
        yield StreamingClassifyRequest(chunk=content[start : start + size])


def stream(content: bytes, size: int = 50_000, **settings: object) -> Iterator[StreamingClassifyRequest]:
    """All messages of a stream."""
    return itertools.chain([config_message(**settings)], chunks(content, size))


def encoded(container: str, subtype: str | None, seconds: float = 20.0, rate: int = 48_000) -> bytes:
    """A rendered stereo clip as the bytes of a file."""
    file = io.BytesIO()
    clip = render_clip(4, seconds, rate)
    soundfile.write(file, clip.repeat(2).reshape(-1, 2), rate, format=container, subtype=subtype)
    return file.getvalue()


def windows_and_result(
    responses: Iterable[StreamingClassifyResponse],
) -> tuple[list[StreamingClassifyResponse], StreamingClassifyResponse]:
    """The windows, and the result at the end."""
    *windows, last = list(responses)
    kinds = [response.WhichOneof("answer") for response in (*windows, last)]
    assert ["window"] * len(windows) + ["result"] == kinds
    return windows, last


FILES = {
    "wav": ("WAV", "PCM_16"),
    "float wav": ("WAV", "FLOAT"),
    "au": ("AU", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", None),
}


@pytest.mark.parametrize("name", FILES)
def test_the_result_is_that_of_classify(stubs: Stubs, name: str) -> None:
    """For every file format the windows come without gaps, and the result equals that of Classify."""
    content = encoded(*FILES[name])
    requests = stream(content, top_k=3, read_mask=FieldMask(paths=["*"]))
    windows, last = windows_and_result(stubs.streaming_classify(requests))
    assert stubs.classify(content, top_k=3, read_mask=["*"]) == last.result
    starts = [response.window.start.ToMilliseconds() / 1000 for response in windows]
    assert pytest.approx([3 * number for number in range(len(starts))], abs=0.2) == starts
    assert 6 == len(windows)
    assert {3} == {len(response.window.scores) for response in windows}


@pytest.mark.parametrize("size", [999, 4_000_000])
@pytest.mark.parametrize(
    ("encoding", "subtype"), [(SAMPLE_ENCODING_INT16, "PCM_16"), (SAMPLE_ENCODING_FLOAT32, "FLOAT")]
)
def test_raw_samples(stubs: Stubs, encoding: int, subtype: str, size: int) -> None:
    """Raw samples, in chunks of any size, have the result of a WAV file with the same samples."""
    content = encoded("WAV", subtype, 10.0, 44_100)
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16" if subtype == "PCM_16" else "float32")
    form = PcmFormat(sample_rate=rate, channels=2, sample_encoding=encoding)  # type: ignore[arg-type] # an enum's value
    windows, last = windows_and_result(stubs.streaming_classify(stream(samples.tobytes(), size, pcm=form)))
    assert stubs.classify(content) == last.result
    assert 3 == len(windows)


def test_windows_come_before_the_end(stubs: Stubs) -> None:
    """The first window is predicted before the rest of the clip is sent."""
    content = wav(14)
    answered = threading.Event()
    halves = list(chunks(content, len(content) // 2 + 1))

    def requests() -> Iterator[StreamingClassifyRequest]:
        yield config_message()
        yield halves[0]
        assert answered.wait(60)
        yield halves[1]

    responses = stubs.streaming_classify(requests())
    assert 100 > next(responses).window.start.ToMilliseconds()
    answered.set()
    windows, _ = windows_and_result(responses)
    assert 3 == len(windows)


def test_a_window_is_predicted_alone(stubs: Stubs) -> None:
    """The genres of a window do not depend on the length of the clip."""
    first, *_ = stubs.streaming_classify(stream(wav(9)))
    again, *_ = stubs.streaming_classify(stream(wav(30)))
    assert [score.genre for score in first.window.scores] == [score.genre for score in again.window.scores]


def test_a_silent_window(stubs: Stubs) -> None:
    """A silent window has no scores."""
    file = io.BytesIO()
    samples = render_clip(0, 10.0)
    samples[: 5 * 22_050] = 0
    soundfile.write(file, samples, 22_050, format="WAV")
    windows, _ = windows_and_result(stubs.streaming_classify(stream(file.getvalue())))
    assert [0, 10, 10] == [len(response.window.scores) for response in windows]


INVALID = {
    "nothing": ([], "config"),
    "no config": (chunks(wav(4)), "config"),
    "two configs": ([config_message(), config_message()], "config"),
    "a config later": ([config_message(), *chunks(wav(4)), config_message()], "config"),
    "an empty message": ([config_message(), StreamingClassifyRequest()], "config"),
    "an empty chunk": ([config_message(), StreamingClassifyRequest(chunk=b"")], "chunk"),
    "no chunk": ([config_message()], "chunk"),
    "no genres": ([config_message(top_k=0)], "top_k"),
    "an unknown field": ([config_message(read_mask=FieldMask(paths=["x"]))], "read_mask"),
    "a rate of 1 Hz": (
        [config_message(pcm=PcmFormat(sample_rate=1, channels=1, sample_encoding=SAMPLE_ENCODING_INT16))],
        "config.pcm.sample_rate",
    ),
    "nine channels": (
        [config_message(pcm=PcmFormat(sample_rate=8_000, channels=9, sample_encoding=SAMPLE_ENCODING_INT16))],
        "config.pcm.channels",
    ),
    "no encoding": ([config_message(pcm=PcmFormat(sample_rate=8_000, channels=1))], "config.pcm.sample_encoding"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_streams(stubs: Stubs, name: str) -> None:
    """The error for messages in the wrong order, or with wrong values, names the field."""
    requests, field = INVALID[name]
    with pytest.raises(grpc.RpcError) as error:
        list(stubs.streaming_classify(requests))
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST", [field]) == violations(error)


UNUSABLE_AUDIO = {
    "text": (b"This is not music. " * 5_000, "AUDIO_UNDECODABLE"),
    "half a second": (wav(0.5), "AUDIO_TOO_SHORT"),
    "silence": (wav(5, gain=0), "AUDIO_SILENT"),
    "cut off": (wav(9)[:100_000], "AUDIO_TOO_SHORT"),
}


@pytest.mark.parametrize("name", UNUSABLE_AUDIO)
@pytest.mark.parametrize("size", [20_000, 32 * 10**6])
def test_unusable_audio(stubs: Stubs, name: str, size: int) -> None:
    """Unusable audio has the reason of Classify, in chunks of any size."""
    content, reason = UNUSABLE_AUDIO[name]
    with pytest.raises(grpc.RpcError) as error:
        list(stubs.streaming_classify(stream(content, size)))
    assert ("INVALID_ARGUMENT", reason, ["chunk"]) == violations(error)


def violations(error: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[str, str, list[str]]:
    """The code and the reason of a failed call, and the fields that its status names."""
    code, reason, details = failure(error)
    fields = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
    return code, reason, [violation.field for violation in fields]


def test_thousands_of_tiny_chunks(stubs: Stubs) -> None:
    """A clip in chunks of a few bytes has the same result as in one chunk."""
    content = encoded("MP3", None, 8.0)
    assert len(content) > 5_000 * 10
    _, last = windows_and_result(stubs.streaming_classify(stream(content, 10)))
    assert stubs.classify(content) == last.result


def test_cancelled_streams(server: RunningServer, stubs: Stubs) -> None:
    """More streams are cancelled half-way than may be open at once, and none keeps its slot."""
    content = wav(10)
    for _ in range(MAX_STREAMS + 8):
        over = threading.Event()
        responses = stubs.streaming_classify(then_pause(stream(content), over))
        next(responses)
        responses.cancel()
        over.set()
    wait_until(lambda: is_accepted(stubs, content))
    wait_until(lambda: 0 == open_streams(server))


def test_the_limit_of_streams(server: RunningServer, stubs: Stubs) -> None:
    """A stream above the limit is rejected, and accepted after another one has ended."""
    content, over = wav(4), threading.Event()
    opened = [stubs.streaming_classify(then_pause([config_message()], over)) for _ in range(MAX_STREAMS)]
    wait_until(lambda: MAX_STREAMS == open_streams(server))
    with pytest.raises(grpc.RpcError) as error:
        list(stubs.streaming_classify(stream(content)))
    code, reason, details = failure(error)
    assert ("RESOURCE_EXHAUSTED", "OVERLOADED", True) == (code, reason, "RetryInfo" in details)
    opened[0].cancel()
    wait_until(lambda: is_accepted(stubs, content))
    over.set()


def open_streams(server: RunningServer) -> float:
    """The number of open streams."""
    return server.metrics()['segue_requests_in_flight{method="/segue.v1.ClassificationService/StreamingClassify"}']


def then_pause(
    requests: Iterable[StreamingClassifyRequest], over: threading.Event
) -> Iterator[StreamingClassifyRequest]:
    """The requests, and then a pause until an event."""
    yield from requests
    over.wait(120)


def is_accepted(stubs: Stubs, content: bytes) -> bool:
    """True if the server accepts a stream, False if it is overloaded."""
    call = stubs.streaming_classify(stream(content))
    with contextlib.suppress(grpc.RpcError):
        return bool(list(call))
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is call.code()
    return False
