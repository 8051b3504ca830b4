"""The options that choose among similar tracks."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from google.protobuf.duration_pb2 import Duration

from segue.client.cli.criteria import Criteria, criteria_options, option_of
from segue.v1.recommendation_service_pb2 import AttributeCondition, TrackExclusion, TrackFilter, Variety


def parsed(*arguments: str) -> Criteria:
    """Parses the options of a command."""
    results: list[Criteria] = []

    @click.command()
    @criteria_options
    def command(criteria: Criteria) -> None:
        results.append(criteria)

    ended = CliRunner().invoke(command, arguments)
    if ended.exit_code:
        raise click.UsageError(ended.output)
    return results[0]


def test_no_option() -> None:
    """Without options there is no filter, and the variety is the server's default."""
    assert Criteria(None, Variety()) == parsed()


def test_every_option() -> None:
    """Each option is a field of the request; lists have one value for each time that they are given."""
    tags = ["--tag", "guitar", "--not-tag", "sad"]
    lists = ["--genre", "jazz", "--genre", "pop", "--artist", "Björk", "--album", "Debut", "--folder", "x/../music"]
    excluded = ["--not-genre", "rock", "--not-artist", "X", "--not-album", "Y", "--not-folder", "/z"]
    others = ["--years", "1990-1999", "--min-similarity", "-0.5", "--min-seconds", "60", "--max-seconds", "90.5"]
    variety = ["--per-artist", "0", "--per-album", "1", "--diversity", "0.25", "--keep-copies", "--shuffle", "0"]
    expected = TrackFilter(
        genres=["jazz", "pop"],
        tags=["guitar"],
        artists=["Björk"],
        albums=["Debut"],
        folders=[str(Path("music").absolute())],
        min_year=1990,
        max_year=1999,
        min_duration=Duration(seconds=60),
        max_duration=Duration(seconds=90, nanos=500_000_000),
        min_similarity=-0.5,
        exclude=TrackExclusion(genres=["rock"], tags=["sad"], artists=["X"], albums=["Y"], folders=["/z"]),
    )
    expected_variety = Variety(max_per_artist=0, max_per_album=1, diversity=0.25, keep_copies=True, shuffle_seed=0)
    assert Criteria(expected, expected_variety) == parsed(*tags, *lists, *excluded, *others, *variety)


def test_texts_that_are_not_utf8() -> None:
    """A byte that is not UTF-8 is sent in a folder as the indexer writes it, and replaced elsewhere."""
    wanted = parsed("--folder", "/m\udcff", "--artist", "\udcff").track_filter
    assert wanted is not None
    assert (["/m\\xff"], ["?"]) == (list(wanted.folders), list(wanted.artists))


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("mood=calm", AttributeCondition(name="mood", values=["calm"])),
        ("mood=a=b", AttributeCondition(name="mood", values=["a=b"])),
        ("live=true", AttributeCondition(name="live", is_true=True)),
        ("live=false", AttributeCondition(name="live", is_true=False)),
        ("bpm=90", AttributeCondition(name="bpm", min=90, max=90)),
        ("bpm=-1.5..2", AttributeCondition(name="bpm", min=-1.5, max=2)),
        ("bpm=90..", AttributeCondition(name="bpm", min=90)),
        ("bpm=..90", AttributeCondition(name="bpm", max=90)),
        ("bpm=..", AttributeCondition(name="bpm", values=[".."])),
        ("bpm=1e2", AttributeCondition(name="bpm", min=100, max=100)),
        ("bpm=90-120", AttributeCondition(name="bpm", values=["90-120"])),
        ("released=2024-05", AttributeCondition(name="released", values=["2024-05"])),
        ("code=007", AttributeCondition(name="code", values=["007"])),
        ('code="7"', AttributeCondition(name="code", values=["7"])),
        ('code="', AttributeCondition(name="code", values=['"'])),
        ("code=1.2.3", AttributeCondition(name="code", values=["1.2.3"])),
    ],
)
def test_attributes(text: str, condition: AttributeCondition) -> None:
    """A value is a truth value, a number or a range where it looks like one, else a text."""
    wanted = parsed("--attribute", text, "--not-attribute", text).track_filter
    assert wanted is not None
    assert ([condition], [condition]) == (list(wanted.attributes), list(wanted.exclude.attributes))


@pytest.mark.parametrize("text", ["mood", "=calm", "mood="])
def test_wrong_attributes(text: str) -> None:
    """Any other text is an error that shows the forms."""
    with pytest.raises(click.UsageError, match="is no condition such as mood=calm"):
        parsed("--attribute", text)


def test_a_reversed_range() -> None:
    """A range whose end is less than its start would leave no track."""
    with pytest.raises(click.UsageError, match="its end is less than its start"):
        parsed("--attribute", "bpm=120..90")


@pytest.mark.parametrize(
    ("field", "option"),
    [
        ("filter.attributes[0].values", "--attribute"),
        ("filter.exclude.attributes", "--not-attribute"),
        ("filter.artists", "--artist"),
        ("filter.exclude.folders", "--not-folder"),
        ("filter.min_year", "--years"),
        ("filter.max_duration", "--max-seconds"),
        ("filter.min_similarity", "--min-similarity"),
    ],
)
def test_option_of_a_field(field: str, option: str) -> None:
    """A message about a field of the request names the option."""
    assert option == option_of(field)


@pytest.mark.parametrize(
    ("text", "years"),
    [("1990", (1990, 1990)), ("1990-", (1990, 0)), ("-1999", (0, 1999)), ("1990-1999", (1990, 1999))],
)
def test_years(text: str, years: tuple[int, int]) -> None:
    """A range of years may be one year, or open at one end."""
    wanted = parsed("--years", text).track_filter
    assert wanted is not None
    assert years == (wanted.min_year, wanted.max_year)
    assert (years[0] > 0, years[1] > 0) == (wanted.HasField("min_year"), wanted.HasField("max_year"))


@pytest.mark.parametrize("text", ["", "-", "x", "90s", "1990-2000-2010", "19901", "2000-1990"])
def test_wrong_years(text: str) -> None:
    """Any other text is an error that shows the forms."""
    with pytest.raises(click.UsageError, match="neither a year nor a range such as 1990-1999"):
        parsed("--years", text)
