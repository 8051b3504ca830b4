from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from segue.core.catalogue.records import Track
from segue.core.features.windows import Windows
from segue.core.model.saved_model import Prediction
from segue.core.testing.memory_store import MemoryStore
from segue.indexer.pipeline.examine import Examined, Failure
from segue.indexer.pipeline.pipeline import Pipeline
from segue.indexer.pipeline.run_counts import RunCounts
from segue.indexer.pipeline.scan import MusicFile, Source, Unchanged
from segue.indexer.pipeline.tags import Tags


class FakeExaminer:
    """Finds one window in every file; its number is the file's name. Counts how many files are under way."""

    def __init__(self, ids: dict[str, str] | None = None) -> None:
        self.ids = ids or {}
        self.submitted: list[str] = []
        self.jobs = 2

    def submit(self, path: Path) -> Future[Examined | Failure]:
        """Examines a file at once."""
        self.submitted.append(path.stem)
        future: Future[Examined | Failure] = Future()
        if path.suffix == ".bad":
            future.set_result(Failure(str(path), "AUDIO_SILENT", "Nothing can be heard."))
        else:
            windows = Windows(np.full((1, 2, 2), float(path.stem), np.float32), np.zeros(1))
            future.set_result(Examined(self.ids.get(path.stem, path.stem.zfill(32)), windows, 4.0, Tags(genre="polka")))
        return future


class FakePredictor:
    """Hears the file's number as its embedding's angle; number 13 makes no sense to it."""

    labels = ("blues", "rock")

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, pieces: Sequence[Windows]) -> list[Prediction]:
        """Answers in the order of the pieces."""
        self.batches.append(len(pieces))
        return [self._hear(float(piece.values[0, 0, 0])) for piece in pieces]

    @staticmethod
    def _hear(number: float) -> Prediction:
        angle = np.nan if number == 13 else number / 100
        embedding = np.array([np.cos(angle), np.sin(angle)], np.float32)
        return Prediction(np.array([0.25, 0.75], np.float32), embedding, np.zeros((1, 2), np.float32))


class World:
    """A pipeline over fakes, and a catalogue in memory."""

    def __init__(self, ids: dict[str, str] | None = None) -> None:
        self.examiner, self.predictor, self.store = FakeExaminer(ids), FakePredictor(), MemoryStore()
        self.counts, self.shown = RunCounts(), 0

    def run(self, sources: Iterable[Source], stop_after: int | None = None) -> None:
        """Runs until the sources end, or until so many files are dealt with."""
        with self.store.writer("model", "front end", 2) as writer:
            pipeline = Pipeline(self.examiner, self.predictor, writer, self.counts, self._show)
            pipeline.run(sources, lambda: stop_after is not None and self.counts.done >= stop_after)

    def track(self, name: str) -> Track:
        """The track of this number."""
        (track,) = self.store.get([name.zfill(32)])
        assert track is not None
        return track

    def _show(self, counts: RunCounts) -> None:
        assert counts is self.counts
        self.shown += 1


def music(*numbers: int, known: bool = False, ending: str = "wav") -> list[MusicFile]:
    """Files with these numbers."""
    return [MusicFile(Path(f"/music/{number}.{ending}"), number, number, known) for number in numbers]


def test_files_become_tracks() -> None:
    """A track holds its posterior, its best genre, its tags, its path, and the file as it was."""
    world = World()
    world.run(music(7))

    expected = Track(
        track_id="7".zfill(32),
        title="7",
        genre="rock",
        tagged_genre="polka",
        seconds=4.0,
        path="/music/7.wav",
        posterior={"blues": 0.25, "rock": 0.75},
    )
    assert expected == world.track("7")
    (record,) = world.store.files(["/music/7.wav"])
    assert record is not None
    assert (7, 7) == (record.size, record.mtime_ns)


def test_every_piece_gets_its_own_answer() -> None:
    """Batches do not mix files up, whatever is left out between them."""
    world = World()
    world.run([*music(*range(1, 10)), *music(10, ending="bad"), *music(*range(11, 40))])

    for number in range(1, 40):
        (embedding,) = world.store.embeddings([str(number).zfill(32)])
        if number in {10, 13}:
            assert embedding is None
        else:
            assert embedding is not None
            np.testing.assert_allclose(np.arctan2(embedding[1], embedding[0]), number / 100, rtol=1e-5)


def test_batches_are_full() -> None:
    """The network is asked for sixteen at a time, and the rest at the end."""
    world = World()
    world.run(music(*range(20, 60)))

    assert [16, 16, 8] == world.predictor.batches


def test_only_so_many_files_are_under_way() -> None:
    """What is read ahead is bounded, however many files there are: memory stays as it is."""
    world = World()
    ahead: list[int] = []

    def sources() -> Iterator[Source]:
        for file in music(*range(100, 400)):
            ahead.append(len(world.examiner.submitted) - world.counts.decoded)
            yield file

    world.run(sources())

    assert max(ahead) <= 32
    assert 300 == world.counts.added


def test_counts_are_of_files() -> None:
    """Added, updated, unchanged and failed add up to the files; a failure keeps its reason."""
    world = World()
    world.run([*music(1), *music(2, known=True), Unchanged(), *music(3, ending="bad"), Failure("/x", "R", "Why.")])

    counts = world.counts
    assert (1, 1, 1, 2, 2) == (counts.added, counts.updated, counts.unchanged, counts.failed, counts.decoded)
    assert 5 == counts.done
    assert ["R", "AUDIO_SILENT"] == [failure.reason for failure in counts.failures]
    assert world.shown > 0


def test_failures_are_written_down() -> None:
    """Every file that failed is kept as it was, however many; a folder that cannot be read is no file."""
    world = World()
    world.run([*music(13), *music(*range(100, 140), ending="bad"), Failure("/music", "FILE_UNREADABLE", "Why.")])

    kept = {failure.path: failure for failure in world.store.all_failures()}
    assert {"/music/13.wav", *(f"/music/{number}.bad" for number in range(100, 140))} == set(kept)
    silent = kept["/music/100.bad"]
    assert (100, 100, "AUDIO_SILENT", "Nothing can be heard.") == (
        silent.size,
        silent.mtime_ns,
        silent.reason,
        silent.detail,
    )
    assert "NOT_UNDERSTOOD" == kept["/music/13.wav"].reason


def test_the_same_audio_in_two_places_is_one_track() -> None:
    """Two files of one recording are one track with two paths."""
    same = "a" * 32
    world = World(ids={"1": same, "2": same})
    world.run(music(1, 2))

    assert 1 == world.store.count()
    assert [same, same] == [record.track_id for record in world.store.files(["/music/1.wav", "/music/2.wav"]) if record]


def test_an_answer_that_is_no_number_costs_one_file() -> None:
    """A vector that is not finite would poison the index: its file fails, and its batch goes on."""
    world = World()
    world.run(music(12, 13, 14))

    assert 2 == world.store.count()
    assert ["NOT_UNDERSTOOD"] == [failure.reason for failure in world.counts.failures]


def test_a_wish_to_stop_commits_what_was_heard() -> None:
    """After Ctrl-C the batch at hand is still committed, and the next files are not begun."""
    world = World()
    world.run([*music(*range(20, 24)), *music(3, ending="bad"), *music(*range(30, 90))], stop_after=1)

    assert world.store.count() == world.counts.added
    assert 4 <= world.counts.added < 64


def test_a_file_that_never_ends_does_not_keep_one_from_stopping() -> None:
    """A disk that does not answer can be left by Ctrl-C; what was heard before it is committed."""
    world = World()
    submit = world.examiner.submit

    def hang(path: Path) -> Future[Examined | Failure]:
        return Future() if path.stem == "2" else submit(path)

    world.examiner.submit = hang  # type: ignore[method-assign] # a disk like that is rare
    waited = itertools.count()
    with world.store.writer("model", "front end", 2) as writer:
        pipeline = Pipeline(world.examiner, world.predictor, writer, world.counts, lambda counts: None)
        pipeline.run(music(1, 2, 3), lambda: world.counts.decoded == 1 and next(waited) >= 3)

    assert 1 == world.store.count()
