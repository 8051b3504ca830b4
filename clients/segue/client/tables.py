"""The tables that the command prints for people."""

from collections.abc import Iterable, Sequence

from google.protobuf.duration_pb2 import Duration
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

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


def genres(scores: Sequence[GenreScore], console: Console) -> Table:
    """Lays out genres with a bar each, whose full length is a score of 1."""
    table = _table()
    table.add_column("Genre")
    table.add_column("Score", justify="right")
    table.add_column("", no_wrap=True)
    block = "█" if console.encoding.startswith("utf") else "#"
    for score in scores:
        bar = block * round(score.score * _BAR_WIDTH)
        table.add_row(_text(score.genre), f"{score.score:.3f}", Text(bar, "green"))
    return table


def timeline(windows: Sequence[ScoredWindow]) -> Table:
    """Lays out the windows that were heard, each with the best genre of its own."""
    table = _table()
    for name in ("From", "To"):
        table.add_column(name, justify="right")
    table.add_column("Genre")
    table.add_column("Score", justify="right")
    for window in windows:
        best = window.scores[0] if window.scores else GenreScore()
        table.add_row(_clock(window.start), _clock(window.end), _text(best.genre), f"{best.score:.3f}")
    return table


def flaws(flags: Iterable[QualityFlag.ValueType]) -> list[Text]:
    """Says in a line each what makes an answer less to be trusted; a flag newer than this client, by its number."""
    return [Text(_FLAWS.get(flag, f"Quality flag {flag}."), "yellow") for flag in flags if flag != _HARMLESS]


def tracks(rows: Sequence[Recommendation], console: Console, *, ranked: bool) -> Table:
    """Lays out tracks, with their ids whole: a line each where the console is wide enough, else a block each."""
    wide = console.width >= _WIDE
    table = _track_table(wide=wide, ranked=ranked)
    for rank, row in enumerate(rows, 1):
        before, after = _line(row.track) if wide else _block(row.track)
        cells = [str(rank), *before, f"{row.similarity:.3f}"] if ranked else before
        table.add_row(*cells, *after)
    return table


def facts(*pairs: tuple[str, str]) -> Table:
    """Lays out names and values, without those that have no value."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value:
            grid.add_row(name, _text(value))
    return grid


def revision(answer: Revision) -> Text:
    """Says in one line what produced an answer."""
    return Text(f"{printable(answer.model_id)}, catalogue revision {answer.catalogue_revision}", "dim")


def _track_table(*, wide: bool, ranked: bool) -> Table:
    table = _table(leading=0 if wide else 1)
    if ranked:
        table.add_column("#", justify="right", no_wrap=True)
    for name in ("Title", "Artist", "Genre") if wide else ("Track",):
        table.add_column(name, overflow="fold")
    if wide:
        table.add_column("Length", justify="right", no_wrap=True)
    if ranked:
        table.add_column("Similarity", justify="right", no_wrap=True)
    if wide:
        table.add_column("Track id", no_wrap=True)
    return table


def _line(track: Track) -> tuple[list[RenderableType], list[RenderableType]]:
    """Makes the cells before and after the similarity."""
    before: list[RenderableType] = [_text(track.title), _text(track.artist), _text(track.genre), length(track)]
    return before, [_text(track.track_id)]


def _block(track: Track) -> tuple[list[RenderableType], list[RenderableType]]:
    known = [fact for fact in (track.artist, track.genre, length(track)) if fact]
    lines = [_text(track.title), _text(", ".join(known)), Text(printable(track.track_id), "dim")]
    return [Text("\n").join(lines)], []


def _table(leading: int = 0) -> Table:
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, leading=leading)


def _text(value: str) -> Text:
    """Makes text that is printed as it is; a bracket in a title is no markup."""
    return Text(printable(value))
