"""Decodes audio to mono samples at a given sample rate.

libsndfile comes first: it can seek. What it refuses, or whose length it does not know, is decoded from the start to the
end by the next decoder that can: miniaudio, ffmpeg if it is on the PATH, and libsndfile as far as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import soundfile

from segue.core.audio.decoders.clip_file import ClipFile, open_clip_file
from segue.core.audio.decoders.ffmpeg import decode_by_ffmpeg, is_installed
from segue.core.audio.decoders.libsndfile import decode_by_libsndfile, open_by_libsndfile
from segue.core.audio.decoders.miniaudio_decoder import decode_by_miniaudio
from segue.core.audio.decoders.stream_source import open_stream
from segue.core.audio.limits import WHOLE_SECONDS, check_format
from segue.core.audio.mp3_frames import first_frame
from segue.core.audio.quality import SignalMeter, SourceInfo
from segue.core.audio.samples import DecoderFailed
from segue.core.audio.sniff import is_dts_in_wav
from segue.core.audio.sources import AudioSource, FileSource
from segue.core.errors import AudioTooShort, AudioUndecodable

_STREAM_DECODERS = (decode_by_miniaudio, decode_by_ffmpeg, decode_by_libsndfile)

Result = TypeVar("Result")


def read_audio(
    audio: Path | bytes, rate: int, read: Callable[[AudioSource], Result], whole_seconds: float = WHOLE_SECONDS
) -> Result:
    """Opens a clip and passes it to ``read``.

    Args:
        audio: a file, or the bytes of a whole file.
        rate: sample rate of the samples that the clip returns, in Hz.
        read: reads the clip. It is called again if a decoder meets damage, with what another one can decode.
        whole_seconds: greatest length of a clip that is decoded whole; a longer one is decoded part by part.

    Returns:
        The result of ``read``.

    Raises:
        AudioUndecodable: it is not audio, or has an impossible rate or number of channels.
        AudioTooLong: it is longer than the limit.
        AudioTooShort: it has no samples.
        OSError: the file cannot be read.
    """
    with open_clip_file(audio) as clip:
        try:
            with open_by_libsndfile(clip, rate, whole_seconds) as source:
                return read(source)
        except DecoderFailed as error:
            return _read_stream(clip, rate, read, is_damaged=error.is_damaged)


@contextmanager
def open_partial(audio: Path | bytes, rate: int) -> Iterator[FileSource]:
    """Opens a clip from the first bytes of its file.

    Args:
        audio: a file that may still grow, or its first bytes.
        rate: sample rate of the samples that ``read_available`` returns, in Hz.

    Raises:
        AudioUndecodable: libsndfile cannot decode the bytes, or needs more of them.
        OSError: the file cannot be read.
    """
    with open_clip_file(audio, is_whole=False) as clip, _open_first_bytes(clip) as file:
        check_format(file.samplerate, file.channels)
        yield FileSource(file, rate, SourceInfo(file.samplerate, SignalMeter()))


def _open_first_bytes(clip: ClipFile) -> soundfile.SoundFile:
    if is_dts_in_wav(clip.view):
        raise AudioUndecodable("The bytes cannot be decoded yet.")
    with suppress(soundfile.LibsndfileError):
        return soundfile.SoundFile(clip.rewind(), closefd=False)
    try:
        return soundfile.SoundFile(clip.file_from(first_frame(clip.view)))
    except soundfile.LibsndfileError as error:
        raise AudioUndecodable("The bytes cannot be decoded yet.") from error


def _read_stream(clip: ClipFile, rate: int, read: Callable[[AudioSource], Result], *, is_damaged: bool) -> Result:
    is_known = False
    for decoder in _STREAM_DECODERS:
        try:
            with open_stream(clip, decoder, rate, is_damaged=is_damaged) as source:
                is_known = True
                if source.samples:
                    return read(source)
        except DecoderFailed:
            continue
    if is_known:
        raise AudioTooShort("The file has no samples. Send a clip with music.")
    raise AudioUndecodable(_refusal())


def _refusal() -> str:
    if is_installed():
        return (
            "The bytes are not audio that can be decoded here: libsndfile, miniaudio and ffmpeg refuse them. "
            "Send WAV, FLAC, Ogg, Opus, MP3 or AAC."
        )
    return (
        "The bytes are not audio that can be decoded here: libsndfile and miniaudio refuse them, and ffmpeg is not on "
        "the PATH. If it is AAC, WMA or another format, install ffmpeg; or send WAV, FLAC, Ogg, Opus or MP3."
    )
