from __future__ import annotations

import threading
from pathlib import Path

from segue.indexer.watching.notifications import Notifications


def test_a_start_that_fails(tmp_path: Path) -> None:
    """It leaves no thread behind, and asks for a walk."""
    before = set(threading.enumerate())
    notifications = Notifications()
    notifications.restart([tmp_path / "missing"])
    assert before == set(threading.enumerate())
    assert notifications.take().is_incomplete


def test_a_start_that_fails_for_one_of_two_folders(tmp_path: Path) -> None:
    """It does not leave the thread of the other folder behind."""
    before = set(threading.enumerate())
    Notifications().restart([tmp_path, tmp_path / "missing"])
    assert before == set(threading.enumerate())


def test_a_folder_that_is_replaced(tmp_path: Path) -> None:
    """Its notifications end with it, so that they have to be started again."""
    folder = tmp_path / "music"
    folder.mkdir()
    notifications = Notifications()
    notifications.restart([folder])
    assert not notifications.take().is_incomplete
    folder.rmdir()
    folder.mkdir()
    assert notifications.wait(10)
    for thread in threading.enumerate():
        if type(thread).__name__ == "InotifyEmitter":
            thread.join(10)
    assert notifications.take().is_incomplete
    notifications.stop()
