"""Decodes with libsndfile: WAV, AU, AIFF, FLAC, Ogg Vorbis, Opus and MP3.

It can seek, so a long track is decoded only where it is read. That needs its true length, which some files do not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import soundfile

from segue.core.audio.containers import ogg_pages, xing_header
from segue.core.audio.decoders.clip_file import ClipFile
from segue.core.audio.decoders.mp3_duration import mp3_seconds
from segue.core.audio.fidelity import is_low_bitrate
from segue.core.audio.limits import check_format, check_length
from segue.core.audio.quality import FileFlaws, SignalMeter, SourceInfo
from segue.core.audio.samples import DecodedStream, DecoderFailed, Samples
from segue.core.audio.sniff import is_dts_in_wav, is_ogg
from segue.core.audio.sources import ArraySource, FileSource, mono_blocks, resample_blocks
from segue.core.errors import AudioTooShort

# libsndfile's length of an MP3 is that of the Xing header, or an estimate from its first frames. At a constant bit rate
# it is right up to the padding of the frames. Encoders add up to 0.26 s of silence, which the header subtracts.
_MAX_ERROR_SECONDS = 0.4
_MAX_ERROR_SHARE = 0.01
_BLOCK_FRAMES = 2**16
# Here a length of 0 is true, since an unknown one was repaired.
_REPAIRED = {"WAV", "WAVEX", "RF64", "AU"}
_LOSSY = {
    *("MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "VORBIS", "OPUS", "GSM610"),
    *("IMA_ADPCM", "MS_ADPCM", "VOX_ADPCM", "G721_32", "G723_24", "G723_40"),
    *("NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32"),
}
# A-law and mu-law have 8 bits in a sample, too, although they are not linear.
_LOW_BIT_DEPTHS = {"PCM_S8", "PCM_U8", "ALAW", "ULAW", "DPCM_8", "DWVW_12"}


@contextmanager
def open_by_libsndfile(clip: ClipFile, rate: int, whole_seconds: float) -> Iterator[ArraySource | FileSource]:
    """Opens a clip for reading in any order, at ``rate`` Hz.

    Args:
        clip: the clip.
        rate: sample rate of the samples that ``read`` returns, in Hz.
        whole_seconds: greatest length of a clip that is decoded whole.

    Raises:
        AudioUndecodable: it has an impossible rate or number of channels.
        AudioTooLong: it is longer than the limit.
        AudioTooShort: it has no samples.
        DecoderFailed: libsndfile does not know the format or the true length, or met damage.
    """
    with _open(clip) as file:
        check_format(file.samplerate, file.channels)
        _check_length_is_known(file, clip)
        seconds = file.frames / file.samplerate
        check_length(seconds)
        info = SourceInfo(file.samplerate, SignalMeter(), _file_flaws(file, clip, seconds))
        if seconds <= whole_seconds:
            yield resample_blocks(mono_blocks(file, 0, file.frames, info.meter), info, rate, file.frames)
        else:
            yield FileSource(file, rate, info)


@contextmanager
def decode_by_libsndfile(clip: ClipFile) -> Iterator[DecodedStream]:
    """Decodes a file from its start as far as that is possible, with its own rate and channels.

    Raises:
        DecoderFailed: libsndfile does not know the format.
    """
    with _open(clip) as file:
        if file.format == "MP3" and not clip.is_mpeg_audio:
            raise DecoderFailed("Too few of the bytes are MP3.")
        is_lossy, low_bit_depth = file.subtype in _LOSSY, file.subtype in _LOW_BIT_DEPTHS
        # Of joined files, only the first is decoded.
        is_joined = not clip.has_one_rate or (is_ogg(clip.view) and _is_chained(clip.view))
        yield DecodedStream(
            file.samplerate, file.channels, _blocks(file), lambda: is_joined, lambda: is_lossy, low_bit_depth
        )


def _file_flaws(file: soundfile.SoundFile, clip: ClipFile, seconds: float) -> FileFlaws:
    return FileFlaws(
        truncated=clip.is_truncated(seconds),
        damaged=clip.lacks_pages,
        missing_seconds=clip.missing_seconds(seconds),
        low_bitrate=file.subtype in _LOSSY and is_low_bitrate(clip.view, seconds),
        low_bit_depth=file.subtype in _LOW_BIT_DEPTHS,
    )


@contextmanager
def _open(clip: ClipFile) -> Iterator[soundfile.SoundFile]:
    if is_dts_in_wav(clip.view):
        raise DecoderFailed("The samples of the WAV file are DTS.")
    try:
        file = soundfile.SoundFile(clip.rewind(), closefd=False)
    except soundfile.LibsndfileError as error:
        raise DecoderFailed("libsndfile does not know the format.") from error
    with file:
        yield file


def _check_length_is_known(file: soundfile.SoundFile, clip: ClipFile) -> None:
    seconds = file.frames / file.samplerate
    if file.frames == 0 and file.format in _REPAIRED:
        raise AudioTooShort("The file has no samples. Send a clip with music.")
    if file.frames in {0, np.iinfo(np.int64).max}:
        raise DecoderFailed("The header does not have the length.")
    clip.check_size()
    tolerance = max(_MAX_ERROR_SECONDS, _MAX_ERROR_SHARE * seconds)
    if file.format == "MP3" and abs(seconds - _counted_seconds(clip.view)) > tolerance:
        raise DecoderFailed("libsndfile does not know the length.", is_damaged=clip.lacks_frames)
    if is_ogg(clip.view) and _is_chained(clip.view):
        raise DecoderFailed("libsndfile decodes only the first of several joined files.")


def _counted_seconds(view: memoryview) -> float:
    xing = xing_header(view)
    # Without its Xing header, whose number of frames may be false, the frames of an MP3 are counted.
    return mp3_seconds(view[xing.position :] if xing else view)


def _is_chained(data: memoryview) -> bool:
    """Returns whether a first page of an Ogg stream follows later pages: files were joined."""
    first_later_page = next((page.start for page in ogg_pages(data) if not page.is_first), len(data))
    return re.search(rb"OggS\0[\x02\x03\x06\x07]", data[first_later_page:]) is not None


def _blocks(file: soundfile.SoundFile) -> Iterator[Samples]:
    # Without a buffer, soundfile counts the frames that are left, which are negative in some damaged files.
    buffer = np.empty((_BLOCK_FRAMES, file.channels), np.float32)
    try:
        while len(block := file.read(out=buffer)):
            yield block
    except soundfile.LibsndfileError as error:
        raise DecoderFailed(str(error.error_string), is_damaged=True) from error
