"""The renditions of a clip: containers, codecs, rates, channels and depths that ffmpeg and SoX write."""

from __future__ import annotations

from dataclasses import dataclass

from segue.core.audio.fidelity import LEAST_BITS, LEAST_KBITS
from segue.core.audio.quality import Flag

# Below this, as below the bits and the bit rate of Segue's flags, a prediction may differ from that of the original.
LEAST_RATE = 16_000


@dataclass(frozen=True)
class Recipe:
    """The way to write one rendition of a clip.

    Attributes:
        suffix: ending of the file.
        options: options of ffmpeg for the codec and the container, or of SoX.
        rate: sample rate in Hz.
        channels: number of channels.
        bits: depth of the samples; 16 for codecs that have none.
        kbits: bit rate of a lossy codec in kbit/s; 0 for a lossless one.
        piped: True if it is written to a pipe, so that the encoder cannot go back to its header.
        extra: one of "", "tags", "cover" (10 MB, with tags), "front cut" and "back cut" (by 300 bytes).
        by_sox: True if SoX writes it; else ffmpeg does.
    """

    suffix: str
    options: str = ""
    rate: int = 44_100
    channels: int = 2
    bits: int = 16
    kbits: int = 0
    piped: bool = False
    extra: str = ""
    by_sox: bool = False

    @property
    def name(self) -> str:
        """A line that describes it."""
        amount = f"{self.kbits} kbit/s" if self.kbits else f"{self.bits} bit"
        notes = ", ".join(note for note in (self.extra, "piped" if self.piped else "", "SoX" * self.by_sox) if note)
        options = self.options or "default codec"
        return f"{self.suffix} ({options}), {self.rate:,} Hz, {self.channels} ch, {amount}{', ' * bool(notes)}{notes}"

    @property
    def flags(self) -> frozenset[Flag]:
        """The flags for low fidelity that its analysis must have."""
        applies = {
            Flag.LOW_RATE: self.rate < LEAST_RATE,
            Flag.LOW_BITRATE: 0 < self.kbits < LEAST_KBITS,
            Flag.LOW_BIT_DEPTH: self.bits < LEAST_BITS,
        }
        return frozenset(flag for flag, is_set in applies.items() if is_set)

    @property
    def is_good(self) -> bool:
        """True if the prediction should be that of the original."""
        return not self.flags


PCM = (
    Recipe("wav", "-c:a pcm_s16le", 8_000, 1),
    Recipe("wav", "-c:a pcm_s16le", 16_000, extra="tags"),
    Recipe("wav", "-c:a pcm_u8", 22_050, 1, bits=8),
    Recipe("wav", "-c:a pcm_alaw", 16_000, 1, bits=8),
    Recipe("wav", "-c:a pcm_s24le", 96_000),
    Recipe("wav", "-c:a pcm_s32le", 192_000, 1, bits=32),
    Recipe("wav", "-c:a pcm_f32le", bits=32, piped=True),
    Recipe("wav", "-c:a pcm_f64le", 48_000, 4, bits=32),
    Recipe("wav", "-c:a pcm_s16le", 48_000, 8),
    Recipe("wav", "-c:a pcm_s16le", 11_025, 1, extra="back cut"),
    Recipe("wav", "-c:a adpcm_ms", kbits=352),
    Recipe("wav", "-c:a adpcm_ima_wav", 22_050, 1, kbits=88),
    Recipe("wav", "-c:a libmp3lame -b:a 128k", kbits=128),
    Recipe("wav", "-c:a pcm_s24le -rf64 always", bits=24),
    Recipe("w64", "-c:a pcm_s16le", piped=True),
    Recipe("aiff", "-c:a pcm_s24be", 48_000, 6, bits=24),
    Recipe("aifc", "-c:a pcm_f32be -f aiff", 22_050, 1, bits=32, piped=True),
    Recipe("au", "-c:a pcm_s16be", 32_000, 1, piped=True),
    Recipe("caf", "-c:a pcm_s32le", 48_000, bits=32),
    Recipe("caf", "-c:a alac"),
    Recipe("voc", "-c:a pcm_s16le", 22_050),
    Recipe("sph", "-b 16", 16_000, 1, by_sox=True),
    Recipe("sox", "-b 32", 48_000, bits=32, by_sox=True),
    Recipe("sf", "-b 16", by_sox=True),
    Recipe("ast", "-c:a pcm_s16be_planar"),
    Recipe("nut", "-c:a pcm_s24le", 48_000, bits=24, piped=True),
    Recipe("mxf", "-c:a pcm_s24le -f mxf_opatom", 48_000, 1, bits=24),
)
LOSSLESS = (
    Recipe("flac", "-c:a flac", extra="tags"),
    Recipe("flac", "-c:a flac -sample_fmt s32", 192_000, bits=24, extra="cover"),
    Recipe("flac", "-c:a flac", 48_000, 8, piped=True),
    Recipe("flac", "-c:a flac", 24_000, 1, extra="back cut"),
    Recipe("oga", "-c:a flac -f ogg", piped=True),
    Recipe("mka", "-c:a flac", 96_000),
    Recipe("m4a", "-c:a alac -sample_fmt s32p", 48_000, bits=24, extra="tags"),
    Recipe("wv", "-c:a wavpack -sample_fmt s32p", 96_000, bits=32, extra="tags"),
    Recipe("tta", "-c:a tta", 48_000, 1),
    Recipe("thd", "-c:a truehd -strict -2 -f truehd", 48_000),
)
MPEG = (
    Recipe("mp3", "-b:a 128k -write_id3v1 1", kbits=128, extra="tags"),
    Recipe("mp3", "-b:a 320k", 48_000, kbits=320, extra="cover"),
    Recipe("mp3", "-q:a 4", kbits=165, piped=True),
    Recipe("mp3", "-q:a 4 -write_xing 0 -id3v2_version 0", kbits=165),
    Recipe("mp3", "-b:a 64k", 22_050, 1, kbits=64, extra="front cut"),
    Recipe("mp3", "-c:a libshine -b:a 128k", kbits=128, extra="back cut"),
    Recipe("mp3", "-b:a 16k", 8_000, 1, kbits=16),
    Recipe("mp3", "-b:a 32k", 22_050, 1, kbits=32),
    Recipe("mp2", "-b:a 192k", 48_000, kbits=192, extra="front cut"),
    Recipe("m4a", "-c:a aac -b:a 128k", kbits=128, extra="cover"),
    Recipe("mp4", "-c:a aac -b:a 160k -movflags frag_keyframe+empty_moov", kbits=160, piped=True),
    Recipe("m4a", "-c:a aac -b:a 96k -movflags faststart", kbits=96, extra="back cut"),
    Recipe("aac", "-b:a 96k -f adts", kbits=96, piped=True, extra="front cut"),
    Recipe("loas", "-c:a aac -b:a 96k -f latm", kbits=96),
    Recipe("mov", "-c:a pcm_s24be", 48_000, 6, bits=24),
    Recipe("3gp", "-c:a aac -b:a 96k", 16_000, kbits=96),
    Recipe("mpg", "-c:a mp2 -b:a 192k -f mpeg", kbits=192),
    Recipe("ts", "-c:a aac -b:a 128k -f mpegts", kbits=128, piped=True, extra="front cut"),
)
OTHER = (
    Recipe("ogg", "-c:a libvorbis -q:a 5", kbits=160, extra="tags"),
    # The cut costs a page; ffmpeg writes pages of a second, other encoders shorter ones.
    Recipe("ogg", "-c:a libvorbis -q:a 4 -page_duration 100000", 48_000, 6, kbits=256, extra="back cut"),
    Recipe("opus", "-c:a libopus -b:a 96k", 48_000, kbits=96, piped=True, extra="tags"),
    Recipe("opus", "-c:a libopus -b:a 256k -mapping_family 1", 48_000, 8, kbits=256),
    Recipe("opus", "-c:a libopus -b:a 12k", 48_000, 1, kbits=12),
    Recipe("spx", "-c:a libspeex", 16_000, 1, kbits=28),
    Recipe("wma", "-c:a wmav2 -b:a 128k", kbits=128, extra="tags"),
    Recipe("wma", "-c:a wmav1 -b:a 128k", kbits=128, piped=True),
    Recipe("mka", "-c:a libvorbis -q:a 4", kbits=128, extra="tags"),
    Recipe("mka", "-c:a dca -strict -2", 48_000, 1, kbits=1_411),
    Recipe("webm", "-c:a libopus -b:a 96k", 48_000, kbits=96, piped=True),
    Recipe("ac3", "-b:a 384k", 48_000, 6, kbits=384, extra="front cut"),
    Recipe("eac3", "-b:a 192k", 48_000, kbits=192),
    Recipe("dts", "-c:a dca -strict -2", 48_000, kbits=1_411),
    Recipe("avi", "-c:a libmp3lame -b:a 128k", kbits=128),
    Recipe("flv", "-c:a libmp3lame -b:a 128k", kbits=128),
    Recipe("swf", "-c:a libmp3lame -b:a 128k", kbits=128),
    Recipe("rm", "-c:a ac3 -b:a 128k", kbits=128),
    Recipe("wtv", "-c:a mp2 -b:a 192k", 48_000, kbits=192),
    Recipe("spdif", "-c:a ac3 -b:a 192k -f spdif", 48_000, kbits=192),
    Recipe("adx", "-c:a adpcm_adx", 22_050, kbits=198),
    Recipe("mmf", "-c:a adpcm_yamaha", 22_050, 1, kbits=88),
)
RECIPES = PCM + LOSSLESS + MPEG + OTHER
