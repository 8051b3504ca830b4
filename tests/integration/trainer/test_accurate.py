"""A whole run over MusiCNN's tags with random weights: from audio to tags to an artifact, evaluated on tags."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from segue.core.features.extract import extract
from segue.core.model.artifact import Manifest, read_manifest
from segue.core.model.load_model import load_model
from segue.core.quantities import quantity
from segue.core.testing.synthetic_clips import STYLES, render_clip
from segue.trainer.accurate.head import HeadPlan
from segue.trainer.accurate.musicnn import TAG_NAMES
from segue.trainer.accurate.tags import read_tags, save_tags
from segue.trainer.cli.main import main
from segue.trainer.commands.train_accurate import train_head_artifact
from segue.trainer.data.tagged_track import TaggedTrack
from segue.trainer.errors import SplitMismatch
from segue.trainer.export.artifact import CARD
from segue.trainer.settings import TrainAccurateSettings

PLAN = HeadPlan(networks=1, steps=30)
GENRES = tuple(style.name for style in STYLES[:2])


def run(*arguments: str | Path) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven rendered clips in each of two genres, short and long, and one file that is not audio."""
    folder = tmp_path_factory.mktemp("rendered")
    for style, genre in enumerate(GENRES):
        (folder / genre).mkdir()
        for seed in range(7):
            clip = render_clip(style, 4.0 + 3 * seed, rate=16_000, seed=seed)
            soundfile.write(folder / genre / f"song {seed}.wav", clip, 16_000, subtype="PCM_16")
    (folder / GENRES[0] / "noise.wav").write_text("no music")
    return folder


@pytest.fixture(scope="module")
def tags(folder: Path, backbone_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their tags, which the command wrote."""
    path = tmp_path_factory.mktemp("tags") / "new" / "tags.npz"
    tagged = run("tag", "--input", folder, "--backbone", backbone_file, "--output", path)
    assert 0 == tagged.exit_code, tagged.stderr
    assert f"left out {GENRES[0]}/noise.wav" in tagged.stderr
    return path


@pytest.fixture(scope="module")
def artifact(tags: Path, backbone_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of a small plan on those tags."""
    output = tmp_path_factory.mktemp("trained") / "small"
    train_in_a_process(tags, backbone_file, output)
    return output


def train_in_a_process(tags: Path, backbone: Path, output: Path) -> None:
    """Trains a small head in a process of its own, since TensorFlow numbers its names, which are part of a model id."""
    program = (
        "import sys; from pathlib import Path; from tests.integration.trainer.test_accurate import train; "
        "train(*map(Path, sys.argv[1:]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, tags, backbone, output], capture_output=True, text=True, check=False
    )
    assert 0 == ended.returncode, ended.stderr
    assert "WARNING:tensorflow" not in ended.stderr


def train(tags: Path, backbone: Path, output: Path, split: str | None = None, windows: int = 5) -> Manifest:
    """Trains a small head."""
    return train_head_artifact(TrainAccurateSettings(tags, backbone, split, output, "small", windows, seed=3), PLAN)


def test_a_clip_has_the_tags_of_ten_windows_at_most(tags: Path) -> None:
    """A short clip has as many windows as fit side by side."""
    windows = {track.track: len(track.tags) for track in read_tags(tags)}
    assert 14 == len(windows)
    assert [1, 7, 7] == [windows[f"{name}.wav"] for name in ("blues/song 0", "blues/song 6", "classical/song 6")]


def test_the_artifact_is_whole_and_predicts(artifact: Path, folder: Path) -> None:
    """The server's loader accepts it, and its predictions from audio have the shapes of the contract."""
    model = load_model(artifact)
    assert GENRES == model.manifest.labels
    assert model.manifest.model_id.startswith("small-")
    assert TAG_NAMES == model.manifest.tags
    assert {"model-card.md", "split.tsv", "report.md"} <= set(model.manifest.files)
    clip = extract(folder / "blues" / "song 6.wav", model.manifest.features, model.manifest.windows)
    (prediction,) = model.predict([clip.windows])
    assert pytest.approx(1, abs=1e-5) == prediction.posterior.sum()
    assert pytest.approx(1, abs=1e-5) == np.linalg.norm(prediction.embedding)
    assert (5, 2) == prediction.window_posterior.shape
    np.testing.assert_allclose(prediction.tag_scores, model.encode(clip.windows.values)[:, :50].mean(0), atol=1e-6)


@pytest.mark.parametrize("windows", [1, 3])
def test_fewer_windows(tags: Path, backbone_file: Path, folder: Path, tmp_path: Path, windows: int) -> None:
    """Manifest, model card and figures are those of the number of windows, and so is what the server extracts."""
    manifest = train(tags, backbone_file, tmp_path / "small", windows=windows)
    model = load_model(tmp_path / "small")
    assert windows == manifest.windows == model.manifest.windows
    assert f"A clip has at most {quantity(windows, 'window')} of 3 s" in (tmp_path / "small" / CARD).read_text()
    model.warm_up(max_batch=8)
    clips = [extract(folder / "blues" / f"song {seed}.wav", manifest.features, windows) for seed in range(7)]
    predictions = model.predict([clip.windows for clip in clips])
    # The shortest clip has room for one window, each other one for one more.
    expected = [min(windows, room) for room in range(1, 8)]
    assert expected == [len(prediction.window_posterior) for prediction in predictions]
    figures = json.loads(run("evaluate", "--model", tmp_path / "small", "--tags", tags, "--json").stdout)
    assert 14 == figures["n"]


@pytest.mark.parametrize("windows", ["0", "6", "2.5", "many"])
def test_a_number_of_windows_that_cannot_be_served_is_refused(tags: Path, tmp_path: Path, windows: str) -> None:
    """The message names the option; the head of the command's help has the limits."""
    refused = run("train-accurate", "--tags", tags, "--output", tmp_path / "out", "--windows", windows)
    assert 2 == refused.exit_code
    assert "--windows" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_the_same_seed_gives_the_same_model_id(artifact: Path, tags: Path, backbone_file: Path, tmp_path: Path) -> None:
    """An artifact that is trained into the folder of an older one replaces it."""
    copy = shutil.copytree(artifact, tmp_path / "small")
    (copy / "saved_model" / "saved_model.pb").write_bytes(b"older")
    train_in_a_process(tags, backbone_file, copy)
    assert read_manifest(artifact).model_id == read_manifest(copy).model_id
    load_model(copy)
    assert [copy] == list(tmp_path.iterdir())


def test_an_artifact_is_evaluated_on_tags(artifact: Path, tags: Path, tmp_path: Path) -> None:
    """Figures, leakage and predictions have the form of those from audio."""
    result = run(
        "evaluate", "--model", artifact, "--tags", tags, "--json", "--predictions", tmp_path / "predictions.npz"
    )
    figures = json.loads(result.stdout)
    assert (14, 14, 0) == (figures["n"], figures["trained_on"], figures["selected_on"])
    assert {"model_id", "accuracy", "log_loss", "ece", "macro_f1", "precision_at_5", "precision_at_10"} <= set(figures)
    with np.load(tmp_path / "predictions.npz") as fields:
        assert {"track", "genres", "posterior", "embedding"} == set(fields.files)
        assert [track.track for track in read_tags(tags)] == fields["track"].tolist()
        assert list(GENRES) == fields["genres"].tolist()
        assert ((14, 2), (14, 200)) == (fields["posterior"].shape, fields["embedding"].shape)
        np.testing.assert_allclose(1, fields["posterior"].sum(1), atol=1e-5)
        first = fields["embedding"][0]
    (track, *_) = read_tags(tags)
    served = track.spread(5)
    assert served.layer is not None
    (prediction,) = load_model(artifact).decide([np.hstack([served.tags, served.layer])])
    np.testing.assert_allclose(prediction.embedding, first, atol=1e-6)
    table = run("evaluate", "--model", artifact, "--tags", tags).stdout
    assert "14 of them on the TRAINING SIDE" in " ".join(table.split())


def test_tags_without_the_layer(artifact: Path, tags: Path, backbone_file: Path, tmp_path: Path) -> None:
    """The genres are evaluated as before; recommendations are not, and the card and the report do not name them."""
    bare = tmp_path / "bare.npz"
    save_tags(bare, [TaggedTrack(track.track, track.genre, track.tags) for track in read_tags(tags)])
    options = ("--model", artifact, "--tags", bare, "--report", tmp_path / "report")
    results = [run("evaluate", "--model", artifact, "--tags", path, "--json") for path in (bare, tags)]
    assert [True, False] == ["recommendations are not evaluated" in result.stderr for result in results]
    figures, whole = (json.loads(result.stdout) for result in results)
    assert (None, None) == (figures["precision_at_5"], figures["precision_at_10"])
    assert whole["log_loss"] == figures["log_loss"]
    for path in (tags, bare):
        assert 0 == run(*("evaluate", *options[:2], "--tags", path, *options[4:])).exit_code
    assert "Recommendations" not in (tmp_path / "report" / "report.md").read_text()
    assert not (tmp_path / "report" / "figures" / "map.png").exists()
    metrics = train(bare, backbone_file, tmp_path / "small").metrics
    assert not [name for name in metrics if name.startswith("precision_at")]
    assert "precision at 10" not in (tmp_path / "small" / CARD).read_text()


def test_an_artifact_suggests_clips_to_label(artifact: Path, folder: Path, tmp_path: Path) -> None:
    """The artifact has all that the command needs, and the genres of the suggestions are its own."""
    options = ("--model", artifact, "--tag-cache", tmp_path / "tags.npz", "--limit", "3", "--json")
    document = json.loads(run("suggest", "--input", folder, *options).stdout)
    assert (read_manifest(artifact).model_id, 14, 3) == (
        document["model_id"],
        document["files"],
        len(document["suggestions"]),
    )
    for suggestion in document["suggestions"]:
        assert sorted(GENRES) == sorted(item["genre"] for item in suggestion["genres"])


def test_a_side_of_tags(artifact: Path, tags: Path, tmp_path: Path) -> None:
    """A split selects the tracks that are evaluated, and those that are recommended."""
    names = [track.track for track in read_tags(tags)]
    sides = [f"{name}\t{'test' if number % 2 else 'train'}" for number, name in enumerate(names)]
    (tmp_path / "mine.tsv").write_text("\n".join(["track\tsplit", *sides]))
    options = ("--model", artifact, "--tags", tags, "--split", tmp_path / "mine.tsv")
    figures = json.loads(run("evaluate", *options, "--pool", "train", "--json").stdout)
    assert ("test", 7) == (figures["side"], figures["n"])
    assert figures["precision_at_5"] is not None
    assert figures["precision_at_10"] is None


def test_a_network_of_another_kind_is_refused(tiny_model: Path, tags: Path) -> None:
    """The message names the network and the remedy."""
    refused = run("evaluate", "--model", tiny_model, "--tags", tags)
    assert 1 == refused.exit_code
    assert f"{read_manifest(tiny_model).model_id} does not decide on MusiCNN's 50 tags" in refused.stderr
    assert "--input" in refused.stderr


def test_either_audio_or_tags(artifact: Path, tags: Path, folder: Path) -> None:
    """Both or neither is a wrong command; a missing file of tags is one sentence."""
    for sources in (("--input", folder, "--tags", tags), ()):
        refused = run("evaluate", "--model", artifact, *sources)
        assert 2 == refused.exit_code
        assert "either --input or --tags" in refused.stderr
    missing = run("evaluate", "--model", artifact, "--tags", folder / "none.npz")
    assert 1 == missing.exit_code
    assert "none.npz is not a file of tags" in missing.stderr


def test_genres_that_the_network_does_not_have(artifact: Path, tags: Path, tmp_path: Path) -> None:
    """Every prediction for them would be wrong."""
    (first, *_) = read_tags(tags)
    save_tags(tmp_path / "tags.npz", [type(first)("polka/song 0.wav", "polka", first.tags)])
    refused = run("evaluate", "--model", artifact, "--tags", tmp_path / "tags.npz")
    assert 1 == refused.exit_code
    assert "does not have the genres polka" in refused.stderr


def test_a_split_of_other_tracks_is_refused(tags: Path, backbone_file: Path, tmp_path: Path) -> None:
    """The error is about the split, and not about too few genres."""
    with pytest.raises(SplitMismatch, match="split fault-filtered has no track of "):
        train(tags, backbone_file, tmp_path / "out", "fault-filtered")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "../net", "my net"])
def test_a_name_that_cannot_be_part_of_a_path_is_refused(tags: Path, tmp_path: Path, name: str) -> None:
    """It is part of the model id, which names folders, logs and catalogues."""
    refused = run("train-accurate", "--tags", tags, "--output", tmp_path / "out", "--name", name)
    assert 2 == refused.exit_code
    assert "--name" in refused.stderr


def test_one_genre_cannot_be_trained_on(tags: Path, backbone_file: Path, tmp_path: Path) -> None:
    """The error comes before any training, and nothing is written."""
    save_tags(tmp_path / "tags.npz", [track for track in read_tags(tags) if track.genre == GENRES[0]])
    options = ("--tags", tmp_path / "tags.npz", "--backbone", backbone_file, "--output", tmp_path / "out")
    refused = run("train-accurate", *options)
    assert 1 == refused.exit_code
    assert f"only '{GENRES[0]}'. Name a file of more genres with --tags" in refused.stderr
    assert not (tmp_path / "out").exists()
