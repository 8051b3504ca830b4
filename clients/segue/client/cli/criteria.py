"""The options of `segue recommend` and `segue playlist` that choose among similar tracks."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce, wraps
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
from google.protobuf.duration_pb2 import Duration

from segue.client._calls import catalogue_path, replace_surrogates
from segue.v1.recommendation_service_pb2 import (
    AttributeCondition,
    ContinueResponse,
    FindPathResponse,
    RecommendResponse,
    TrackExclusion,
    TrackFilter,
    Variety,
)

_Command = TypeVar("_Command", bound=Callable[..., Any])
_YEARS = re.compile(r"(\d{1,4})?(-)?(\d{1,4})?")


class Criteria(NamedTuple):
    """The chosen conditions.

    Attributes:
        track_filter: the tracks that may be recommended, or None for all.
        variety: how much the tracks differ.
    """

    track_filter: TrackFilter | None
    variety: Variety


class _YearsType(click.ParamType):  # type: ignore[type-arg] # generic in its types alone
    """A year, or a range of years that may be open at one end."""

    name = "years"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:  # noqa: ANN401 - click's own signature
        """Returns the fields of a filter."""
        match = _YEARS.fullmatch(str(value))
        first, dash, last = match.groups() if match else (None, None, None)
        if not (first or last) or (last and not dash) or (first and last and int(first) > int(last)):
            self.fail(f"{value!r} is neither a year nor a range such as 1990-1999, 1990- or -1999.", param, ctx)
        years = {"min_year": first, "max_year": last if dash else first}
        return {name: int(year) for name, year in years.items() if year}


_LISTS = {
    "genres": ("--genre", "NAME", "Only tracks whose predicted genre is NAME"),
    "tags": ("--tag", "NAME", "Only tracks that have the predicted tag NAME"),
    "artists": ("--artist", "NAME", "Only tracks by NAME"),
    "albums": ("--album", "TITLE", "Only tracks of the album TITLE"),
    "folders": ("--folder", "FOLDER", "Only tracks in FOLDER, or below"),
}
_EXCLUDED = {
    "genres": ("--not-genre", "NAME", "No tracks whose predicted genre is NAME"),
    "tags": ("--not-tag", "NAME", "No tracks that have the predicted tag NAME"),
    "artists": ("--not-artist", "NAME", "No tracks by NAME"),
    "albums": ("--not-album", "TITLE", "No tracks of the album TITLE"),
    "folders": ("--not-folder", "FOLDER", "No tracks in FOLDER, or below"),
}
_CONDITION = re.compile(r"([^=]+)=(.*)", re.DOTALL)
# A number as JSON writes it, so that 007 is a text.
_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})?\.\.({_NUMBER})?", re.ASCII)
_SINGLE = re.compile(_NUMBER, re.ASCII)


class _AttributeType(click.ParamType):  # type: ignore[type-arg] # generic in its types alone
    """A condition on an attribute: a text, true, false, a number, or a range of numbers that may be open at one end."""

    name = "condition"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AttributeCondition:  # noqa: ANN401 - click's own signature
        """Returns the condition."""
        match = _CONDITION.fullmatch(str(value))
        if not match or not match[2]:
            self.fail(f"{value!r} is no condition such as mood=calm, live=true, bpm=90..120 or bpm=90.. .", param, ctx)
        name, text = map(replace_surrogates, match.groups())
        if text in ("true", "false"):
            return AttributeCondition(name=name, is_true=text == "true")
        if len(text) > 2 and text[0] == text[-1] == '"':
            return AttributeCondition(name=name, values=[text[1:-1]])
        match = _RANGE.fullmatch(text)
        least, greatest = match.groups() if match else (text, text) if _SINGLE.fullmatch(text) else (None, None)
        if not (least or greatest):
            return AttributeCondition(name=name, values=[text])
        condition = AttributeCondition(name=name, min=_number(least), max=_number(greatest))
        if least and greatest and condition.min > condition.max:
            self.fail(f"{text!r} is no range: its end is less than its start.", param, ctx)
        return condition


_AGAIN = "; can be given several times."
_OPTIONS = (
    *(
        click.option(name, field, multiple=True, metavar=metavar, help=text + _AGAIN)
        for field, (name, metavar, text) in _LISTS.items()
    ),
    *(
        click.option(name, f"not_{field}", multiple=True, metavar=metavar, help=text + _AGAIN)
        for field, (name, metavar, text) in _EXCLUDED.items()
    ),
    click.option(
        "--attribute",
        "attributes",
        multiple=True,
        type=_AttributeType(),
        metavar="NAME=VALUE",
        help="Only tracks whose attribute NAME is VALUE: a text, true, false, a number, or a range such as 90..120; "
        "in double quotes always a text" + _AGAIN,
    ),
    click.option(
        "--not-attribute",
        "not_attributes",
        multiple=True,
        type=_AttributeType(),
        metavar="NAME=VALUE",
        help="No tracks whose attribute NAME is VALUE" + _AGAIN,
    ),
    click.option("--years", type=_YearsType(), metavar="RANGE", help="Only tracks of these years, such as 1990-1999."),
    click.option("--min-seconds", type=click.FloatRange(0), metavar="S", help="Only tracks at least so long."),
    click.option("--max-seconds", type=click.FloatRange(0), metavar="S", help="Only tracks at most so long."),
    click.option(
        "--min-similarity", type=click.FloatRange(-1, 1), metavar="X", help="Only tracks at least so similar, -1 to 1."
    ),
    click.option(
        "--per-artist",
        type=click.IntRange(0, 100),
        metavar="N",
        help="Largest number of tracks by one artist; 0 is no limit.  [default: 2; 0 with --artist or --album]",
    ),
    click.option(
        "--per-album",
        type=click.IntRange(0, 100),
        metavar="N",
        help="Largest number of tracks of one album; 0 is no limit.  [default: 0]",
    ),
    click.option(
        "--diversity",
        type=click.FloatRange(0, 0.99),
        metavar="X",
        help="How much the tracks must differ from each other, 0 to 0.99.  [default: 0]",
    ),
    click.option(
        "--shuffle",
        "shuffle_seed",
        type=click.IntRange(-(2**63), 2**63 - 1),
        metavar="N",
        help="Random order, the same for the same number N.",
    ),
    click.option(
        "--keep-copies", is_flag=True, help="Also tracks with a recording that is recommended already, or is a seed."
    ),
)


def criteria_options(command: _Command) -> Callable[..., Any]:
    """Declares ``criteria``, a ``Criteria``."""

    @wraps(command)
    def with_criteria(*arguments: Any, **values: Any) -> Any:  # noqa: ANN401 - any command's own
        exclude = TrackExclusion(attributes=values.pop("not_attributes"))
        for name in _EXCLUDED:
            getattr(exclude, name).extend(_texts(name, values.pop(f"not_{name}")))
        wanted = TrackFilter(
            **(values.pop("years") or {}),
            min_duration=_duration(values.pop("min_seconds")),
            max_duration=_duration(values.pop("max_seconds")),
            min_similarity=values.pop("min_similarity"),
            attributes=values.pop("attributes"),
            exclude=exclude if exclude.ListFields() else None,
        )
        for name in _LISTS:
            getattr(wanted, name).extend(_texts(name, values.pop(name)))
        variety = Variety(
            max_per_artist=values.pop("per_artist"),
            max_per_album=values.pop("per_album"),
            diversity=values.pop("diversity"),
            keep_copies=values.pop("keep_copies"),
            shuffle_seed=values.pop("shuffle_seed"),
        )
        criteria = Criteria(wanted if wanted.ListFields() else None, variety)
        return command(*arguments, criteria=criteria, **values)

    return reduce(lambda declared, option: option(declared), reversed(_OPTIONS), with_criteria)


def _texts(field: str, values: tuple[str, ...]) -> list[str]:
    """Returns the texts of a list of a filter; a folder as the catalogue writes it."""
    is_path = field == "folders"  # an empty one stays so, and the server refuses it
    return [catalogue_path(Path(value)) if is_path and value else replace_surrogates(value) for value in values]


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromMilliseconds(round(1000 * seconds))
    return duration


def option_of(field: str) -> str:
    """Returns the option that sets a field of a filter, such as "--not-artist" for "filter.exclude.artists"."""
    if ".attributes" in field:
        return "--not-attribute" if ".exclude." in field else "--attribute"
    *_, part, name = field.split(".")
    if name in _LISTS:
        return (_EXCLUDED if part == "exclude" else _LISTS)[name][0]
    return {"min_year": "--years", "max_year": "--years"}.get(
        name, "--" + name.replace("_", "-").replace("duration", "seconds")
    )


def explain_missing(response: RecommendResponse | ContinueResponse | FindPathResponse) -> None:
    """Prints why there are fewer tracks than requested, as far as the response says so."""
    if response.emptied_by:
        click.echo(f"segue: No track is left after {option_of(response.emptied_by)}.", err=True)
    if response.limited:
        message = "Other tracks are left out: see --per-artist, --per-album and --keep-copies."
        click.echo(f"segue: {message}", err=True)
