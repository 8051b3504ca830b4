"""A whole run of the trainer on rendered clips: from a folder to an artifact to its evaluation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from segue.core.features.extract import extract
from segue.core.features.windows import Windows
from segue.core.model.artifact import read_manifest
from segue.core.model.load_model import load_model
from segue.core.testing.synthetic_clips import render_clip
from segue.trainer.cli.main import main

GENRES = ("brisk", "calm", "deep")


def run(*arguments: str | Path) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four rendered clips in each of three genres, and one file that is not audio."""
    folder = tmp_path_factory.mktemp("rendered")
    for number, genre in enumerate(GENRES):
        (folder / genre).mkdir()
        for seed in range(4):
            path = folder / genre / f"{genre}.{seed:05}.wav"
            soundfile.write(path, render_clip(3 * number, 28.5, seed=seed), 22_050, subtype="PCM_16")
    (folder / "calm" / "calm.00009.wav").write_text("no music")
    return folder


@pytest.fixture(scope="module")
def artifact(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of two epochs on those clips."""
    output = tmp_path_factory.mktemp("trained") / "tiny-fast"
    options = ("--epochs", "2", "--name", "tiny-fast", "--seed", "4", "--cache", folder.parent / "cache")
    result = run("train", "--input", folder, "--output", output, *options)
    assert 0 == result.exit_code
    assert "left out calm.00009" in result.stderr
    assert "No cross-validation, the validation clips evaluate the network instead" in result.stderr
    return output


def test_the_artifact_is_whole(artifact: Path) -> None:
    """The manifest has the genres, the figures and the split, and every file has its digest."""
    manifest = read_manifest(artifact)
    assert GENRES == manifest.labels
    assert manifest.model_id.startswith("tiny-fast-")
    assert 3 == manifest.metrics["n"]
    assert manifest.split_digest
    assert {"model-card.md", "split.tsv", "run.json", "report.md", "figures/curves.png"} <= set(manifest.files)


def test_the_card_has_the_figures_and_their_command(artifact: Path) -> None:
    """The accuracy has its interval."""
    card, metrics = (artifact / "model-card.md").read_text(), read_manifest(artifact).metrics
    assert f"{metrics['accuracy']:.3f} [{metrics['accuracy_low']:.3f}, {metrics['accuracy_high']:.3f}]" in card
    assert "segue-trainer evaluate --model" in card


def test_the_artifact_predicts_like_any_other(artifact: Path, folder: Path) -> None:
    """The server's loader accepts it, and it predicts clips of one window and of ten."""
    model = load_model(artifact)
    windows = extract(folder / "calm" / "calm.00000.wav", model.manifest.features, model.manifest.windows).windows
    for count in (1, len(windows.values)):
        (prediction,) = model.predict([Windows(windows.values[:count], windows.starts[:count])])
        assert pytest.approx(1, abs=1e-5) == prediction.posterior.sum()
        assert pytest.approx(1, abs=1e-5) == np.linalg.norm(prediction.embedding)
        assert (model.manifest.embedding_width,) == prediction.embedding.shape


def test_unlabelled_music_is_learned(artifact: Path, folder: Path, tmp_path: Path) -> None:
    """Another network predicts its genres, and what cannot be used is named."""
    music = tmp_path / "music"
    music.mkdir()
    soundfile.write(music / "new.wav", render_clip(1, 28.5, seed=9), 22_050, subtype="PCM_16")
    soundfile.write(music / "brief.wav", render_clip(1, 9, seed=9), 22_050, subtype="PCM_16")
    (music / "copy.wav").write_bytes((folder / "calm" / "calm.00000.wav").read_bytes())
    options = ("--epochs", "1", "--seed", "4", "--cache", tmp_path / "cache", "--output", tmp_path / "out")
    result = run("train", "--input", folder, "--unlabelled", music, "--teacher", artifact, *options)
    assert 0 == result.exit_code, result.stderr
    model_id = read_manifest(artifact).model_id
    assert "left out 1 unlabelled file that the labelled clips include" in result.stderr
    assert f"1 unlabelled clip with the genres that {model_id} predicts" in result.stderr
    assert "left out unlabelled: brief.wav: It lasts 9.0 s" in result.stderr
    assert f"Warning: {model_id} was trained on" not in result.stderr
    card = (tmp_path / "out" / "model-card.md").read_text()
    assert f"1 more clip had no labels; the targets were the genres that {model_id} predicts" in card
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (9, 1, model_id) == (record["learnt"], record["pseudo_labelled"], record["teacher"])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--unlabelled", "music"), "--unlabelled and --teacher need each other"),
        (("--teacher", "segue-accurate"), "--unlabelled and --teacher need each other"),
        (("--unlabelled", "music", "--teacher", "segue-fast", "--network", "paper-cnn"), "labelled clips alone"),
        (("--unlabelled", "music", "--teacher", "segue-fast"), "The teacher has the genres blues"),
        (("--unlabelled", "music", "--teacher", "segue-fast", "--split", "chunk-random"), "Choose another --split"),
        (("--unlabelled", "nowhere", "--teacher", "segue-fast"), "nowhere is not a folder"),
    ],
)
def test_unlabelled_music_that_cannot_be_used(
    options: tuple[str, ...], sentence: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what to do, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "music").mkdir()
    soundfile.write(tmp_path / "music" / "new.wav", render_clip(1, 28.5, seed=9), 22_050, subtype="PCM_16")
    arguments = ("train", "--input", folder, *options, "--cache", folder.parent / "cache", "--output", tmp_path / "out")
    result = CliRunner().invoke(main, [*map(str, arguments)])
    assert result.exit_code in (1, 2)
    assert sentence in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_rendered_styles_are_learned(artifact: Path) -> None:
    """Styles that differ clearly are classified better than by chance, a third."""
    assert read_manifest(artifact).metrics["accuracy"] > 0.5


def test_an_evaluation_reproduces_the_figures(artifact: Path, folder: Path, tmp_path: Path) -> None:
    """The saved split gives the same figures from audio as in training, and the predictions are written to a file."""
    options = ("--model", artifact, "--input", folder, "--split", artifact / "split.tsv", "--side", "valid")
    result = run("evaluate", *options, "--json", "--predictions", tmp_path / "new" / "predictions.npz")
    figures, metrics = json.loads(result.stdout), read_manifest(artifact).metrics
    names = ("accuracy", "n", "log_loss", "ece", "macro_f1", "precision_at_5", "precision_at_10")
    assert set(names) <= set(figures)
    for name in names:
        assert pytest.approx(metrics.get(name), abs=1e-3) == figures[name], name
    with np.load(tmp_path / "new" / "predictions.npz") as fields:
        assert {"track", "genres", "posterior", "embedding"} == set(fields.files)
        assert (3,) == fields["track"].shape
        assert list(GENRES) == fields["genres"].tolist()
        assert (3, 3) == fields["posterior"].shape
        assert (3, read_manifest(artifact).embedding_width) == fields["embedding"].shape


@pytest.mark.parametrize("option", ["--report", "--predictions"])
def test_an_evaluation_writes_nothing_into_the_artifact(artifact: Path, folder: Path, option: str) -> None:
    """A file that is not in the manifest would make the artifact unusable, so it is refused before any work."""
    result = run("evaluate", "--model", artifact, "--input", folder, option, artifact / "output")
    assert 1 == result.exit_code
    assert "lies in the evaluated artifact" in result.stderr
    assert not (artifact / "output").exists()


@pytest.mark.parametrize("option", ["--report", "--predictions"])
def test_an_output_that_cannot_be_written_is_refused_first(tmp_path: Path, folder: Path, option: str) -> None:
    """The error comes before a model is loaded."""
    (tmp_path / "file").touch()
    result = run("evaluate", "--model", tmp_path / "none", "--input", folder, option, tmp_path / "file" / "output")
    assert 1 == result.exit_code
    assert "Nothing can be written to" in result.stderr


def test_a_track_is_not_recommended_to_itself(artifact: Path, folder: Path) -> None:
    """A pool that is the evaluated side is the same as no pool."""
    options = ("--model", artifact, "--input", folder, "--split", artifact / "split.tsv", "--side", "train", "--json")
    alone, pooled = (json.loads(run("evaluate", *options, *more).stdout) for more in ((), ("--pool", "train")))
    assert alone["precision_at_5"] == pooled["precision_at_5"] > 0


def test_an_evaluation_writes_a_report(artifact: Path, folder: Path, tmp_path: Path) -> None:
    """It has the curves of the run that trained the network."""
    options = ("--split", artifact / "split.tsv", "--side", "valid", "--pool", "train", "--report", tmp_path)
    result = run("evaluate", "--model", artifact, "--input", folder, *options)
    assert 0 == result.exit_code
    text = (tmp_path / "report.md").read_text()
    for part in ("3 tracks, side valid of random-tracks", "curves.png", "from the pool", "| seed | 4 |"):
        assert part in text


def test_an_evaluation_judges_recommendations(artifact: Path, folder: Path, tmp_path: Path) -> None:
    """Table, JSON and report have the ways to recommend, with copies that are recognized and the given artists."""
    clips = tmp_path / "clips"
    shutil.copytree(folder, clips)
    (clips / "calm" / "calm.00009.wav").unlink()
    copied, _ = soundfile.read(clips / "calm" / "calm.00001.wav")
    soundfile.write(clips / "calm" / "calm.00008.flac", copied / 2, 22_050)
    rows = [f"{genre}.{seed:05}\tSinger {seed % 2}\tAlbum {seed}" for genre in GENRES for seed in range(4)]
    (tmp_path / "artists.tsv").write_text("\n".join(["track\tartist\talbum", *rows]))
    options = ("--model", artifact, "--input", clips, "--recommend", "--artists", tmp_path / "artists.tsv")
    figures = json.loads(run("evaluate", *options, "--json", "--report", tmp_path / "report").stdout)
    judged = figures["recommendations"]
    ways = {way["name"]: way["figures"] for way in judged["ways"]}
    assert (13, 13, True, []) == tuple(judged[name] for name in ("seeds", "tracks", "leave_one_out", "not_judged"))
    assert {"low", "mean", "high"} == set(ways["the nearest tracks"]["precision_at_10"])
    assert ways["the nearest tracks"]["copies_in_10"]["mean"] > 0
    assert 0 == ways["copies folded"]["copies_in_10"]["mean"]
    assert ways["at most 1 per artist"]["cost_at_10"]["mean"] > 0
    assert "at most 1 per album" in ways
    report = (tmp_path / "report" / "report.md").read_text()
    assert "## Ways to recommend" in report
    assert "- default, copies folded: the cost in P@10 is" in report
    table = run("evaluate", *options)
    assert "default, at most 2 per artist: the cost in P@10 is" in table.stdout
    assert "skew of" in table.stdout


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--artists", "none.tsv"), 2, "--artists is for recommendations"),
        (("--recommend", "--artists", "none.tsv"), 1, "none.tsv is not a table of artists"),
        (("--recommend", "--split", "SPLIT", "--side", "valid"), 1, "there are 2 to recommend"),
    ],
)
def test_recommendations_that_cannot_be_judged(
    options: tuple[str, ...], code: int, sentence: str, artifact: Path, folder: Path
) -> None:
    """The error says what to do."""
    named = [artifact / "split.tsv" if option == "SPLIT" else option for option in options]
    result = run("evaluate", "--model", artifact, "--input", folder, *named)
    assert code == result.exit_code
    assert sentence in result.stderr


def test_an_evaluation_without_a_split_takes_all_tracks(artifact: Path, folder: Path) -> None:
    """All tracks of the input are evaluated, and unusable files are named."""
    result = run("evaluate", "--model", artifact, "--input", folder)
    assert 0 == result.exit_code
    assert "left out calm.00009" in result.stderr
    assert "12" in result.stdout


@pytest.mark.parametrize(("side", "trained_on", "selected_on"), [(None, 9, 3), ("train", 9, 0), ("valid", 0, 3)])
def test_tracks_that_the_network_has_seen_are_counted(
    artifact: Path, folder: Path, tmp_path: Path, side: str | None, trained_on: int, selected_on: int
) -> None:
    """The split in the artifact counts, whichever split selects the tracks; JSON, table and report have the numbers."""
    named = ("--split", artifact / "split.tsv", "--side", side) if side else ()
    options = ("evaluate", "--model", artifact, "--input", folder, *named, "--report", tmp_path)
    figures = json.loads(run(*options, "--json").stdout)
    assert (trained_on, selected_on) == (figures["trained_on"], figures["selected_on"])
    for text in (run(*options).stdout, (tmp_path / "report.md").read_text()):
        assert (trained_on > 0) == ("9 of them on the TRAINING SIDE" in " ".join(text.split()))


def test_a_split_of_other_music_is_refused(artifact: Path, folder: Path) -> None:
    """A split without any track of the folder cannot select the tracks to evaluate."""
    result = run("evaluate", "--model", artifact, "--input", folder, "--split", "fault-filtered")
    assert 1 == result.exit_code
    assert "No track of the input, such as brisk.00000, is on a side of the split" in result.stderr


def test_a_genre_that_the_network_does_not_have_is_refused(artifact: Path, folder: Path, tmp_path: Path) -> None:
    """Every prediction for it would be wrong."""
    (tmp_path / "polka").symlink_to(folder / "calm")
    result = run("evaluate", "--model", artifact, "--input", tmp_path)
    assert 1 == result.exit_code
    assert "does not have the genres polka" in result.stderr


def test_a_leaky_run_says_so_everywhere(folder: Path, tmp_path: Path) -> None:
    """Messages, table, card and evaluation of a run by chunks say LEAKY."""
    options = ("--input", folder, "--split", "chunk-random", "--network", "paper-cnn", "--epochs", "1")
    cache = ("--cache", folder.parent / "cache")
    trained = run("train", *options, *cache, "--output", tmp_path / "leaky")
    evaluated = run(
        "evaluate", "--model", tmp_path / "leaky", "--input", folder, "--split", tmp_path / "leaky/split.tsv"
    )
    card = (tmp_path / "leaky" / "model-card.md").read_text()
    for text in (trained.stderr, trained.stdout, evaluated.stdout, card):
        assert "chunk-random (LEAKY)" in " ".join(text.split())
    whole = run("evaluate", "--model", tmp_path / "leaky", "--input", folder, "--json")
    assert 12 == json.loads(whole.stdout)["trained_on"]


def test_a_genre_without_usable_clips_is_refused(folder: Path, tmp_path: Path) -> None:
    """The network would lack a genre although its folder was given."""
    for genre in GENRES[:2]:
        (tmp_path / "music" / genre).parent.mkdir(exist_ok=True)
        (tmp_path / "music" / genre).symlink_to(folder / genre)
    (tmp_path / "music" / "noise").mkdir()
    (tmp_path / "music" / "noise" / "a.wav").write_text("no music")
    options = ("--output", tmp_path / "out", "--cache", folder.parent / "cache")
    result = run("train", "--input", tmp_path / "music", *options)
    assert 1 == result.exit_code
    assert "No clip of noise can be used" in result.stderr
