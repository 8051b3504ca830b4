"""Decodes with miniaudio the MP3 and FLAC files that libsndfile refuses.

It skips damaged frames and broken metadata, finds the first frame of a recording that starts in the middle, and reads
streams without a length.
"""

from __future__ import annotations

import array
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import miniaudio
import numpy as np

from segue.core.audio.containers import flac_info
from segue.core.audio.decoders.clip_file import ClipFile
from segue.core.audio.fidelity import LEAST_BITS
from segue.core.audio.samples import DecodedStream, DecoderFailed, Samples

_BLOCK_FRAMES = 2**16
# miniaudio computes the duration also with a damaged sample rate of 0.
_REFUSALS = (miniaudio.DecodeError, ZeroDivisionError)

_Stream = Generator["array.array[float]", int, None]


@contextmanager
def decode_by_miniaudio(clip: ClipFile) -> Iterator[DecodedStream]:
    """Decodes a file with its own rate and channels.

    Raises:
        DecoderFailed: it is neither MP3 nor FLAC.
    """
    with miniaudio.ffi.from_buffer(clip.view) as data:
        flac = _flac_info(data)
        if not clip.has_one_rate:
            raise DecoderFailed("miniaudio would decode all of several joined files at the rate of the first.")
        info = flac or (_mp3_info(data) if clip.is_mpeg_audio else None)
        if info is None:
            raise DecoderFailed("It is neither MP3 nor FLAC.")
        stream = _open(data, info)
        try:
            yield DecodedStream(
                info.sample_rate,
                info.nchannels,
                _blocks(stream, info.nchannels),
                is_lossy=lambda: flac is None,
                low_bit_depth=0 < flac_info(clip.view).bits < LEAST_BITS,
            )
        finally:
            stream.close()


def _flac_info(data: memoryview) -> miniaudio.SoundFileInfo | None:
    try:
        return miniaudio.flac_get_info(data)
    except _REFUSALS:
        return None


def _mp3_info(data: memoryview) -> miniaudio.SoundFileInfo | None:
    try:
        return miniaudio.mp3_get_info(data)
    except _REFUSALS:
        return None


def _open(data: memoryview, info: miniaudio.SoundFileInfo) -> _Stream:
    try:
        stream: _Stream = miniaudio.stream_memory(
            data, miniaudio.SampleFormat.FLOAT32, info.nchannels, info.sample_rate, _BLOCK_FRAMES
        )
    except miniaudio.DecodeError as error:
        raise DecoderFailed("miniaudio cannot decode it.") from error
    return stream


def _blocks(stream: _Stream, channels: int) -> Iterator[Samples]:
    try:
        for block in stream:
            yield np.frombuffer(block, np.float32).reshape(-1, channels)
    except miniaudio.DecodeError as error:
        raise DecoderFailed("miniaudio met damage.", is_damaged=True) from error
