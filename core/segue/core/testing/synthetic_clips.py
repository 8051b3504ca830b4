"""Renders clips of music for demonstrations and tests without recordings.

The clips are computed, so a network's predictions for them say nothing about its quality.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segue.core.audio.samples import Samples


@dataclass(frozen=True)
class Style:
    """The sound of a rendered clip.

    Attributes:
        name: name of the style, a genre of GTZAN.
        tempo: tempo in beats a minute.
        root: root note in Hz.
        overtones: number of overtones of each note.
        drums: share of the drums, [0, 1].
    """

    name: str
    tempo: float
    root: float
    overtones: int
    drums: float


STYLES = (
    Style("blues", 84, 110.0, 6, 0.3),
    Style("classical", 66, 220.0, 4, 0.0),
    Style("country", 108, 164.8, 8, 0.3),
    Style("disco", 120, 130.8, 5, 0.6),
    Style("hiphop", 92, 65.4, 3, 0.8),
    Style("jazz", 140, 174.6, 7, 0.2),
    Style("metal", 180, 82.4, 24, 0.7),
    Style("pop", 112, 196.0, 6, 0.4),
    Style("reggae", 76, 98.0, 5, 0.5),
    Style("rock", 128, 110.0, 14, 0.5),
)


def render_clip(style: int, seconds: float, rate: int = 22_050, seed: int = 0) -> Samples:
    """Renders a clip of chords and drums.

    Args:
        style: number of the style in ``STYLES``, from 0; after the last it starts again.
        seconds: duration, above 0.
        rate: sample rate in Hz.
        seed: another seed gives another clip of the same style.

    Returns:
        Mono samples [seconds * rate], peak 0.5.
    """
    chosen = STYLES[style % len(STYLES)]
    random = np.random.default_rng([style, seed])
    time = np.arange(round(seconds * rate)) / rate
    beat = time * chosen.tempo / 60
    sound = (1 - chosen.drums) * _chords(chosen, time, beat, random) + chosen.drums * _drums(beat, random)
    sound += 1e-3 * random.standard_normal(len(time))
    clip: Samples = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
    return clip


def _chords(
    style: Style, time: NDArray[np.float64], beat: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Renders a plucked chord every two beats, each note with the style's overtones."""
    degrees = random.choice([0, 2, 4, 5, 7, 9], size=64)
    root = style.root * 2.0 ** (degrees[(beat // 2).astype(int) % 64] / 12)
    phase = 2 * np.pi * np.cumsum(root) * (time[1] - time[0])
    notes = [np.sin(ratio * k * phase) / k for ratio in (1.0, 1.25, 1.5) for k in range(1, style.overtones + 1)]
    plucked: NDArray[np.float64] = np.sum(notes, axis=0) * np.exp(-1.5 * (beat % 2) / 2)
    return plucked


def _drums(beat: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Renders a low thump on each beat and a burst of noise between beats."""
    thump = np.sin(40 * np.sqrt(beat % 1)) * np.exp(-8 * (beat % 1))
    hiss = random.standard_normal(len(beat)) * np.exp(-25 * ((beat + 0.5) % 1))
    sound: NDArray[np.float64] = thump + 0.5 * hiss
    return sound


def render_folder(folder: Path, clips: int = 20, seconds: float = 30.0) -> list[Path]:
    """Writes clips of all styles in turn as ``<style>/<style>.<number>.flac``, and returns their paths."""
    import soundfile  # noqa: PLC0415 - only this function needs it

    paths = []
    for number in range(clips):
        style = STYLES[number % len(STYLES)].name
        path = folder / style / f"{style}.{number // len(STYLES):05}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, render_clip(number, seconds, seed=number // len(STYLES)), 22_050, subtype="PCM_16")
        paths.append(path)
    return paths
