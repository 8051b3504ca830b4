"""The metadata that an owner gives to a file: what is accepted, and what a refusal says."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest

from segue.core.catalogue.own_metadata import MAX_ATTRIBUTES, metadata_to_json, parse_metadata
from segue.core.catalogue.records import OwnMetadata


def test_metadata_survive_as_json() -> None:
    """They are the same after they were written and read, with their types."""
    given = {
        "external_id": "42/é",
        "title": "T",
        "artist": None,
        "attributes": {"mood": "calm", "bpm": 90, "live": False, "lists": ["a", "b"], "gone": None, "_x.y-1": 1.5},
    }
    own = parse_metadata(given)
    assert OwnMetadata("42/é", "T", attributes=own.attributes) == own
    assert {"mood": "calm", "bpm": 90.0, "live": False, "lists": ("a", "b"), "_x.y-1": 1.5} == own.attributes
    assert [str, float, bool, tuple, float] == [type(value) for value in own.attributes.values()]
    assert own == parse_metadata(json.loads(metadata_to_json(own)))
    assert not parse_metadata({})


def test_types_make_a_difference() -> None:
    """A truth value in place of a number is a change, although Python takes 1.0 and True for equal."""
    number, truth = (parse_metadata({"attributes": {"live": value}}) for value in (1, True))
    assert number != truth
    assert parse_metadata({"attributes": {"live": 1.0}}) == number
    assert 1 == len({number, parse_metadata({"attributes": {"live": 1.0}})})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([], "The metadata are no JSON object."),
        (
            {"mood": "calm"},
            "The field 'mood' is unknown; the fields are external_id, title, artist, album, attributes.",
        ),
        ({"external_id": 42}, "external_id is 42, not a text."),
        ({"external_id": "x" * 257}, "external_id has 257 characters; use at most 256."),
        ({"title": "a\nb"}, "title has a control character, or half of a character."),
        ({"title": "a\udce9"}, "title has a control character, or half of a character."),
        ({"artist": True}, "artist is True, not a text."),
        ({"attributes": ["a"]}, "attributes is no JSON object."),
        ({"attributes": {"bpm": math.nan}}, "attributes.bpm is not a finite number."),
        ({"attributes": {"bpm": 10**400}}, "attributes.bpm is not a finite number."),
        ({"attributes": {"a": {"b": 1}}}, "attributes.a is dict, not a text."),
        ({"attributes": {"a": ["b", 1]}}, "attributes.a is 1, not a text."),
        ({"attributes": {"a": ["b"] * 33}}, "attributes.a has 33 texts; give at most 32."),
        ({"attributes": {"a": "b" * 1_025}}, "attributes.a has 1,025 characters; use at most 1,024."),
        (
            {"attributes": {"1a": "b"}},
            "attributes has the name '1a'; use at most 64 letters, digits, dots, hyphens and underscores, "
            "and a letter or an underscore first.",
        ),
        ({"attributes": {str(i): 1 for i in range(MAX_ATTRIBUTES + 1)}}, "attributes has 33 names; give at most 32."),
        (
            {"attributes": {f"a{i}": "é" * 500 for i in range(10)}},
            "attributes has 10,100 bytes; give at most 8,192.",
        ),
    ],
)
def test_metadata_that_cannot_be_used(given: Any, problem: str) -> None:  # noqa: ANN401 - any value of JSON
    """The message names the field and the bound."""
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        parse_metadata(given)
