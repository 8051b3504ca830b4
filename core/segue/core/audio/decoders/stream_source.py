"""Reads a track from a decoder that cannot seek.

Its length is known only when all of it was decoded. Up to ``KEPT_SECONDS`` the samples are kept while they are counted;
a longer track is decoded a second time, and then only the samples around the present window are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

import numpy as np

from segue.core.audio.decoders.clip_file import ClipFile
from segue.core.audio.fidelity import is_low_bitrate
from segue.core.audio.limits import check_format, check_length
from segue.core.audio.quality import FileFlaws, SignalMeter, SourceInfo
from segue.core.audio.samples import DecodedStream, DecoderFailed, Samples
from segue.core.audio.sources import ArraySource, average_channels, resample_blocks, seconds_around

# 318 MB of samples at 22,050 Hz.
KEPT_SECONDS = 3_600

Decoder = Callable[[ClipFile], AbstractContextManager[DecodedStream]]


class StreamSource:
    """A track that is decoded from its start to its end while it is read.

    Reading before the last part decodes from the start again.
    """

    can_seek = False

    def __init__(self, restart: Callable[[], Iterator[Samples]], frames: int, rate: int, info: SourceInfo) -> None:
        self._restart = restart
        self._frames = frames
        self._rate = rate
        self.info = info
        self.seconds = frames / info.rate
        self._blocks: Iterator[Samples] = iter(())
        self._kept = np.zeros(0, np.float32)
        # The frame of the file that the kept samples begin with; it is beyond every frame until the first read.
        self._kept_start = frames + 1

    @property
    def samples(self) -> int:
        """The number of samples in the track, at the model's rate."""
        return int(self._frames * self._rate // self.info.rate)

    def read(self, start: int, stop: int) -> Samples:
        """Returns the mono samples [stop - start]; outside the track they are 0."""
        first_second, last_second = seconds_around(start, stop, self._rate)
        part = self._read_frames(first_second * self.info.rate, last_second * self.info.rate)
        offset = first_second * self._rate
        return resample_blocks([part], self.info, self._rate, len(part)).read(start - offset, stop - offset)

    def _read_frames(self, start: int, stop: int) -> Samples:
        if start < self._kept_start:
            self._blocks, self._kept, self._kept_start = self._restart(), np.zeros(0, np.float32), 0
        parts, end = [self._kept], self._kept_start + len(self._kept)
        while end < stop and (block := next(self._blocks, None)) is not None:
            if end <= start:
                parts = []
            parts.append(block)
            end += len(block)
        self._kept = np.concatenate(parts)
        self._kept_start = end - len(self._kept)
        self._keep_from(start)
        return self._kept[: max(0, stop - self._kept_start)]

    def _keep_from(self, frame: int) -> None:
        skipped = min(len(self._kept), frame - self._kept_start)
        self._kept = self._kept[skipped:]
        self._kept_start += skipped


@contextmanager
def open_stream(
    clip: ClipFile, decoder: Decoder, rate: int, *, is_damaged: bool
) -> Iterator[ArraySource | StreamSource]:
    """Opens a clip for reading at ``rate`` Hz, after decoding it once.

    Args:
        clip: the clip.
        decoder: opens the clip at its start.
        rate: sample rate of the samples that ``read`` returns, in Hz.
        is_damaged: True if another decoder met damage.

    Raises:
        AudioUndecodable: it has an impossible rate or number of channels, or samples that are not finite numbers.
        AudioTooLong: it is longer than the limit.
        DecoderFailed: the decoder cannot decode it.
    """
    clip.check_size()
    with decoder(clip) as stream:
        check_format(stream.rate, stream.channels)
        counter = _Counter(stream)
        info = SourceInfo(stream.rate, counter.meter)
        kept = resample_blocks(counter.blocks(KEPT_SECONDS), info, rate, KEPT_SECONDS * stream.rate)
        for _ in counter.blocks():
            pass
        seconds = counter.frames / stream.rate
        flaws = _stream_flaws(clip, stream, seconds, met_damage=counter.met_damage, is_damaged=is_damaged)
        kept.info = info = SourceInfo(stream.rate, counter.meter, flaws)
    if seconds <= KEPT_SECONDS:
        yield kept
        return
    with ExitStack() as streams:
        yield StreamSource(lambda: _mono_blocks(streams.enter_context(decoder(clip))), counter.frames, rate, info)


def _stream_flaws(
    clip: ClipFile, stream: DecodedStream, seconds: float, *, met_damage: bool, is_damaged: bool
) -> FileFlaws:
    is_truncated = clip.is_truncated(seconds)
    # The damage that a decoder met is the cut, if there is one.
    has_gaps = not is_truncated and (met_damage or (is_damaged and clip.has_gaps(seconds)))
    return FileFlaws(
        truncated=is_truncated,
        damaged=clip.lacks_pages or has_gaps,
        missing_seconds=clip.missing_seconds(seconds),
        low_bitrate=is_low_bitrate(clip.view, seconds) and stream.is_lossy(),
        low_bit_depth=stream.low_bit_depth,
    )


class _Counter:
    """Counts and measures the samples of a stream, which it averages to mono.

    Attributes:
        frames: number of samples so far.
        meter: meter of the samples so far.
        met_damage: True if the decoder left out damaged parts, or stopped before the end.
    """

    def __init__(self, stream: DecodedStream) -> None:
        self._stream = stream
        self.frames = 0
        self.meter = SignalMeter()
        self.met_damage = False

    def blocks(self, seconds: float = np.inf) -> Iterator[Samples]:
        """Yields the next blocks, until the stream ends or would have more than ``seconds``."""
        try:
            for block in self._stream.blocks:
                self.frames += len(block)
                check_length(self.frames / self._stream.rate, is_whole=False)
                mono = average_channels(block)
                self.meter.add(block, mono)
                if self.frames > seconds * self._stream.rate:
                    return
                yield mono
            self.met_damage = self.met_damage or self._stream.met_damage()
        except DecoderFailed:
            self.met_damage = True


def _mono_blocks(stream: DecodedStream) -> Iterator[Samples]:
    with suppress(DecoderFailed):
        for block in stream.blocks:
            yield average_channels(block)
