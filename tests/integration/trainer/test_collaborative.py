"""Plays to factors, with made-up users: from tables to figures and the factor model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from segue.core.errors import ArtifactDamaged, ArtifactError
from segue.trainer.cli.main import main
from segue.trainer.collaborative.artifact import FACTORS, read_model

GROUPS, SIZE, USERS = 4, 8, 80
ITEMS = [f"item{number:02}" for number in range(GROUPS * SIZE)]


def run(*arguments: str | Path) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(main, ["collaborative", *map(str, arguments)], catch_exceptions=False)


def plays() -> list[tuple[str, str, int]]:
    """Returns the plays of users who each prefer one group of items."""
    random = np.random.default_rng(0)
    rows = []
    for user in range(USERS):
        favourites = random.choice(SIZE, 6, replace=False) + SIZE * (user % GROUPS)
        chosen = {*favourites.tolist(), int(random.integers(len(ITEMS)))}
        rows += [(f"user{user:02}", ITEMS[item], 1 + int(random.integers(50))) for item in sorted(chosen)]
    return rows


def write_table(path: Path, rows: list[tuple[str, str, int]], separator: str = "\t") -> Path:
    """Writes a table of plays."""
    lines = [("user", "item", "count"), *rows]
    path.write_text("".join(separator.join(map(str, line)) + "\n" for line in lines))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The plays as a table."""
    return write_table(tmp_path / "plays.tsv", plays())


@pytest.fixture
def embeddings(tmp_path: Path) -> Path:
    """Embeddings of the items, near to those of their group."""
    random = np.random.default_rng(1)
    centres = np.repeat(np.eye(GROUPS, 6), SIZE, axis=0)
    vectors = centres + random.normal(0, 0.2, centres.shape)
    path = tmp_path / "embeddings.npz"
    np.savez(path, track=np.array(ITEMS), embedding=vectors.astype(np.float32))
    return path


def figures(*arguments: str | Path) -> dict[str, Any]:
    """Runs the command, and returns its JSON document."""
    result = run("--json", *arguments)
    assert 0 == result.exit_code, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_taste_is_found_for_known_and_new_items(table: Path, embeddings: Path) -> None:
    """Factors and content both find the hidden items if groups of users prefer groups of items."""
    document = figures("--plays", table, "--embeddings", embeddings)
    assert (USERS, len(ITEMS)) == (document["users"], document["items"])
    warm, cold = document["figures"]["warm recall@10"], document["figures"]["cold recall@5"]
    for name, found, chance in (("als", warm, "chance"), ("content", cold, "chance"), ("mapped", cold, "chance")):
        low = found["recall"][name][1]
        assert low > found["recall"][chance][2], name
    assert {"als", "content", "popularity", "blend", "chance"} == set(warm["recall"])
    assert {"content", "mapped", "popularity", "chance"} == set(cold["recall"])


def test_the_model_gives_a_new_item_the_factors_of_its_like(table: Path, embeddings: Path, tmp_path: Path) -> None:
    """The map from the content of a group's centre scores highest for users of that group."""
    folder = tmp_path / "users"
    result = run("--plays", table, "--embeddings", embeddings, "--output", folder)
    assert 0 == result.exit_code, result.stderr
    model = read_model(folder)
    scores = model.factors.users @ model.mapping(np.eye(GROUPS, 6, dtype=np.float32)).T
    preferred = scores.argmax(1)
    right = np.mean([preferred[row] == int(user[4:]) % GROUPS for row, user in enumerate(model.users)])
    assert right > 0.9


def test_the_same_input_gives_the_same_model(table: Path, embeddings: Path, tmp_path: Path) -> None:
    """A second run replaces the model by an equal one, and a comma-separated table of the same plays gives it, too."""
    folder = tmp_path / "users"
    options = ("--embeddings", embeddings, "--output", folder)
    digests = []
    for path in (table, table, write_table(tmp_path / "plays.csv", plays(), ",")):
        assert 0 == run("--plays", path, *options).exit_code
        digests.append(json.loads((folder / "manifest.json").read_text())["files"])
    assert [digests[0]] * 2 == digests[1:]
    assert ["manifest.json", FACTORS] == sorted((path.name for path in folder.iterdir()), reverse=True)


def test_a_changed_model_is_refused(table: Path, embeddings: Path, tmp_path: Path) -> None:
    """Neither changed factors nor another manifest are read."""
    folder = tmp_path / "users"
    run("--plays", table, "--embeddings", embeddings, "--output", folder)
    with (folder / FACTORS).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ArtifactDamaged):
        read_model(folder)
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(ArtifactError):
        read_model(folder)


def write_hetrec(folder: Path) -> Path:
    """Writes the plays in the layout of hetrec2011-lastfm-2k; each item is an artist with a tag of its group."""
    folder.mkdir()
    names = {item: f"The Ärtist {item}" for item in ITEMS}
    artists = [f"{number}\t{names[item]}\turl\tpicture\n" for number, item in enumerate(ITEMS)]
    played = [f"{user[4:]}\t{ITEMS.index(item)}\t{count}\n" for user, item, count in plays()]
    tags = ["rock", "jazz", "blues", "country"]
    assigned = [f"{user}\t{number}\t{number // SIZE}\t1\t1\t2009\n" for user in (1, 2) for number in range(len(ITEMS))]
    for name, head, lines in (
        ("artists.dat", "id\tname\turl\tpictureURL\n", artists),
        ("user_artists.dat", "userID\tartistID\tweight\n", played),
        ("tags.dat", "tagID\ttagValue\n", [f"{number}\t{tag}\n" for number, tag in enumerate(tags)]),
        ("user_taggedartists.dat", "userID\tartistID\ttagID\tday\tmonth\tyear\n", assigned),
    ):
        (folder / name).write_text(head + "".join(lines), encoding="utf-8")
    return folder


def test_tags_stand_in_for_sound(tmp_path: Path) -> None:
    """The tags in the folder of hetrec2011-lastfm-2k are the content where no embeddings are named."""
    document = figures("--plays", write_hetrec(tmp_path / "lastfm"))
    assert ("tags", 50, len(ITEMS)) == (document["content"], document["content_width"], document["items"])
    cold = document["figures"]["cold recall@5"]["recall"]
    assert cold["content"][1] > cold["chance"][2]


def test_tracks_join_plays_by_their_artist(tmp_path: Path, embeddings: Path) -> None:
    """Artists are the same whatever their case, accents and articles."""
    artists = tmp_path / "artists.tsv"
    artists.write_text("track\tartist\n" + "".join(f"{item}\tARTIST {item}\n" for item in ITEMS) + "other\t\n")
    folder = write_hetrec(tmp_path / "lastfm")
    document = figures("--plays", folder, "--embeddings", embeddings, "--artists", artists)
    assert ("embeddings", len(ITEMS)) == (document["content"], document["items"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the column user"),
        ("user\titem\tcount\n", "has no plays"),
        ("user\titem\nu\ti\n", "lacks the column count"),
        ("user\titem\tcount\nu\ti\tmany\n", "line 2: the count 'many' is not a number above 0"),
        ("user\titem\tcount\nu\ti\t1\nu\ti\tnan\n", "line 3: the count 'nan'"),
        ("user\titem\tcount\nu\ti\t-1\n", "line 2: the count '-1'"),
        ("user\titem\tcount\nu\ti\n", "line 2: a column is empty"),
        ("user\titem\tcount\nu\tother\t1\n", "is in"),
    ],
)
def test_bad_plays_are_named(text: str, message: str, tmp_path: Path, embeddings: Path) -> None:
    """A table that cannot be used ends the command with the file, the line and the reason."""
    path = tmp_path / "bad.tsv"
    path.write_text(text)
    result = run("--plays", path, "--embeddings", embeddings, "--output", tmp_path / "users")
    assert (1, True) == (result.exit_code, message in result.stderr.replace("\n", " ")), result.stderr
    assert not (tmp_path / "users").exists()


def test_bad_options_are_refused_before_any_work(tmp_path: Path, table: Path, embeddings: Path) -> None:
    """Missing content, a missing folder and a folder of something else each have a message."""
    assert "--embeddings is missing" in run("--plays", table).stderr
    assert "cannot be read" in run("--plays", tmp_path / "none.tsv", "--embeddings", embeddings).stderr
    assert "damaged or missing" in run("--plays", table, "--embeddings", table).stderr
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "song.mp3").touch()
    taken = run("--plays", table, "--embeddings", embeddings, "--output", tmp_path / "other")
    assert (1, True) == (taken.exit_code, "something else than a factor model" in taken.stderr)
    (tmp_path / "other" / "factors.npz").touch()  # of another program, or next to files of the user
    taken = run("--plays", table, "--embeddings", embeddings, "--output", tmp_path / "other")
    assert (1, True) == (taken.exit_code, "something else than a factor model" in taken.stderr)
    assert (tmp_path / "other" / "song.mp3").exists()
