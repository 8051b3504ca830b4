"""Suggestions of clips to label, from audio to the table, by the model that ships with Segue."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile
from click.testing import CliRunner, Result

from segue.core.model.load_model import load_model
from segue.core.paths import resolve_model
from segue.core.testing.synthetic_clips import STYLES, render_clip
from segue.trainer.cli.main import main
from segue.trainer.errors import DataUnusable
from segue.trainer.labelling.music import MusicFile, list_music
from segue.trainer.labelling.tag_cache import TagCache
from segue.trainer.labelling.tagging import tag_music, tag_recipe

MODEL = "segue-accurate"


def run(folder: Path, *arguments: str | Path) -> Result:
    """Runs the command in this process, with a cache next to the folder."""
    options = ("--model", MODEL, "--tag-cache", folder.parent / "tags.npz", *arguments)
    return CliRunner().invoke(main, ["suggest", "--input", str(folder), *map(str, options)], catch_exceptions=False)


def run_json(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    """Runs the command, and returns its JSON document."""
    result = run(folder, "--json", *arguments)
    assert 0 == result.exit_code, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six rendered clips in folders of any layout, a copy of one of them, a cover, and two files that are no music."""
    folder = tmp_path_factory.mktemp("unlabelled") / "music"
    (folder / "Some Album" / "Disc 1").mkdir(parents=True)
    for style in range(6):
        path = folder / ("Some Album/Disc 1" if style % 2 else "") / f"{STYLES[style].name} [{style}].wav"
        soundfile.write(path, render_clip(style, 6.0, rate=16_000, seed=style), 16_000, subtype="PCM_16")
    shutil.copy(folder / f"{STYLES[0].name} [0].wav", folder / "a copy.wav")
    (folder / "broken.mp3").write_text("no music")
    (folder / "Some Album" / "empty.flac").touch()
    (folder / "cover.jpg").write_text("no music")
    return folder


@pytest.fixture
def folder(rendered: Path, tmp_path: Path) -> Path:
    """A copy of the folder, whose cache does not exist."""
    return shutil.copytree(rendered, tmp_path / "music")


def test_clips_are_suggested_with_genres_and_reasons(folder: Path) -> None:
    """The first is the least certain, and each has its two best genres of the model."""
    document = run_json(folder, "--limit", "4")
    suggestions = document["suggestions"]
    assert (4, 7) == (len(suggestions), document["files"])
    assert document["model_id"].startswith("segue-accurate-")
    assert None is suggestions[0]["similarity"]
    for suggestion in suggestions:
        best, second = suggestion["genres"]
        assert pytest.approx(suggestion["margin"], abs=1e-6) == best["score"] - second["score"]
        assert Path(suggestion["path"]).is_file()
    assert f"margin {suggestions[1]['margin']:.2f}, similarity" in suggestions[1]["why"]


def test_files_that_cannot_be_decoded_are_named(folder: Path) -> None:
    """They do not end the run, and the cover is not among them."""
    names = sorted(Path(item["path"]).name for item in run_json(folder)["left_out"])
    assert ["broken.mp3", "empty.flac"] == names
    assert f"left out {folder / 'broken.mp3'}: " in run(folder).stderr


def test_fewer_clips_than_asked_for(folder: Path) -> None:
    """All clips are suggested but one of two copies, and a note says that there are no others."""
    result = run(folder, "--paths")
    assert 6 == len(set(result.stdout.splitlines()))
    assert f"6 clips of 20: {folder} has no others" in result.stderr


def test_every_output_has_the_same_clips(folder: Path) -> None:
    """Table, JSON and paths name the same clips in the same order; a table in a pipe does not cut them."""
    paths = [item["path"] for item in run_json(folder)["suggestions"]]
    assert paths == run(folder, "--paths").stdout.splitlines()
    assert paths == run(folder, "--print0").stdout.split("\0")[:-1]
    table = run(folder).stdout
    assert sorted(paths, key=table.index) == paths


def test_a_second_run_reads_the_cache(folder: Path) -> None:
    """It decodes new files only, and its suggestions are the same."""
    first = run_json(folder)
    (folder / "broken.mp3").unlink()
    # The same size and time, and no audio: it is not decoded again.
    song = Path(first["suggestions"][0]["path"])
    status = song.stat()
    song.write_bytes(b"\0" * status.st_size)
    os.utime(song, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert first["suggestions"] == run_json(folder)["suggestions"]


def test_a_moved_file_is_no_longer_suggested(folder: Path) -> None:
    """A labelled clip is moved out of the folder, and its tags in the cache have no effect."""
    (first, *_) = run_json(folder)["suggestions"]
    Path(first["path"]).rename(folder.parent / "labelled.wav")
    assert first["path"] not in [item["path"] for item in run_json(folder)["suggestions"]]


def test_an_interrupted_run_keeps_its_tags(folder: Path) -> None:
    """The next run goes on where it ended."""
    model = load_model(resolve_model(MODEL))
    cache = TagCache.open(folder.parent / "tags.npz", tag_recipe(model.manifest))
    files, _ = list_music(folder)

    def interrupt(results: Any, total: int) -> Any:  # noqa: ANN401 - a progress bar of any results
        assert len(files) == total
        for number, result in enumerate(results):
            if number == 3:
                raise KeyboardInterrupt
            yield result

    with pytest.raises(KeyboardInterrupt):
        tag_music(files, model, cache, interrupt)
    assert 0 < len(TagCache.open(cache.path, cache.recipe)) <= 3


def test_a_file_that_vanishes_is_named(folder: Path) -> None:
    """It may be removed after it was listed."""
    model = load_model(resolve_model(MODEL))
    cache = TagCache.open(folder.parent / "tags.npz", tag_recipe(model.manifest))
    files, _ = list_music(folder)
    gone = MusicFile(folder / "gone.wav", 1, 1)
    tagged, left_out = tag_music([*files, gone], model, cache, lambda results, total: results)
    assert 7 == len(tagged)
    assert "No such file" in left_out[gone.path]
    with pytest.raises(DataUnusable, match=r"gone\.wav: It cannot be read"):
        tag_music([gone], model, cache, lambda results, total: results)


def test_a_model_over_other_features_is_refused(folder: Path, tiny_model: Path) -> None:
    """The error comes before any file is decoded."""
    refused = run(folder, "--model", tiny_model)
    assert 1 == refused.exit_code
    assert "does not decide on MusiCNN's 50 tags" in refused.stderr
    assert "train-accurate" in refused.stderr
    assert not (folder.parent / "tags.npz").exists()


def test_a_folder_without_usable_music_is_refused(folder: Path) -> None:
    """An empty folder and one without a usable file are named."""
    (folder.parent / "empty").mkdir()
    empty = run(folder.parent / "empty")
    assert 1 == empty.exit_code
    assert "There is no music in" in empty.stderr
    for path in folder.rglob("*.wav"):
        path.unlink()
    broken = run(folder)
    assert 1 == broken.exit_code
    assert "No file can be used, such as" in broken.stderr
