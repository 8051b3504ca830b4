"""Prints suggestions: a table for people, one JSON document for programs, or paths alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from segue.trainer.console import replace_control_characters

# Wider than any path, so that each clip is one line in a pipe.
_PIPE_WIDTH = 10_000
_CAPTION = "margin: by how much the two genres differ; similarity: cosine with the most similar clip above"


@dataclass(frozen=True)
class SuggestedClip:
    """A clip to label.

    Attributes:
        path: path of the file.
        genres: its two best genres, each with its probability.
        margin: difference of the two, in [0, 1].
        similarity: cosine with the most similar clip above it, in [-1, 1]; None for the first.
    """

    path: Path
    genres: tuple[tuple[str, float], ...]
    margin: float
    similarity: float | None

    @property
    def why(self) -> str:
        """The reason for the suggestion."""
        if self.similarity is None:
            return f"margin {self.margin:.2f}, the smallest"
        return f"margin {self.margin:.2f}, similarity {self.similarity:.2f}"


def print_table(clips: Sequence[SuggestedClip], title: str) -> None:
    """Prints the clips as a table on standard output."""
    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    table = Table(title=Text(replace_control_characters(title)), caption=_CAPTION, title_justify="left")
    for name, justify in (("#", "right"), ("file", "left"), ("genres", "left"), ("why", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for number, clip in enumerate(clips, 1):
        genres = ", ".join(f"{genre} {score:.2f}" for genre, score in clip.genres)
        cells = (str(number), str(clip.path), genres, clip.why)
        table.add_row(*(Text(replace_control_characters(cell)) for cell in cells))
    with console.capture() as text:  # printing would end the program if the reader of the output is gone
        console.print(table)
    click.echo(text.get(), nl=False)


def print_json(clips: Sequence[SuggestedClip], model_id: str, files: int, left_out: Mapping[Path, str]) -> None:
    """Prints one JSON document.

    Args:
        clips: the suggestions.
        model_id: id of the model that predicted the clips.
        files: number of files that the clips were chosen from.
        left_out: the reason why each other file cannot be used, by its path.
    """
    document = {
        "model_id": model_id,
        "files": files,
        "suggestions": [_json_of(clip) for clip in clips],
        "left_out": [{"path": str(path), "reason": reason} for path, reason in left_out.items()],
    }
    click.echo(json.dumps(document, indent=2))


def print_paths(clips: Sequence[SuggestedClip], end: str) -> None:
    """Prints the paths with the bytes of the files' names, each followed by ``end``."""
    paths = [os.fsencode(clip.path) for clip in clips]
    click.echo(b"".join(path + end.encode() for path in paths), nl=False)
    if any(end.encode() in path for path in paths):
        click.echo("segue-trainer: a path has a line break: use --print0.", err=True)


def _json_of(clip: SuggestedClip) -> dict[str, Any]:
    return {
        "path": str(clip.path),
        "genres": [{"genre": genre, "score": score} for genre, score in clip.genres],
        "margin": clip.margin,
        "similarity": clip.similarity,
        "why": clip.why,
    }
