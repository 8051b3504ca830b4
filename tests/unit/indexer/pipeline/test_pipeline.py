from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np

from segue.core.catalogue.records import Track
from segue.core.catalogue.tag_scores import pack_tag_scores
from segue.core.features.windows import Windows
from segue.core.model.trained_model import Prediction
from segue.core.testing.memory_store import MemoryStore
from segue.indexer.pipeline.pipeline import Pipeline, Result
from segue.indexer.pipeline.records import Examined, Failure, Missing, MusicFile, SameAudio, Source, Tags, Unchanged
from segue.indexer.pipeline.run_counts import RunCounts


class FakeExaminer:
    """Examines a file at once: its only window is full of the number that is the file's name."""

    def __init__(self, ids: dict[str, str] | None = None, hanging: str = "") -> None:
        """Creates an examiner.

        Args:
            ids: track ids by the number of the file; others are the number itself.
            hanging: number of a file that is never finished.
        """
        self.ids = ids or {}
        self.hanging = hanging
        self.submitted: list[str] = []
        self.jobs = 2

    def submit(self, file: MusicFile) -> Future[Result]:
        """Returns a future that is done, unless the file hangs."""
        path, future = file.path, Future[Result]()
        self.submitted.append(path.stem)
        if path.suffix == ".bad":
            future.set_result(Failure(str(path), "AUDIO_SILENT", "It is silent."))
        elif file.expected_id:
            future.set_result(SameAudio(Tags("New title")))
        elif path.stem != self.hanging:
            windows = Windows(np.full((1, 2, 2), float(path.stem), np.float32), np.zeros(1))
            future.set_result(
                Examined(
                    self.ids.get(path.stem, path.stem.zfill(32)), windows, 4.0, Tags(genre="polka", genres=("polka",))
                )
            )
        return future


class FakePredictor:
    """Returns an embedding whose angle is the file's number; that of number 13 is not a number."""

    labels = ("blues", "rock")
    tags = ("80s", "sad")

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict(self, clips: Sequence[Windows]) -> list[Prediction]:
        """Returns the predictions in the order of the clips."""
        self.batches.append(len(clips))
        return [self._predict(float(clip.values[0, 0, 0])) for clip in clips]

    @staticmethod
    def _predict(number: float) -> Prediction:
        angle = np.nan if number == 13 else number / 100
        embedding = np.array([np.cos(angle), np.sin(angle)], np.float32)
        posterior, tags = np.array([0.25, 0.75], np.float32), np.array([1.0, 0.2], np.float32)
        return Prediction(posterior, embedding, np.zeros((1, 2), np.float32), tag_scores=tags)


class World:
    """A pipeline over fakes, and a catalogue in memory."""

    def __init__(self, ids: dict[str, str] | None = None, hanging: str = "") -> None:
        self.examiner, self.predictor, self.store = FakeExaminer(ids, hanging), FakePredictor(), MemoryStore()
        self.counts, self.shown = RunCounts(), 0

    def run(self, sources: Iterable[Source], stopped: Callable[[], bool] = lambda: False) -> list[str]:
        """Runs until the sources end or until ``stopped``, and returns the missing files."""
        with self.store.writer("model", "front end", 2) as writer:
            pipeline = Pipeline(self.examiner, self.predictor, self.store, writer, self.counts, self._show)
            return pipeline.run(sources, stopped)

    def track(self, name: str) -> Track:
        """Returns the track of the file with this number."""
        (track,) = self.store.get([name.zfill(32)])
        assert track is not None
        return track

    def _show(self, counts: RunCounts) -> None:
        assert counts is self.counts
        self.shown += 1


def music(*numbers: int, known: bool = False, ending: str = "wav") -> list[MusicFile]:
    """Returns files with these numbers."""
    return [MusicFile(Path(f"/music/{number}.{ending}"), number, number, known) for number in numbers]


def test_files_become_tracks() -> None:
    """A track has its posterior, its most probable genre, tags and path; its file's size and time are recorded."""
    world = World()
    world.run(music(7))

    expected = Track(
        track_id="7".zfill(32),
        title="7",
        genre="rock",
        tagged_genre="polka",
        tagged_genres=("polka",),
        seconds=4.0,
        path="/music/7.wav",
        posterior={"blues": 0.25, "rock": 0.75},
        tag_scores=pack_tag_scores(np.array([1.0, 0.2], np.float32), ("80s", "sad")),
    )
    assert expected == world.track("7")
    (record,) = world.store.files(["/music/7.wav"])
    assert record is not None
    assert (7, 7) == (record.size, record.mtime_ns)


def test_every_file_gets_its_own_prediction() -> None:
    """Batches do not mix files up, even when files between them fail."""
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
    """The model predicts sixteen files at a time, and the rest at the end."""
    world = World()
    world.run(music(*range(20, 60)))

    assert [16, 16, 8] == world.predictor.batches


def test_the_number_of_files_in_flight_is_bounded() -> None:
    """However many files there are, only so many are examined ahead, so memory does not grow."""
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
    """Added, updated, unchanged and failed add up to the number of files; a failure keeps its reason."""
    world = World()
    world.run([*music(1), *music(2, known=True), Unchanged(), *music(3, ending="bad"), Failure("/x", "R", "Cause.")])

    counts = world.counts
    assert (1, 1, 1, 2, 2) == (counts.added, counts.updated, counts.unchanged, counts.failed, counts.decoded)
    assert 5 == counts.done
    assert ["R", "AUDIO_SILENT"] == [failure.reason for failure in counts.failures]
    assert world.shown > 0


def test_failures_are_recorded() -> None:
    """Each failed file is recorded with its size and time, however many; a folder that cannot be read is not."""
    world = World()
    world.run([*music(13), *music(*range(100, 140), ending="bad"), Failure("/music", "FILE_UNREADABLE", "Cause.")])

    recorded = {failure.path: failure for failure in world.store.all_failures()}
    assert {"/music/13.wav", *(f"/music/{number}.bad" for number in range(100, 140))} == set(recorded)
    silent = recorded["/music/100.bad"]
    assert (100, 100, "AUDIO_SILENT", "It is silent.") == (
        silent.size,
        silent.mtime_ns,
        silent.reason,
        silent.detail,
    )
    assert "EMBEDDING_UNUSABLE" == recorded["/music/13.wav"].reason


def test_the_same_audio_in_two_places_is_one_track() -> None:
    """Two files with the same audio are one track with two paths."""
    same = "a" * 32
    world = World(ids={"1": same, "2": same})
    world.run(music(1, 2))

    assert 1 == world.store.count()
    assert [same, same] == [record.track_id for record in world.store.files(["/music/1.wav", "/music/2.wav"]) if record]


def test_a_bad_embedding_costs_one_file() -> None:
    """A vector that is not finite would spoil the index: its file fails, and the rest of its batch is committed."""
    world = World()
    world.run(music(12, 13, 14))

    assert 2 == world.store.count()
    assert ["EMBEDDING_UNUSABLE"] == [failure.reason for failure in world.counts.failures]


def test_a_file_with_the_same_audio_gets_its_tags() -> None:
    """Its track keeps all that comes from the audio; a file whose track is lost is decoded."""
    world = World()
    world.run(music(1))
    before = world.track("1")
    files = [*music(1, known=True), *music(2)]
    world.run([replace(file, expected_id=file.path.stem.zfill(32)) for file in files])

    assert replace(before, title="New title", tagged_genre="", tagged_genres=()) == world.track("1")
    assert (1, 1, 2) == (world.counts.rechecked, world.counts.updated, world.counts.added)
    assert ["1", "1", "2", "2"] == world.examiner.submitted


def test_missing_files_are_returned() -> None:
    """They are neither examined nor counted, since only the command knows what to do with them."""
    world = World()

    assert ["/music/gone.wav"] == world.run([*music(1), Missing("/music/gone.wav")])
    assert (1, ["1"]) == (world.counts.done, world.examiner.submitted)


def test_a_stop_commits_the_batch_at_hand() -> None:
    """After Ctrl-C the examined files are committed, and no other file is started."""
    world = World()
    sources = [*music(*range(20, 24)), *music(3, ending="bad"), *music(*range(30, 90))]
    world.run(sources, lambda: world.counts.done >= 1)

    assert world.store.count() == world.counts.added
    assert 4 <= world.counts.added < 64


def test_a_file_that_hangs_does_not_prevent_a_stop() -> None:
    """While a disk does not answer, Ctrl-C still works, and the files before are committed."""
    world = World(hanging="2")
    waits = itertools.count()
    world.run(music(1, 2, 3), lambda: world.counts.decoded == 1 and next(waits) >= 3)

    assert 1 == world.store.count()
