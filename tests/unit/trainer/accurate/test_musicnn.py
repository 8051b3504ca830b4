from __future__ import annotations

import keras
import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from segue.core.features.log_mel import log_scale, mel_power
from segue.core.testing.synthetic_clips import render_clip
from segue.trainer.accurate.musicnn import FEATURES, LAYER, TAG_NAMES, build_backbone
from segue.trainer.data.npz import Fields


@pytest.fixture(scope="module")
def network(random_weights: Fields) -> keras.Model:
    """MusiCNN with random weights."""
    return build_backbone(random_weights.__getitem__)


def windows(count: int) -> NDArray[np.float32]:
    """Log-mel of rendered clips, [count, 96, 187]."""
    seconds = FEATURES.window_seconds + 0.1
    frames = np.arange(FEATURES.columns)
    clips = [render_clip(style, seconds, FEATURES.sample_rate) for style in range(count)]
    return np.stack([log_scale(mel_power(clip, frames, FEATURES), FEATURES) for clip in clips])


def test_tags_are_in_their_range(network: keras.Model) -> None:
    """Each window has 50 tags in [0, 1] and then a layer of 200 numbers, which differ between windows."""
    features = network.predict(windows(4), verbose=0)
    assert (4, 250) == features.shape
    assert ((features[:, :50] >= 0) & (features[:, :50] <= 1)).all()
    assert (features.std(0) > 1e-6)[[*range(50)]].any()
    assert (features.std(0) > 1e-6)[50:].any()


def test_tags_come_from_the_layer(network: keras.Model) -> None:
    """The tags are those of the last dense layer on the other 200 numbers."""
    features = network.predict(windows(2), verbose=0)
    tags = network.get_layer("dense_1")(features[:, 50:])
    np.testing.assert_allclose(features[:, :50], tags, atol=1e-6)


def test_each_tag_has_a_name(network: keras.Model) -> None:
    """There is one name for each output, and the ends of the list are those of the published one."""
    assert (len(TAG_NAMES) + LAYER,) == network.output_shape[1:]
    assert len(TAG_NAMES) == len(set(TAG_NAMES))
    assert ("rock", "pop", "House", "happy") == (*TAG_NAMES[:2], *TAG_NAMES[-2:])


def test_silence_and_the_loudest_sound_have_tags(network: keras.Model) -> None:
    """The ends of the scale, and values far above it, do not give NaN."""
    ends = np.stack([np.full((96, 187), level, np.float32) for level in (0.0, 4.0, 9.0)])
    assert np.isfinite(network.predict(ends, verbose=0)).all()


@pytest.mark.parametrize(("first", "last", "has_effect"), [(95, 96, False), (94, 95, True), (0, 1, True)])
def test_the_uppermost_band_has_no_effect(network: keras.Model, first: int, last: int, has_effect: bool) -> None:
    """It is estimated from the band below, since audio at 16 kHz has sound in it and resampled audio has none."""
    plain = windows(1)
    louder = plain.copy()
    louder[:, first:last] += 1
    expected, actual = network.predict(plain, verbose=0), network.predict(louder, verbose=0)
    assert has_effect == bool((np.abs(expected - actual) > 1e-6).any())


def test_only_the_uppermost_bands_are_changed(network: keras.Model) -> None:
    """The first layer gets all other bands unchanged, and the uppermost ones softer on average."""
    first = keras.Model(network.input, network.get_layer("batch_normalization").input)
    plain = windows(2)
    seen = first.predict(plain, verbose=0)[..., 0].transpose(0, 2, 1)
    np.testing.assert_allclose(seen[:, :93], plain[:, :93], atol=1e-6)
    assert (seen[:, 93:].mean((0, 2)) < plain[:, 93:].mean((0, 2))).all()


def test_the_weights_are_frozen(network: keras.Model) -> None:
    """The network has no weights to train."""
    assert [] == network.trainable_weights


def test_the_front_end_is_the_published_one() -> None:
    """Librosa's mel spectrogram at 16 kHz, n_fft 512, hop 256, 96 bands; log10(1 + 10,000 x)."""
    clip = render_clip(3, 4.0, FEATURES.sample_rate)
    mel = librosa.feature.melspectrogram(y=clip, sr=16_000, n_fft=512, hop_length=256, n_mels=96)
    expected = np.log10(10_000 * mel[:, 2:189] + 1)
    actual = log_scale(mel_power(clip, np.arange(2, 189), FEATURES), FEATURES)
    np.testing.assert_allclose(actual, expected, atol=1e-3)
    assert (16_000, 187, 2.992) == (FEATURES.sample_rate, FEATURES.columns, round(187 * 256 / 16_000, 3))
