"""The tables that the command prints for people.

No library draws them: those that fold columns and know wide letters weigh as much as half of the client without them.
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import click
from google.protobuf.duration_pb2 import Duration

from segue.v1 import audio_pb2
from segue.v1.audio_pb2 import QualityFlag
from segue.v1.classification_service_pb2 import GenreScore, ScoredWindow
from segue.v1.recommendation_service_pb2 import Recommendation
from segue.v1.revision_pb2 import Revision
from segue.v1.track_pb2 import Track

_FLAWS = {
    audio_pb2.QUALITY_FLAG_SHORT: "Only one window of 3 s was heard.",
    audio_pb2.QUALITY_FLAG_CLIPPED: "The sound is clipped.",
    audio_pb2.QUALITY_FLAG_MOSTLY_SILENT: "Most of it is silent.",
    audio_pb2.QUALITY_FLAG_LOW_RATE: "The sample rate is low: the genres are less to be trusted.",
    audio_pb2.QUALITY_FLAG_TRUNCATED: "The file was cut off: only what is left was heard.",
}
# Nearly all music is recorded at a higher rate than networks hear.
_HARMLESS = audio_pb2.QUALITY_FLAG_RESAMPLED
_BAR_WIDTH = 20
_WIDE = 110  # leaves a title and an artist some 30 columns beside the rest
_GAP = "   "
_FILLER = "\0"
_NARROWEST = 8  # a column is never folded to less


@dataclass(frozen=True)
class Screen:
    """What is printed on.

    Attributes:
        width: in columns.
        drawn: whether it shows lines and blocks, and not ASCII alone.
    """

    width: int
    drawn: bool = True


def printable(text: str) -> str:
    """Replaces what would move the cursor or end the line: titles are written by strangers."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def length(track: Track) -> str:
    """Writes how long a track plays as m:ss, or h:mm:ss from an hour on, or nothing where it is not known."""
    return _clock(track.duration) if track.HasField("duration") else ""


def _clock(place: Duration) -> str:
    minutes, seconds = divmod(round(place.ToTimedelta().total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def genres(scores: Sequence[GenreScore], screen: Screen) -> str:
    """Lays out genres with a bar each, whose full length is a score of 1."""
    block = "█" if screen.drawn else "#"
    bars = [block * round(score.score * _BAR_WIDTH) for score in scores]
    columns = {
        "Genre": [printable(score.genre) for score in scores],
        "Score": [f"{score.score:.3f}" for score in scores],
        "": [bar and click.style(bar, "green") for bar in bars],
    }
    return _table(columns, screen, right=["Score"])


def timeline(windows: Sequence[ScoredWindow], screen: Screen) -> str:
    """Lays out the windows that were heard, each with the best genre of its own."""
    best = [window.scores[0] if window.scores else GenreScore() for window in windows]
    columns = {
        "From": [_clock(window.start) for window in windows],
        "To": [_clock(window.end) for window in windows],
        "Genre": [printable(score.genre) for score in best],
        "Score": [f"{score.score:.3f}" for score in best],
    }
    return _table(columns, screen, right=["From", "To", "Score"])


def flaws(flags: Iterable[QualityFlag.ValueType]) -> list[str]:
    """Says in a line each what makes an answer less to be trusted; a flag newer than this client, by its number."""
    told = [_FLAWS.get(flag, f"Quality flag {flag}.") for flag in flags if flag != _HARMLESS]
    return [click.style(line, "yellow") for line in told]


def tracks(rows: Sequence[Recommendation], screen: Screen, *, ranked: bool) -> str:
    """Lays out tracks, with their ids whole: a line each where the screen is wide enough, else a block each."""
    ranks = {"#": [str(rank) for rank in range(1, len(rows) + 1)]} if ranked else {}
    similarities = {"Similarity": [f"{row.similarity:.3f}" for row in rows]} if ranked else {}
    found = [row.track for row in rows]
    right = ["#", "Length", "Similarity"]
    if screen.width < _WIDE:
        blocks = ranks | {"Track": [_block(track) for track in found]} | similarities
        return _table(blocks, screen, right=right, folded=["Track"], apart=True)
    columns = {
        **ranks,
        "Title": [printable(track.title) for track in found],
        "Artist": [printable(track.artist) for track in found],
        "Genre": [printable(track.genre) for track in found],
        "Length": [length(track) for track in found],
        **similarities,
        "Track id": [printable(track.track_id) for track in found],
    }
    return _table(columns, screen, right=right, folded=["Title", "Artist", "Genre"])


def facts(screen: Screen, *pairs: tuple[str, str]) -> str:
    """Lays out names and values, without those that have no value."""
    known = [(name, printable(value)) for name, value in pairs if value]
    names = max((len(name) for name, _ in known), default=0)
    widths = [names, max(screen.width - names - 2, _NARROWEST)]
    rows = [_row([click.style(name, dim=True), value], widths, gap="  ") for name, value in known]
    return "\n".join(line for row in rows for line in row)


def revision(answer: Revision, screen: Screen) -> str:
    """Says what produced an answer, in one line where the screen is wide enough."""
    line = f"{printable(answer.model_id)}, catalogue revision {answer.catalogue_revision}"
    return click.style("\n".join(_fold(line, screen.width)), dim=True)


def _block(track: Track) -> str:
    known = [fact for fact in (track.artist, track.genre, length(track)) if fact]
    return "\n".join(printable(line) for line in (track.title, ", ".join(known), track.track_id))


def _table(
    columns: Mapping[str, Sequence[str]],
    screen: Screen,
    *,
    right: Sequence[str],
    folded: Sequence[str] = (),
    apart: bool = False,
) -> str:
    """Lays out columns by their headings, some of them ranged right or folded where they are too wide together."""
    widths = _widths(columns, screen.width, folded)
    sides = [name in right for name in columns]
    heading = _row([click.style(name, bold=True) if name else "" for name in columns], widths, sides)
    rule = ("─" if screen.drawn else "-") * (sum(widths) + len(_GAP) * (len(widths) - 1))
    rows = ["\n".join(_row(cells, widths, sides)) for cells in zip(*columns.values(), strict=True)]
    return "\n".join([*heading, rule, ("\n\n" if apart else "\n").join(rows)]).rstrip("\n")


def _widths(columns: Mapping[str, Sequence[str]], width: int, folded: Sequence[str]) -> list[int]:
    """How wide each column is when those that may be folded are narrowed, the widest first, until all fit."""
    widths = {
        name: max(_columns(line) for cell in (name, *cells) for line in cell.split("\n"))
        for name, cells in columns.items()
    }
    while sum(widths.values()) + len(_GAP) * (len(widths) - 1) > width:
        widest = max(folded, key=lambda name: widths[name], default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return list(widths.values())


def _row(cells: Sequence[str], widths: Sequence[int], sides: Sequence[bool] = (), gap: str = _GAP) -> list[str]:
    """Sets cells side by side, in as many lines as the highest has; ``sides`` says which are ranged right."""
    stacks = [_fold(cell, width) for cell, width in zip(cells, widths, strict=True)]
    ranged = sides or [False] * len(cells)
    return [
        gap.join(_pad(*cell) for cell in zip(line, widths, ranged, strict=True)).rstrip()
        for line in zip_longest(*stacks, fillvalue="")
    ]


def _fold(cell: str, width: int) -> list[str]:
    return [part for line in cell.split("\n") for part in ([line] if _columns(line) <= width else _wrap(line, width))]


def _wrap(line: str, width: int) -> list[str]:
    """Breaks a line at its spaces, counting wide letters by a filler behind each."""
    wide = "".join(letter + _FILLER * (_columns(letter) - 1) for letter in line)
    return [part.replace(_FILLER, "") for part in textwrap.wrap(wide, width)]


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - _columns(text))
    return space + text if right else text + space


def _columns(text: str) -> int:
    """How many columns text takes on a screen: letters of East Asia two, marks above or below a letter none."""
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter)
        for letter in click.unstyle(text)
    )
