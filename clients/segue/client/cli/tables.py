"""Tables for people.

They are drawn here because the libraries that fold columns and measure wide letters are half as large as the rest of
the client.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import click

from segue.client.cli.times import format_duration, format_moments
from segue.v1 import audio_pb2
from segue.v1.audio_pb2 import QualityFlag
from segue.v1.classification_service_pb2 import GenreScore, ScoredWindow
from segue.v1.recommendation_service_pb2 import Reason, Recommendation, TrackMoments
from segue.v1.revision_pb2 import Revision
from segue.v1.tag_pb2 import TagScore
from segue.v1.track_pb2 import Track

_QUALITY_SENTENCES = {
    audio_pb2.QUALITY_FLAG_SHORT: "The clip is short: only one 3 s window was analyzed.",
    audio_pb2.QUALITY_FLAG_CLIPPED: "The audio is clipped.",
    audio_pb2.QUALITY_FLAG_MOSTLY_SILENT: "Most of the clip is silent: only the rest was analyzed.",
    audio_pb2.QUALITY_FLAG_LOW_RATE: "The sample rate is low: the genres are less reliable.",
    audio_pb2.QUALITY_FLAG_TRUNCATED: "The end of the file is missing: only the part before it was analyzed.",
    audio_pb2.QUALITY_FLAG_DAMAGED: "Parts of the file are damaged: only the rest was analyzed.",
    audio_pb2.QUALITY_FLAG_LOW_BITRATE: "The bit rate is low: the genres are less reliable.",
    audio_pb2.QUALITY_FLAG_LOW_BIT_DEPTH: "The samples have few bits: the genres are less reliable.",
}
# Servers of earlier versions set it on nearly all music, which loses nothing by resampling.
_HARMLESS_FLAG = audio_pb2.QUALITY_FLAG_RESAMPLED
_LEAST_MISSING_SECONDS = 0.1
_BAR_WIDTH = 20
_SHOWN_TAGS = 10
_WIDE = 110  # leaves about 30 columns each for title and artist
_NARROW = 60  # below, a track is a block of lines
# Also in a pipe: one long title must not make every line as long.
_MAX_TEXT_WIDTHS = {"Title": 60, "Artist": 40, "Genre": 20}
_GAP = "   "
_FILLER = "\0"
_MIN_FOLDED_WIDTH = 8


@dataclass(frozen=True)
class Screen:
    """The terminal or file that tables are printed on.

    Attributes:
        width: width in columns.
        unicode: True if it can show line and block characters, False for ASCII alone.
    """

    width: int
    unicode: bool = True


def replace_control_characters(text: str) -> str:
    """Replaces characters that would move the cursor or end the line; anyone may write a title."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def length(track: Track) -> str:
    """Formats the length of a track as m:ss, or h:mm:ss from one hour on; empty if it is unknown."""
    return format_duration(track.duration) if track.HasField("duration") else ""


def genres(scores: Sequence[GenreScore], screen: Screen) -> str:
    """Lays out genres with a bar each, whose full length is a score of 1."""
    return _bars("Genre", [(score.genre, score.score) for score in scores], screen)


def tags(scores: Sequence[TagScore], screen: Screen) -> str:
    """Lays out the ten best tags with a bar each, whose full length is a score of 1."""
    return _bars("Tag", [(score.tag, score.score) for score in scores[:_SHOWN_TAGS]], screen)


def _bars(heading: str, scores: Sequence[tuple[str, float]], screen: Screen) -> str:
    block = "█" if screen.unicode else "#"
    bars = [block * round(score * _BAR_WIDTH) for _, score in scores]
    columns = {
        heading: [replace_control_characters(name) for name, _ in scores],
        "Score": [f"{score:.3f}" for _, score in scores],
        "": [bar and click.style(bar, "green") for bar in bars],
    }
    return _table(columns, screen, right_aligned=["Score"])


def timeline(windows: Sequence[ScoredWindow], screen: Screen) -> str:
    """Lays out windows, each with its best genre."""
    best = [window.scores[0] if window.scores else GenreScore() for window in windows]
    columns = {
        "From": [format_duration(window.start) for window in windows],
        "To": [format_duration(window.end) for window in windows],
        "Genre": [replace_control_characters(score.genre) for score in best],
        "Score": [f"{score.score:.3f}" for score in best],
    }
    return _table(columns, screen, right_aligned=["From", "To", "Score"])


def quality(flags: Iterable[QualityFlag.ValueType], missing_seconds: float = 0.0) -> list[str]:
    """Returns a sentence for each flag that makes a result less reliable; an unknown flag is named by its number.

    Args:
        flags: the flags.
        missing_seconds: seconds of the clip that cannot be decoded; they get a sentence from 0.1 s on.
    """
    sentences = [_QUALITY_SENTENCES.get(flag, f"Quality flag {flag}.") for flag in flags if flag != _HARMLESS_FLAG]
    if missing_seconds >= _LEAST_MISSING_SECONDS:
        sentences.append(f"{missing_seconds:,.1f} s of the audio are missing.")
    return [click.style(sentence, "yellow") for sentence in sentences]


def genre_unknown() -> str:
    """Returns the sentence for a clip that sounds unlike all genres of the model."""
    return click.style("It sounds unlike all of these genres, and may be of none of them.", "yellow")


def tracks(rows: Sequence[Recommendation], screen: Screen, *, ranked: bool) -> str:
    """Lays out tracks, one per line, with long texts cut; a narrow screen has a block for each track.

    Ids are never cut. A ranking leaves them out on a screen of less than 110 columns, so that each track fits a line.
    So it does with the numbers of copies, which it has only if there are any.
    """
    tracks = [row.track for row in rows]
    columns = {
        "#": [str(rank) for rank in range(1, len(rows) + 1)],
        "Track": [_track_block(track) for track in tracks],
        "Title": [track.title for track in tracks],
        "Artist": [track.artist for track in tracks],
        "Genre": [track.genre for track in tracks],
        "Length": [length(track) for track in tracks],
        "Similarity": [f"{row.similarity:.3f}" for row in rows],
        "Copies": [str(row.copies or "") for row in rows],
        "Track id": [track.track_id for track in tracks],
    }
    shown = {name: columns[name] for name in _shown_columns(screen.width, ranked) if any(columns[name])}
    right_aligned = ["#", "Length", "Similarity", "Copies"]
    if "Track" in shown:
        return _table(shown, screen, right_aligned=right_aligned, folded=["Track"], spaced=True)
    shown = {name: [_clean(cell, screen, _MAX_TEXT_WIDTHS.get(name)) for cell in shown[name]] for name in shown}
    return _table(shown, screen, right_aligned=right_aligned, cut=[*_MAX_TEXT_WIDTHS])


def reasons(rows: Sequence[Reason], moments: Sequence[TrackMoments], screen: Screen) -> str:
    """Lays out why each track of a ranking is recommended; seeds are counted from 1 on, as on the command line."""
    columns = {
        "#": [str(rank) for rank in range(1, len(rows) + 1)],
        "Seed": [str(row.seed + 1) for row in rows],
        "Similarity": [f"{row.similarity:.3f}" for row in rows],
        # A genre may also be a tag.
        "In common": [", ".join(dict.fromkeys(filter(None, [row.genre, *row.tags]))) for row in rows],
    }
    if any(track.moments for track in moments):
        columns["Moments"] = list(map(format_moments, moments))
    cells = {name: [_clean(cell, screen, None) for cell in column] for name, column in columns.items()}
    return "\n" + _table(cells, screen, right_aligned=["#", "Seed", "Similarity"], cut=["In common"])


def _shown_columns(width: int, ranked: bool) -> list[str]:
    if width < _NARROW:
        return ["#", "Track", "Similarity"] if ranked else ["Track"]
    if width < _WIDE:
        return ["#", "Title", "Artist", "Genre", "Similarity"] if ranked else ["Title", "Artist", "Track id"]
    similarity = ["Similarity", "Copies"] if ranked else []
    return [*(["#"] if ranked else []), "Title", "Artist", "Genre", "Length", *similarity, "Track id"]


def _clean(text: str, screen: Screen, max_width: int | None) -> str:
    return _cut(replace_control_characters(text), max_width or screen.width, screen)


def count(shown: int, total: int) -> str:
    """Formats the number of tracks that are shown, with the total number if that is another."""
    noun = "track" if total == 1 else "tracks"
    text = f"{total:,} {noun}" if shown == total else f"{shown:,} of {total:,} {noun}; --limit N shows more"
    return click.style(text, dim=True)


def properties(screen: Screen, *pairs: tuple[str, str]) -> str:
    """Lays out names and values, except empty values."""
    shown = [(name, replace_control_characters(value)) for name, value in pairs if value]
    name_width = max((len(name) for name, _ in shown), default=0)
    widths = [name_width, max(screen.width - name_width - 2, _MIN_FOLDED_WIDTH)]
    rows = [_row([click.style(name, dim=True), value], widths, gap="  ") for name, value in shown]
    return "\n".join(line for row in rows for line in row)


def revision(revision: Revision, screen: Screen) -> str:
    """Formats the model and the catalogue revision of a response, in one line if the screen is wide enough."""
    line = f"{replace_control_characters(revision.model_id)}, catalogue revision {revision.catalogue_revision}"
    return click.style("\n".join(_fold(line, screen.width)), dim=True)


def _track_block(track: Track) -> str:
    known = [value for value in (track.artist, track.genre, length(track)) if value]
    return "\n".join(replace_control_characters(line) for line in (track.title, ", ".join(known), track.track_id))


def _table(
    columns: Mapping[str, Sequence[str]],
    screen: Screen,
    *,
    right_aligned: Sequence[str],
    folded: Sequence[str] = (),
    cut: Sequence[str] = (),
    spaced: bool = False,
) -> str:
    """Lays out columns under their headings.

    Args:
        columns: the cells of each column, by its heading.
        screen: the screen to fit the table to.
        right_aligned: the headings of right-aligned columns.
        folded: the headings of columns that may be folded to fit.
        cut: the headings of columns that may be cut to fit.
        spaced: True for an empty line between rows.
    """
    widths = _column_widths(columns, screen.width, [*folded, *cut])
    columns = {
        name: [_cut(cell, width, screen) for cell in columns[name]] if name in cut else columns[name]
        for name, width in zip(columns, widths, strict=True)
    }
    alignments = [name in right_aligned for name in columns]
    heading = _row([click.style(name, bold=True) if name else "" for name in columns], widths, alignments)
    rule = ("─" if screen.unicode else "-") * (sum(widths) + len(_GAP) * (len(widths) - 1))
    rows = ["\n".join(_row(cells, widths, alignments)) for cells in zip(*columns.values(), strict=True)]
    return "\n".join([*heading, rule, ("\n\n" if spaced else "\n").join(rows)]).rstrip("\n")


def _column_widths(columns: Mapping[str, Sequence[str]], max_width: int, flexible: Sequence[str]) -> list[int]:
    """Returns the width of each column; the widest of the flexible columns are narrowed until all fit."""
    widths = {
        name: max(_text_width(line) for cell in (name, *cells) for line in cell.split("\n"))
        for name, cells in columns.items()
    }
    while sum(widths.values()) + len(_GAP) * (len(widths) - 1) > max_width:
        widest = max(set(flexible) & widths.keys(), key=lambda name: widths[name], default=None)
        if widest is None or widths[widest] <= _MIN_FOLDED_WIDTH:
            break
        widths[widest] -= 1
    return list(widths.values())


def _row(cells: Sequence[str], widths: Sequence[int], right_aligned: Sequence[bool] = (), gap: str = _GAP) -> list[str]:
    """Lays out the cells of one row, folded to the widths of their columns."""
    stacks = [_fold(cell, width) for cell, width in zip(cells, widths, strict=True)]
    alignments = right_aligned or [False] * len(cells)
    return [
        gap.join(_pad(*cell) for cell in zip(line, widths, alignments, strict=True)).rstrip()
        for line in zip_longest(*stacks, fillvalue="")
    ]


def _fold(cell: str, width: int) -> list[str]:
    return [
        part for line in cell.split("\n") for part in ([line] if _text_width(line) <= width else _wrap(line, width))
    ]


def _cut(text: str, width: int, screen: Screen) -> str:
    """Returns a text of at most a width, with an ellipsis at its end if letters are missing."""
    if _text_width(text) <= width:
        return text
    ellipsis = "…" if screen.unicode else "..."
    text = text[: 4 * width]  # a letter may have combining marks, which have no width
    while _text_width(text) > width - len(ellipsis):
        text = text[:-1]
    return text.rstrip() + ellipsis


def _wrap(line: str, width: int) -> list[str]:
    """Breaks a line at its spaces; a filler after each wide letter makes textwrap count it twice."""
    filled = "".join(letter + _FILLER * (_text_width(letter) - 1) for letter in line)
    return [part.replace(_FILLER, "") for part in textwrap.wrap(filled, width)]


def _pad(text: str, width: int, right_aligned: bool) -> str:
    space = " " * (width - _text_width(text))
    return space + text if right_aligned else text + space


def _text_width(text: str) -> int:
    """Returns the columns that text needs: two for wide East Asian letters, none for combining marks."""
    return sum(
        2 if unicodedata.east_asian_width(letter) in "WF" else not unicodedata.combining(letter)
        for letter in click.unstyle(text)
    )
