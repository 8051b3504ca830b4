"""The two clients: `Client` for plain code, `AsyncClient` for asyncio."""

import asyncio
import itertools
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import aclosing
from functools import cached_property
from types import TracebackType
from typing import Self, cast

import grpc

from segue.client import _calls, _streams
from segue.client._calls import (
    CHANNEL_OPTIONS,
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT,
    MAX_TIMEOUT,
    Answer,
    AudioSource,
    Call,
    Endpoint,
    Request,
    Stubs,
)
from segue.client._stream_status import exchange
from segue.client._streams import Stream, outcome
from segue.client.credentials import Credentials
from segue.client.errors import SegueError
from segue.v1.audio_pb2 import PcmFormat
from segue.v1.catalog_service_pb2 import GetStatusResponse, ListTracksRequest, ListTracksResponse
from segue.v1.classification_service_pb2 import ClassifyResponse, StreamingClassifyResponse
from segue.v1.recommendation_service_pb2 import RecommendResponse
from segue.v1.track_pb2 import Track


class Client:
    """Calls a Segue server, over one channel that any number of threads may share.

    Every method raises a SegueError of the kind that says what went wrong. Where that is that the server or its store
    is not there for the moment (the code UNAVAILABLE, or CANCELLED as the server stops), the call is first tried up to
    three times more, within the timeout; an overloaded server is for the caller to ask again, after the error's
    `retry_after`.

    Args:
        address: HOST:PORT of the server; of several, ipv4:HOST:PORT,HOST:PORT with IP addresses, or a name that has
            them all. One is called until it is gone, then the next.
        timeout: Seconds that one call may take, (0, 86400], its retries included; every page of a list is one.
        wait_for_ready: Whether a call waits for a server that is not there yet, up to the timeout.
        credentials: TLS and a token; None is plain text, and no token.

    Raises:
        ValueError: The timeout is out of its range, or the credentials cannot be used.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        wait_for_ready: bool = False,
        credentials: Credentials | None = None,
    ) -> None:
        self._endpoint = Endpoint(address, timeout, wait_for_ready, credentials or Credentials())
        secured = self._endpoint.secured
        if secured:
            self._channel = grpc.secure_channel(address, secured, options=CHANNEL_OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._stubs = Stubs(self._channel)

    def classify(
        self, audio: AudioSource, *, top_k: int | None = None, read_mask: Iterable[str] | None = None
    ) -> ClassifyResponse:
        """Scores the genres of a piece of music, the best first.

        Args:
            audio: The bytes of a whole audio file or its path, up to 16 MiB.
            top_k: How many genres to answer, [1, 100]; None leaves it to the server (10).
            read_mask: The fields of the answer that are wanted, such as ["scores", "timeline", "embedding"], or ["*"];
                None leaves it to the server (scores and quality_flags).
        """
        return self._answer(_calls.classify(audio, top_k, read_mask))

    def streaming_classify(
        self,
        chunks: Iterable[bytes],
        *,
        pcm: PcmFormat | None = None,
        top_k: int | None = None,
        read_mask: Iterable[str] | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> Iterator[StreamingClassifyResponse]:
        """Scores the genres of a piece of music while it arrives: every 3 s of it, and the whole at its end.

        A stream is never tried again by itself.

        Args:
            chunks: The bytes of a file one after the other, up to 16 MiB; each is sent as soon as it comes.
            pcm: How the samples are written where the bytes are no file but bare samples.
            top_k: How many genres to answer, as for `classify`.
            read_mask: The fields of the result that are wanted, as for `classify`.
            stream_timeout: Seconds that the whole stream may take, (0, 86400].
        """
        return self._answers(_streams.streaming_classify(chunks, pcm, top_k, read_mask, stream_timeout))

    def recommend(
        self, seed: AudioSource | str, *, limit: int | None = None, read_mask: Iterable[str] | None = None
    ) -> RecommendResponse:
        """Finds the tracks that sound nearest to a seed, the nearest first.

        Args:
            seed: The bytes of a whole audio file or its path, up to 16 MiB; a str is the id of a track.
            limit: How many tracks to answer, [1, 100]; None leaves it to the server (10).
            read_mask: The fields of the answer that are wanted, such as ["recommendations", "embedding"], or ["*"];
                None leaves it to the server (recommendations and quality_flags).
        """
        return self._answer(_calls.recommend(seed, limit, read_mask))

    def streaming_recommend(
        self,
        seeds: Iterable[AudioSource | str],
        *,
        limit: int | None = None,
        read_mask: Iterable[str] | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> Iterator[tuple[int, RecommendResponse | SegueError]]:
        """Finds the tracks that sound nearest to each seed of many, over one stream.

        Answers come as soon as they are there, each with the number of its seed, from 0. A seed that the server cannot
        use is answered by its error, and a file that cannot be read at the end; nothing of it is raised, and the others
        go on. A stream is never tried again by itself.

        Args:
            seeds: What `recommend` takes, any number of them.
            limit: How many tracks to answer for each, as for `recommend`.
            read_mask: The fields of the answers that are wanted, as for `recommend`.
            stream_timeout: Seconds that the whole stream may take, (0, 86400].
        """
        stream, unsent = _streams.streaming_recommend(seeds, limit, read_mask, stream_timeout)
        return itertools.chain(map(outcome, self._answers(stream)), unsent)

    def get_track(self, track_id: str) -> Track:
        """Reads one track of the catalogue."""
        return self._answer(_calls.get_track(track_id)).track

    def list_tracks(self, *, page_size: int | None = None) -> Iterator[Track]:
        """Lists all tracks in the order of their ids, and fetches the next page when it is needed.

        Args:
            page_size: How many to fetch at once, [1, 1000]; None leaves it to the server (100).
        """
        call: Call[ListTracksRequest, ListTracksResponse] | None = _calls.list_tracks(page_size)
        while call:
            page = self._answer(call)
            yield from page.tracks
            call = _calls.next_page(call, page)

    def status(self) -> GetStatusResponse:
        """Reads which model and which catalogue the server works with."""
        return self._answer(_calls.status())

    def close(self) -> None:
        """Ends the calls under way and the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self, call: Call[Request, Answer]) -> Answer:
        with self._endpoint.typed_errors():
            return self._endpoint.start(self._stubs, call)

    def _answers(self, stream: Stream[Request, Answer]) -> Iterator[Answer]:
        with stream.typed_errors(self._endpoint):
            call = stream.open(self._stubs, self._endpoint)
            try:
                yield from call
            finally:
                call.cancel()  # type: ignore[no-untyped-call]  # whoever wants no more answers need not send the rest


class AsyncClient:
    """Calls a Segue server from asyncio; the same methods as `Client`, to be awaited.

    It may be made anywhere; its channel belongs to the event loop of the first call.

    Args:
        address: HOST:PORT of the server; of several, ipv4:HOST:PORT,HOST:PORT with IP addresses, or a name that has
            them all. One is called until it is gone, then the next.
        timeout: Seconds that one call may take, (0, 86400], its retries included; every page of a list is one.
        wait_for_ready: Whether a call waits for a server that is not there yet, up to the timeout.
        credentials: TLS and a token; None is plain text, and no token.

    Raises:
        ValueError: The timeout is out of its range, or the credentials cannot be used.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        wait_for_ready: bool = False,
        credentials: Credentials | None = None,
    ) -> None:
        self._endpoint = Endpoint(address, timeout, wait_for_ready, credentials or Credentials())

    async def classify(
        self, audio: AudioSource, *, top_k: int | None = None, read_mask: Iterable[str] | None = None
    ) -> ClassifyResponse:
        """Scores the genres of a piece of music; see `Client.classify`."""
        return await self._answer(await asyncio.to_thread(_calls.classify, audio, top_k, read_mask))

    def streaming_classify(
        self,
        chunks: Iterable[bytes] | AsyncIterable[bytes],
        *,
        pcm: PcmFormat | None = None,
        top_k: int | None = None,
        read_mask: Iterable[str] | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> AsyncIterator[StreamingClassifyResponse]:
        """Scores the genres of a piece of music while it arrives; see `Client.streaming_classify`."""
        return self._answers(_streams.streaming_classify(chunks, pcm, top_k, read_mask, stream_timeout))

    async def recommend(
        self, seed: AudioSource | str, *, limit: int | None = None, read_mask: Iterable[str] | None = None
    ) -> RecommendResponse:
        """Finds the tracks that sound nearest to a seed; see `Client.recommend`."""
        return await self._answer(await asyncio.to_thread(_calls.recommend, seed, limit, read_mask))

    async def streaming_recommend(
        self,
        seeds: Iterable[AudioSource | str] | AsyncIterable[AudioSource | str],
        *,
        limit: int | None = None,
        read_mask: Iterable[str] | None = None,
        stream_timeout: float = MAX_TIMEOUT,
    ) -> AsyncIterator[tuple[int, RecommendResponse | SegueError]]:
        """Finds the tracks that sound nearest to each seed of many; see `Client.streaming_recommend`."""
        stream, unsent = _streams.streaming_recommend(seeds, limit, read_mask, stream_timeout)
        async for answer in self._answers(stream):
            yield outcome(answer)
        for pair in unsent:
            yield pair

    async def get_track(self, track_id: str) -> Track:
        """Reads one track of the catalogue."""
        return (await self._answer(_calls.get_track(track_id))).track

    async def list_tracks(self, *, page_size: int | None = None) -> AsyncIterator[Track]:
        """Lists all tracks in the order of their ids; see `Client.list_tracks`."""
        call: Call[ListTracksRequest, ListTracksResponse] | None = _calls.list_tracks(page_size)
        while call:
            page = await self._answer(call)
            for track in page.tracks:
                yield track
            call = _calls.next_page(call, page)

    async def status(self) -> GetStatusResponse:
        """Reads which model and which catalogue the server works with."""
        return await self._answer(_calls.status())

    async def close(self) -> None:
        """Ends the calls under way and the connection."""
        await self._channel.close(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        address, secured = self._endpoint.address, self._endpoint.secured
        if secured:
            return grpc.aio.secure_channel(address, secured, options=CHANNEL_OPTIONS)
        return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)

    @cached_property
    def _stubs(self) -> Stubs:
        return Stubs(self._channel)

    async def _answer(self, call: Call[Request, Answer]) -> Answer:
        with self._endpoint.typed_errors():
            return await cast("Awaitable[Answer]", self._endpoint.start(self._stubs, call))

    async def _answers(self, stream: Stream[Request, Answer]) -> AsyncIterator[Answer]:
        with stream.typed_errors(self._endpoint):
            call = stream.open_async(self._stubs, self._endpoint)
            async with aclosing(exchange(call, aiter(stream.requests))) as answers:
                async for answer in answers:
                    yield answer
