"""Analyzes renditions of real clips in all formats: ``python -m tests.corpus.renditions FOLDER [--clips N]``.

Writes each clip with ffmpeg and SoX in the ways of ``tests.corpus.recipes``, analyzes each rendition with the default
model, and compares length and genre with those of the clip. Then lists what is refused without ffmpeg. Exits with 1 if
a rendition is refused or has another length, if fewer than 98 % of the good ones have the genre of the clip, or if a
low rate, bit rate or depth is not flagged. Needs ffmpeg and SoX on the PATH.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from segue.core.audio.fidelity import LEAST_BITS, LEAST_KBITS
from segue.core.errors import AudioError
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.paths import default_model
from tests.corpus.outcomes import Outcome, analyze_renditions, refusals_without_ffmpeg
from tests.corpus.recipes import LEAST_RATE, RECIPES, Recipe
from tests.corpus.rendering import write_cover

_LEAST_SHARE = 0.98
_ENDINGS = {".flac", ".wav", ".aiff", ".mp3"}


def choose_clips(folder: Path, count: int) -> list[Path]:
    """Returns clips of a folder, as many as possible from different subfolders."""
    groups: dict[Path, list[Path]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix in _ENDINGS):
        groups.setdefault(path.parent, []).append(path)
    ranked = sorted((rank, path) for group in groups.values() for rank, path in enumerate(group))
    return [path for _, path in ranked[:count]]


def report(outcomes: list[Outcome]) -> Iterator[str]:
    """Yields the lines of the report."""
    good = [outcome for outcome in outcomes if outcome.recipe.is_good]
    rest = [outcome for outcome in outcomes if not outcome.recipe.is_good]
    refused = sum(isinstance(outcome.actual, AudioError) for outcome in outcomes)
    yield f"analyzed: {len(outcomes) - refused} of {len(outcomes)} renditions"
    yield f"greatest difference in length: {max(abs(outcome.late) for outcome in outcomes):.3f} s"
    yield f"same genre, {LEAST_RATE:,} Hz, {LEAST_BITS} bit, {LEAST_KBITS} kbit/s or more: {_share(good)}"
    yield f"same genre, below that, all flagged: {_share(rest)}"
    yield from _list("refused, with another length, without its title or with wrong flags", failures(outcomes))
    yield from _list("another genre", [str(outcome) for outcome in outcomes if not outcome.is_same_genre])


def failures(outcomes: list[Outcome]) -> list[str]:
    """Returns a line for each rendition that was not analyzed as it should be."""
    return [f"{outcome}: {problem}" for outcome in outcomes if (problem := outcome.problem())]


def genre_share(outcomes: list[Outcome]) -> float:
    """Returns the share of the outcomes with the genre of the clip; 1 if there are none."""
    return sum(outcome.is_same_genre for outcome in outcomes) / len(outcomes) if outcomes else 1.0


def _share(outcomes: list[Outcome]) -> str:
    same = sum(outcome.is_same_genre for outcome in outcomes)
    return f"{same} of {len(outcomes)}, {100 * genre_share(outcomes):.1f} %"


def _list(title: str, lines: list[str]) -> Iterator[str]:
    yield f"\n{title}: {len(lines)}"
    yield from (f"  {line}" for line in lines)


def measure(clips: list[Path], model: Model, recipes: tuple[Recipe, ...] = RECIPES) -> list[Outcome]:
    """Returns the outcome of each rendition of each clip."""
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as scratch:
        cover = write_cover(Path(scratch) / "cover.png")
        for number, clip in enumerate(clips, 1):
            # Half of the clips are given as bytes, which have no ending that could help.
            found = list(analyze_renditions(clip, recipes, cover, model, as_bytes=number % 2 == 0))
            outcomes += found
            other = [str(outcome) for outcome in found if not outcome.is_same_genre]
            click.echo("\n  ".join([f"{number}/{len(clips)} {clip.name}", *failures(found), *other]), err=True)
    return outcomes


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--clips", "count", type=click.IntRange(min=1), default=12, show_default=True, help="Number of clips.")
def main(folder: Path, count: int) -> None:
    """Prints the report, and exits with 1 if it is bad."""
    clips = choose_clips(folder, count)
    if not clips:
        raise click.ClickException(f"{folder} has no {', '.join(sorted(_ENDINGS))} files. Name a folder of clips.")
    model = load_model(default_model())
    outcomes = measure(clips, model)
    refusals = list(refusals_without_ffmpeg(clips[0], RECIPES, model))
    lines = [*report(outcomes), *_list("refused without ffmpeg", refusals)]
    click.echo("\n".join(lines))
    good = [outcome for outcome in outcomes if outcome.recipe.is_good]
    sys.exit(bool(failures(outcomes)) or genre_share(good) < _LEAST_SHARE)


if __name__ == "__main__":
    main()
