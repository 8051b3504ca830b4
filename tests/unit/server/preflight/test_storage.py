from __future__ import annotations

from pathlib import Path

from segue.server.preflight.storage import check_temporary_folder
from tests.helpers.machine.disk import full_disk


def test_room_for_the_largest_clip(tmp_path: Path) -> None:
    """The temporary folder must have room for the largest clip that the operator allows in one message."""
    with full_disk(20 * 2**20):
        assert "ok" == check_temporary_folder(tmp_path, 16 * 2**20).level
        assert "fail" == check_temporary_folder(tmp_path, 256 * 2**20).level
