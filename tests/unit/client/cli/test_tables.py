from __future__ import annotations

import io

import click
import pytest
from google.protobuf.duration_pb2 import Duration

from segue.client.cli import tables
from segue.client.cli.output import TableOutput
from segue.v1.audio_pb2 import QUALITY_FLAG_RESAMPLED, QUALITY_FLAG_UNSPECIFIED, QualityFlag
from segue.v1.classification_service_pb2 import ClassifyResponse, GenreScore
from segue.v1.recommendation_service_pb2 import Moment, Reason, Recommendation, RecommendResponse, TrackMoments
from segue.v1.revision_pb2 import Revision
from segue.v1.track_pb2 import Track

TRACK_ID = "0123456789abcdef0123456789abcdef"
RANKING = RecommendResponse(
    recommendations=[
        Recommendation(
            track=Track(
                track_id=TRACK_ID,
                title="A [bold]title[/] that goes on and on, as the titles of classical works and their parts do",
                artist="Orchestra",
                genre="classical",
                duration=Duration(seconds=185),
            ),
            similarity=0.8125,
            copies=12,
        )
    ],
    revision=Revision(model_id="segue-fast-1a2b3c4d", catalogue_revision=12),
)


def screen(width: int, encoding: str = "utf-8") -> tuple[TableOutput, io.BytesIO]:
    """Creates an output of a width, and the buffer that it prints to."""
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, encoding=encoding, write_through=True)
    return TableOutput(file, width), buffer


def ranking_at(width: int) -> list[str]:
    """Prints the ranking at a width and returns the lines."""
    output, buffer = screen(width)
    output.recommendations(RANKING)
    return buffer.getvalue().decode().splitlines()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (185, "3:05"), (3599, "59:59"), (3661, "1:01:01")]
)
def test_length(seconds: float, text: str) -> None:
    """A length has minutes and whole seconds, and hours from one hour on."""
    duration = Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))
    assert text == tables.length(Track(duration=duration))


def test_length_unknown() -> None:
    """An unknown length is empty."""
    assert "" == tables.length(Track())


def test_replace_control_characters() -> None:
    """Characters that move the cursor or end the line are replaced; letters of any script are kept."""
    assert "春 é\ufffd[31m\ufffd\ufffd" == tables.replace_control_characters("春 é\x1b[31m\n\udcff")


@pytest.mark.parametrize("width", [40, 60, 80, 109, 110, 200])
def test_ranking_fits(width: int) -> None:
    """No line is wider than the terminal."""
    assert width >= max(len(line.rstrip()) for line in ranking_at(width))


def test_copies() -> None:
    """A wide ranking has the numbers of copies if there are any."""
    assert "12" == ranking_at(110)[2].split()[-2]
    output, buffer = screen(200)
    output.recommendations(RecommendResponse(recommendations=[Recommendation(track=Track(title="A"))]))
    assert b"Copies" not in buffer.getvalue()


@pytest.mark.parametrize("width", [40, 80])
def test_reasons(width: int) -> None:
    """The reasons are a table of their own, whose last column is cut."""
    reasons = [
        Reason(seed=1, similarity=0.5, genre="jazz", tags=["jazz", "female vocals", "chillout", "beautiful"]),
        Reason(),
    ]
    output, buffer = screen(width)
    output.recommendations(RecommendResponse(recommendations=RANKING.recommendations, reasons=reasons))
    lines = buffer.getvalue().decode().splitlines()
    start = next(number for number, line in enumerate(lines) if "In common" in line)
    first, second = lines[start + 2 : start + 4]
    assert ["1", "2", "0.500", "jazz,"] == first.split()[:4]
    assert "jazz, jazz" not in first
    assert (["2", "1", "0.000"], True) == (second.split(), width >= max(map(len, lines)))


def test_moments() -> None:
    """The best moments of each track are a column of the reasons, if any track has some."""
    spans = {"seed_start": 6, "seed_end": 9, "start": 3618.4, "end": 3621.4}
    times = {name: Duration(seconds=int(value), nanos=int(value % 1 * 1e9)) for name, value in spans.items()}
    moments = [TrackMoments(), TrackMoments(moments=[Moment(**times, similarity=0.9), Moment()])]
    ranking = RecommendResponse(recommendations=RANKING.recommendations, reasons=[Reason(), Reason()], moments=moments)
    output, buffer = screen(100)
    output.recommendations(ranking)
    lines = buffer.getvalue().decode().splitlines()
    start = next(number for number, line in enumerate(lines) if "Moments" in line)
    assert ["1", "1", "0.000"] == lines[start + 2].split()
    assert lines[start + 3].endswith("0:06-0:09 ~ 1:00:18-1:00:21")


@pytest.mark.parametrize("width", [60, 80, 109, 110, 200, 10_000])
def test_one_line(width: int) -> None:
    """From 60 columns on, a track is one line, also if its title is long."""
    lines = ranking_at(width)
    assert 4 == len(lines)
    assert ["1", "A"] == lines[2].split()[:2]
    assert max(map(len, lines)) <= 200


@pytest.mark.parametrize("width", [59, 110, 200])
def test_ids_whole(width: int) -> None:
    """The id of a track is in one line, so that it can be copied; only a ranking of 60 to 109 columns has no ids."""
    assert 1 == sum(TRACK_ID in line for line in ranking_at(width))


@pytest.mark.parametrize("width", [40, 60, 80, 109, 110, 200])
def test_ids_of_a_listing(width: int) -> None:
    """Lists of tracks that are no ranking have whole ids at every width."""
    output, buffer = screen(width)
    output.tracks([item.track for item in RANKING.recommendations])
    lines = buffer.getvalue().decode().splitlines()
    assert 1 == sum(TRACK_ID in line for line in lines)
    assert width >= max(map(len, lines))


def test_wide_ranking() -> None:
    """On a wide terminal a track is one line under the headings, and brackets are printed as they are."""
    heading, _, line, revision = ranking_at(200)
    assert ["#", "Title", "Artist", "Genre", "Length", "Similarity", "Copies", "Track", "id"] == heading.split()
    assert ["clas…", "Orchestra", "classical", "3:05", "0.812", "12", TRACK_ID] == line.split()[-7:]
    assert "A [bold]title[/] that" in line
    assert "segue-fast-1a2b3c4d, catalogue revision 12" == revision


def test_unknown_values() -> None:
    """A column without any value is left out."""
    output, buffer = screen(200)
    output.tracks([Track(title="A", track_id=TRACK_ID)])
    assert ["Title", "Track", "id"] == buffer.getvalue().decode().splitlines()[0].split()


def test_narrow_ranking() -> None:
    """On a narrow terminal a track is a block with the same values."""
    text = "\n".join(ranking_at(59))
    assert [] == [value for value in ("Orchestra, classical, 3:05", "0.812", TRACK_ID) if value not in text]


@pytest.mark.parametrize(("encoding", "bar"), [("utf-8", "█" * 15), ("ascii", "#" * 15)])
def test_bar(encoding: str, bar: str) -> None:
    """The length of a bar is the score, and its characters are those of the terminal's encoding."""
    output, buffer = screen(80, encoding)
    output.classification("a.wav", ClassifyResponse(scores=[GenreScore(genre="jazz", score=0.75)]))
    lines = buffer.getvalue().decode(encoding).splitlines()
    assert [["jazz", "0.750", bar]] == [line.replace("|", "").split() for line in lines if "jazz" in line]


@pytest.mark.parametrize(
    ("text", "cut"),
    [("a" * 60, "a" * 60), ("a" * 61, "a" * 59 + "…"), ("春" * 40, "春" * 29 + "…"), ("e\u0301" * 60, "e\u0301" * 60)],
)
def test_cut(text: str, cut: str) -> None:
    """A long title ends in an ellipsis; wide letters count twice, and marks not at all."""
    output, buffer = screen(10_000)
    output.tracks([Track(title=text, track_id=TRACK_ID)])
    assert cut == buffer.getvalue().decode().splitlines()[2].split("   ")[0].rstrip()


def test_cut_in_ascii() -> None:
    """Without Unicode, the ellipsis is three dots."""
    output, buffer = screen(10_000, "ascii")
    output.tracks([Track(title="a" * 61, track_id=TRACK_ID)])
    assert "a" * 57 + "..." == buffer.getvalue().decode().splitlines()[2].split()[0]


@pytest.mark.parametrize(
    ("shown", "total", "text"),
    [
        (0, 0, "0 tracks"),
        (1, 1, "1 track"),
        (2_000, 2_000, "2,000 tracks"),
        (100, 20_000, "100 of 20,000 tracks; --limit N shows more"),
    ],
)
def test_count(shown: int, total: int, text: str) -> None:
    """The number of tracks says how many more there are, and one track is no tracks."""
    assert text == click.unstyle(tables.count(shown, total))


def test_empty_catalogue() -> None:
    """An empty listing prints the number of tracks."""
    output, buffer = screen(80)
    output.tracks([])
    assert "0 tracks\n" == buffer.getvalue().decode()


def test_quality() -> None:
    """Every flag of the contract has a sentence, except the harmless one; a newer flag is named by its number."""
    flags = set(QualityFlag.values()) - {QUALITY_FLAG_UNSPECIFIED}
    sentences = {flag: [click.unstyle(line) for line in tables.quality([flag])] for flag in flags}
    assert [] == sentences.pop(QUALITY_FLAG_RESAMPLED)
    assert [] == [flag for flag, lines in sentences.items() if f"Quality flag {flag}." in lines]
    assert [1] * len(sentences) == [len(lines) for lines in sentences.values()]
    assert [] == tables.quality([], missing_seconds=0.01)
    assert ["1,234.5 s of the audio are missing."] == [click.unstyle(line) for line in tables.quality([], 1234.51)]
    assert ["Quality flag 99."] == [click.unstyle(line) for line in tables.quality([QualityFlag.ValueType(99)])]
