"""Runs ``segue-trainer tag``."""

from __future__ import annotations

from segue.core.quantities import quantity
from segue.trainer import console
from segue.trainer.accurate.tag_folder import tag_folder
from segue.trainer.accurate.tags import genre_of, save_tags
from segue.trainer.accurate.weights import read_backbone
from segue.trainer.data.dataset import check_genres
from segue.trainer.outputs import check_writable
from segue.trainer.settings import TagSettings


def tag(settings: TagSettings) -> None:
    """Assigns tags to the tracks of a folder, and writes the file of tags.

    Raises:
        SegueError: the backbone or the folder cannot be used, or a genre has no clip that can.
    """
    check_writable(settings.output)
    backbone = read_backbone(settings.backbone)
    with console.progress_bar("tagging tracks") as progress:
        tracks, dropped = tag_folder(settings.source, backbone, progress)
    console.notify_dropped(dropped)
    check_genres(map(genre_of, dropped), (track.genre for track in tracks))
    save_tags(settings.output, tracks)
    console.notify(f"the tags of {quantity(len(tracks), 'track')} are in {settings.output}")
