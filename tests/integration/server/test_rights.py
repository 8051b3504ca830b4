"""Server and indexer with the users of Redis that docs/operations.md describes."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.private.locations import find_server
from segue.core.redis_catalogue.private.server import open_private_redis
from segue.indexer.catalogue.session import require_identity
from segue.v1.catalog_service_pb2 import UPSERT_CHANGE_ADDED, OwnMetadata, UpdateTrackRequest
from segue.v1.feedback_service_pb2 import FEEDBACK_KIND_LIKED, RecordFeedbackRequest
from tests.helpers.indexer import run
from tests.helpers.machine.waiting import wait_until
from tests.helpers.server.servers import run_doctor, running_server
from tests.helpers.server.stubs import Stubs, reason_of
from tests.integration.server.writes.items import changes, clip, upserted

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
# redis-py sends its own version, and does without the right to.
HARMLESS = {"client|setinfo", "client"}


class GuardedRedis(NamedTuple):
    """A Redis with the users of the page.

    Attributes:
        admin: a client that may do everything.
        server: its URL for the server.
        indexer: its URL for the indexer.
        url: its URL without a user.
    """

    admin: Any
    server: str
    indexer: str
    url: str

    def refused(self) -> set[str]:
        """Returns the commands that were refused to the users."""
        return {entry["object"] for entry in self.admin.acl_log()} - HARMLESS

    def unused(self, number: int) -> set[str]:
        """Returns the commands that a line of the page permits and no one has run."""
        used = {name for name, counts in self.admin.info("commandstats").items() if counts["calls"]}
        permitted = {word[1:] for word in users()[number] if word.startswith("+")}
        # Needed for another database than 0.
        return {command for command in permitted if f"cmdstat_{command}" not in used} - {"select"}


def users() -> list[list[str]]:
    """Returns the words of each line of the page that makes a user."""
    return [line.split() for line in re.findall(r"^ACL SETUSER .* reset .*$", OPERATIONS.read_text(), re.MULTILINE)]


def feedback_rights() -> str:
    """Returns the line of the page that adds the rights for feedback to the server's user."""
    (line,) = re.findall(r"^ACL SETUSER segue-server \(.*$", OPERATIONS.read_text(), re.MULTILINE)
    return str(line)


@pytest.fixture(params=["valkey", "redis"])
def redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GuardedRedis]:
    """A server of each kind with the users of the page."""
    program = shutil.which("redis-server") if request.param == "redis" else str(find_server())
    if program is None:
        pytest.skip("no redis-server on the PATH: install it to test against it")
    with open_private_redis(tmp_path / "redis", Path(program)) as private:
        admin: Any = Redis.from_url(private.url, protocol=2, decode_responses=True)
        for words in users():
            admin.execute_command(*words)
        server, indexer = (f"{private.url}?username={name}&password={secret}" for name, secret in secrets())
        yield GuardedRedis(admin, server, indexer, private.url)
        admin.close()


def secrets() -> list[tuple[str, str]]:
    """Returns the names and passwords of the page, the server's first."""
    return [(words[2], next(word[1:] for word in words if word.startswith(">"))) for words in users()]


def test_the_page_has_two_users() -> None:
    """The page makes one user for the server and one for the indexer."""
    assert ["segue-server", "segue-indexer"] == [name for name, _ in secrets()]


def copies(folder: Path, clips: list[Path]) -> Path:
    """Returns a folder of music with four clips, one of them twice."""
    music = folder / "music"
    music.mkdir()
    for path in clips[:4]:
        shutil.copy(path, music)
    shutil.copy(clips[1], music / "twin.flac")
    return music


def index(redis: GuardedRedis, folder: Path, model: Path, clips: list[Path]) -> None:
    """Runs every command of the indexer as its user."""
    music = copies(folder, clips)
    (music / "broken.flac").write_bytes(b"no audio")
    where = ("--data", str(folder / "data"), "--redis", redis.indexer)
    backup = str(folder / "catalogue.segue")
    first = str(music / clips[0].name)
    ended = run("add", music, "--model", model, "--keep-windows", *where)
    assert 0 == ended.exit_code, ended.output
    shutil.copy(clips[4], music / "broken.flac")
    (music / "twin.flac").unlink()
    for arguments in (
        ("retry",),
        ("status", "--failures"),
        ("remove", first),
        ("sync", music, "--recheck"),
        ("backup", backup),
        ("restore", backup, "--replace"),
        ("reindex",),
        ("rebuild",),
        ("verify",),
    ):
        ended = run(*arguments, *where)
        assert 0 == ended.exit_code, f"{arguments[0]}: {ended.output}"


def damage(redis: GuardedRedis) -> None:
    """Makes the catalogue contradict itself in each way that verify repairs."""
    keys = RedisKeys().at(int(redis.admin.get(RedisKeys().live)))
    lost, stray, pathless, gone = redis.admin.zrange(keys.track_ids, 0, 3)
    redis.admin.delete(keys.embedding(lost))
    redis.admin.zrem(keys.track_ids, stray)
    redis.admin.hset(keys.track(pathless), "path", "/none")
    for path in redis.admin.smembers(keys.paths(gone)):
        redis.admin.hdel(keys.files, path)
    redis.admin.hset(keys.files, "/stray", "1 1 none")


def test_the_indexer(redis: GuardedRedis, tmp_path: Path, tiny_model: Path, clips: list[Path]) -> None:
    """The indexer's user may do all that its commands do, repairs included, and no more than that."""
    index(redis, tmp_path, tiny_model, clips)
    damage(redis)
    ended = run("verify", "--repair", "--data", tmp_path / "data", "--redis", redis.indexer)
    assert "Repaired" in ended.output, ended.output
    with open_store(tmp_path / "data", redis.indexer) as store, store.writer(*require_identity(store).key) as writer:
        writer.trim(1)
    assert (set(), set()) == (redis.refused(), redis.unused(1))
    assert_refused(redis.indexer, ("FLUSHDB",), ("CONFIG", "GET", "save"), ("SET", "other", 1), ("KEYS", "*"))


def test_the_server(redis: GuardedRedis, tmp_path: Path, tiny_model: Path, clips: list[Path]) -> None:
    """The server's user may do all that the server does, reads only, and passes doctor."""
    music = copies(tmp_path, clips)
    where = ("--data", tmp_path / "data", "--redis", redis.indexer)
    run("add", music, "--model", tiny_model, "--keep-windows", *where)
    options = ("--data", str(tmp_path / "data"), "--redis", redis.server)
    with running_server(*options) as running:
        stubs = Stubs(running.address)
        tracks = list(stubs.list_tracks().tracks)
        assert 4 == len(tracks)
        assert 3 == len(stubs.recommend(tracks[0].track_id).recommendations)
        moments = stubs.recommend(tracks[0].track_id, read_mask=["moments"]).moments
        assert [True] * 3 == [bool(track.moments) for track in moments]
        run("remove", tracks[0].track_id, *where)
        wait_until(lambda: stubs.status().track_count == 3)
    code, results = run_doctor(*options, "--listen", "127.0.0.1:0")
    assert (0, "ok", "ok") == (code, results["rights"].level, results["eviction"].level)
    assert set() == redis.refused()
    assert_refused(redis.server, ("HSET", "{segue:0}:identity", "a", "b"), ("EVAL", "return 1", 0), ("GET", "other"))


def test_a_server_that_writes(redis: GuardedRedis, tmp_path: Path, tiny_model: Path) -> None:
    """With --allow-writes it needs the rights of the indexer, and with those of the server the write fails."""
    options = ("--data", str(tmp_path / "data"), "--model", str(tiny_model), "--allow-writes")
    with running_server(*options, "--redis", redis.indexer) as running:
        stubs = Stubs(running.address)
        assert [UPSERT_CHANGE_ADDED] * 2 == changes(upserted(stubs, clip("a"), clip("b", 5.0)).values())
        stubs.update_track(UpdateTrackRequest(track_id="external:a", metadata=OwnMetadata(title="One")))
        assert [] == [*stubs.delete_tracks("external:a").missing_track_ids]
    assert set() == redis.refused()
    with running_server(*options, "--redis", redis.server) as running:
        (response,) = upserted(Stubs(running.address), clip("c", 6.0)).values()
        assert "STORE_UNAVAILABLE" in str(response.status.details[0])


def test_feedback(redis: GuardedRedis, tmp_path: Path, tiny_model: Path, clips: list[Path]) -> None:
    """With one more line of the page the server may record feedback, and still not change the catalogue."""
    music = copies(tmp_path, clips)
    run("add", music, "--model", tiny_model, "--data", tmp_path / "data", "--redis", redis.indexer)
    with running_server("--data", str(tmp_path / "data"), "--redis", redis.server) as running:
        stubs = Stubs(running.address)
        request = RecordFeedbackRequest(
            user_id="anna", track_id=stubs.list_tracks().tracks[0].track_id, kind=FEEDBACK_KIND_LIKED
        )
        request.time.GetCurrentTime()
        with pytest.raises(grpc.RpcError) as error:
            stubs.record_feedback(request)
        assert "STORE_UNAVAILABLE" == reason_of(error.value)
        redis.admin.acl_log_reset()
        words = shlex.split(feedback_rights().replace("(", "'(").replace(")", ")'"))
        redis.admin.execute_command(*words)
        assert [True, False] == [stubs.record_feedback(request).recorded for _ in range(2)]
    assert set() == redis.refused()
    keys = RedisKeys()
    assert 1 == redis.admin.xlen(keys.feedback)
    assert_refused(
        redis.server,
        ("SET", keys.live, 1),
        ("SET", keys.embedding("0" * 32), b""),
        ("XADD", keys.events, "*", "a", "b"),
        ("DEL", keys.feedback),
        ("XTRIM", keys.feedback, "MAXLEN", 0),
    )


def assert_refused(url: str, *commands: tuple[str | bytes | int, ...]) -> None:
    """Checks that a user may not run these commands."""
    client: Any = Redis.from_url(url, protocol=2)
    with client:
        for command in commands:
            with pytest.raises(NoPermissionError):
                client.execute_command(*command)


@pytest.mark.parametrize(
    ("rights", "level", "persistence", "refused"),
    [
        ("+@read +ping +multi +exec", "ok", "warn", "info"),
        ("+@read +ping", "fail", "warn", "multi"),
        ("+@read +ping +multi +exec +info -mget", "fail", "ok", "mget"),
        ("+@read +ping +multi +exec +info -xinfo", "fail", "ok", "xinfo"),
    ],
)
def test_doctor(
    redis: GuardedRedis,
    tmp_path: Path,
    tiny_model: Path,
    rights: str,
    level: str,
    persistence: str,
    refused: str,
) -> None:
    """A user who may only read is enough for a server; a command that the server needs and may not run is named."""
    redis.admin.execute_command("ACL", "SETUSER", "reader", "reset", "on", ">secret", "~*", *rights.split())
    url = f"{redis.url}?username=reader&password=secret"
    options = ("--data", tmp_path / "data", "--redis", url, "--model", tiny_model, "--listen", "127.0.0.1:0")
    code, results = run_doctor(*options)
    assert (int(level == "fail"), level) == (code, results["rights"].level)
    assert persistence == results["persistence"].level
    named = results["persistence" if level == "ok" else "rights"]
    assert f"'{refused}" in named.text
    assert "secret" not in str(results)
