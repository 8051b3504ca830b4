"""Audio that arrives in parts, and callers who send it wrongly."""

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
from tests.helpers.servers import RunningServer
from tests.helpers.stubs import Stubs, failure
from tests.helpers.waiting import wait_until


def configured(**settings: object) -> StreamingClassifyRequest:
    """The first message of a stream."""
    return StreamingClassifyRequest(config=StreamingClassifyConfig(**settings))  # type: ignore[arg-type] # any of its fields


def chunks(content: bytes, size: int = 50_000) -> Iterator[StreamingClassifyRequest]:
    """The messages that follow it."""
    for start in range(0, len(content), size):
        yield StreamingClassifyRequest(chunk=content[start : start + size])


def stream(content: bytes, size: int = 50_000, **settings: object) -> Iterator[StreamingClassifyRequest]:
    """All messages of a stream."""
    return itertools.chain([configured(**settings)], chunks(content, size))


def encoded(container: str, subtype: str | None, seconds: float = 20.0, rate: int = 48_000) -> bytes:
    """A rendered stereo clip as the bytes of a file."""
    file = io.BytesIO()
    clip = render_clip(4, seconds, rate)
    soundfile.write(file, clip.repeat(2).reshape(-1, 2), rate, format=container, subtype=subtype)
    return file.getvalue()


def split(
    answers: Iterable[StreamingClassifyResponse],
) -> tuple[list[StreamingClassifyResponse], list[StreamingClassifyResponse]]:
    """The windows and the results."""
    both = list(answers)
    kinds = [answer.WhichOneof("answer") for answer in both]
    assert kinds == ["window"] * (len(both) - 1) + ["result"]
    return both[:-1], both[-1:]


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
    """Of every kind of file the windows come side by side, and the result is the unary answer to the last bit."""
    content = encoded(*FILES[name])
    windows, (last,) = split(stubs.streaming_classify(stream(content, top_k=3, read_mask=FieldMask(paths=["*"]))))
    assert stubs.classify(content, top_k=3, read_mask=["*"]) == last.result
    starts = [answer.window.start.ToMilliseconds() / 1000 for answer in windows]
    assert pytest.approx([3 * number for number in range(len(starts))], abs=0.2) == starts
    assert 6 == len(windows)
    assert {3} == {len(answer.window.scores) for answer in windows}


@pytest.mark.parametrize("size", [999, 4_000_000])
@pytest.mark.parametrize(
    ("encoding", "subtype"), [(SAMPLE_ENCODING_INT16, "PCM_16"), (SAMPLE_ENCODING_FLOAT32, "FLOAT")]
)
def test_bare_samples(stubs: Stubs, encoding: int, subtype: str, size: int) -> None:
    """Samples without a header, cut anywhere, are heard as the WAV file that holds them."""
    content = encoded("WAV", subtype, 10.0, 44_100)
    samples, rate = soundfile.read(io.BytesIO(content), dtype="int16" if subtype == "PCM_16" else "float32")
    form = PcmFormat(sample_rate=rate, channels=2, sample_encoding=encoding)  # type: ignore[arg-type] # an enum's value
    windows, (last,) = split(stubs.streaming_classify(stream(samples.tobytes(), size, pcm=form)))
    assert stubs.classify(content) == last.result
    assert 3 == len(windows)


def test_windows_come_while_it_is_sent(stubs: Stubs) -> None:
    """A window is answered before the rest of the piece is sent."""
    content = wav(14)
    answered = threading.Event()
    parts = list(chunks(content, len(content) // 2 + 1))

    def slowly() -> Iterator[StreamingClassifyRequest]:
        yield configured()
        yield parts[0]
        assert answered.wait(60)
        yield parts[1]

    answers = stubs.streaming_classify(slowly())
    assert 100 > next(answers).window.start.ToMilliseconds()
    answered.set()
    windows, _ = split(answers)
    assert 3 == len(windows)


def test_a_window_is_heard_alone(stubs: Stubs) -> None:
    """The answer of a window is what Classify answers for those 3 s: of one that is louder, the same."""
    first, *_ = stubs.streaming_classify(stream(wav(9)))
    again, *_ = stubs.streaming_classify(stream(wav(30)))
    assert [score.genre for score in first.window.scores] == [score.genre for score in again.window.scores]


def test_a_silent_window(stubs: Stubs) -> None:
    """A window in which there is nothing to hear is answered without scores."""
    file = io.BytesIO()
    samples = render_clip(0, 10.0)
    samples[: 5 * 22_050] = 0
    soundfile.write(file, samples, 22_050, format="WAV")
    windows, _ = split(stubs.streaming_classify(stream(file.getvalue())))
    assert [0, 10, 10] == [len(answer.window.scores) for answer in windows]


WRONG = {
    "nothing": ([], "config"),
    "no configuration": (chunks(wav(4)), "config"),
    "two configurations": ([configured(), configured()], "config"),
    "a configuration later": ([configured(), *chunks(wav(4)), configured()], "config"),
    "an empty message": ([configured(), StreamingClassifyRequest()], "config"),
    "an empty chunk": ([configured(), StreamingClassifyRequest(chunk=b"")], "chunk"),
    "no chunk": ([configured()], "chunk"),
    "no genres": ([configured(top_k=0)], "top_k"),
    "no such field": ([configured(read_mask=FieldMask(paths=["x"]))], "read_mask"),
    "a rate of 1 Hz": (
        [configured(pcm=PcmFormat(sample_rate=1, channels=1, sample_encoding=SAMPLE_ENCODING_INT16))],
        "config.pcm.sample_rate",
    ),
    "nine channels": (
        [configured(pcm=PcmFormat(sample_rate=8_000, channels=9, sample_encoding=SAMPLE_ENCODING_INT16))],
        "config.pcm.channels",
    ),
    "no encoding": ([configured(pcm=PcmFormat(sample_rate=8_000, channels=1))], "config.pcm.sample_encoding"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_sequences(stubs: Stubs, name: str) -> None:
    """What comes out of its order, or asks for what there is not, is refused by the name of the field."""
    requests, field = WRONG[name]
    with pytest.raises(grpc.RpcError) as error:
        list(stubs.streaming_classify(requests))
    assert ("INVALID_ARGUMENT", "MALFORMED_REQUEST", [field]) == blamed(error)


BAD = {
    "text": (b"This is not music. " * 5_000, "AUDIO_UNDECODABLE"),
    "half a second": (wav(0.5), "AUDIO_TOO_SHORT"),
    "silence": (wav(5, gain=0), "AUDIO_SILENT"),
    "cut off": (wav(9)[:-1_000], "AUDIO_UNDECODABLE"),
    "20 MiB": (bytes(20 * 2**20), "AUDIO_TOO_LONG"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [20_000, 32 * 10**6])
def test_bad_audio(stubs: Stubs, name: str, size: int) -> None:
    """Audio that cannot be used has the reason that Classify gives, in however many chunks it comes."""
    content, reason = BAD[name]
    with pytest.raises(grpc.RpcError) as error:
        list(stubs.streaming_classify(stream(content, size)))
    assert ("INVALID_ARGUMENT", reason, ["chunk"]) == blamed(error)


def blamed(error: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[str, str, list[str]]:
    """The code and the reason of a failed call, and the fields that are named as wrong."""
    code, reason, details = failure(error)
    violations = details["BadRequest"].field_violations  # type: ignore[attr-defined] # a BadRequest
    return code, reason, [violation.field for violation in violations]


def test_thousands_of_tiny_chunks(stubs: Stubs) -> None:
    """A piece in chunks of a few bytes is heard as it is in one."""
    content = encoded("MP3", None, 8.0)
    assert len(content) > 5_000 * 10
    _, (last,) = split(stubs.streaming_classify(stream(content, 10)))
    assert stubs.classify(content) == last.result


def test_whoever_leaves_leaves_nothing_behind(server: RunningServer, stubs: Stubs) -> None:
    """Streams that are given up half-way, more than may be open at once, keep no place."""
    content = wav(10)
    for _ in range(MAX_STREAMS + 8):
        over = threading.Event()
        answers = stubs.streaming_classify(until(over, stream(content)))
        next(answers)
        answers.cancel()
        over.set()
    wait_until(lambda: answered(stubs, content))
    wait_until(lambda: 0 == under_way(server))


def test_no_more_streams_than_there_are_places(server: RunningServer, stubs: Stubs) -> None:
    """One stream too many is told to come again, and is taken when another has ended."""
    content, over = wav(4), threading.Event()
    opened = [stubs.streaming_classify(until(over, [configured()])) for _ in range(MAX_STREAMS)]
    wait_until(lambda: MAX_STREAMS == under_way(server))
    with pytest.raises(grpc.RpcError) as error:
        list(stubs.streaming_classify(stream(content)))
    code, reason, details = failure(error)
    assert ("RESOURCE_EXHAUSTED", "OVERLOADED", True) == (code, reason, "RetryInfo" in details)
    opened[0].cancel()
    wait_until(lambda: answered(stubs, content))
    over.set()


def under_way(server: RunningServer) -> float:
    """How many streams there are."""
    return server.metrics()['segue_requests_in_flight{method="/segue.v1.ClassificationService/StreamingClassify"}']


def until(over: threading.Event, requests: Iterable[StreamingClassifyRequest]) -> Iterator[StreamingClassifyRequest]:
    """The requests, and then nothing until it is over."""
    yield from requests
    over.wait(120)


def answered(stubs: Stubs, content: bytes) -> bool:
    """Whether the server takes a stream; it may be full."""
    call = stubs.streaming_classify(stream(content))
    with contextlib.suppress(grpc.RpcError):
        return bool(list(call))
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is call.code()
    return False
