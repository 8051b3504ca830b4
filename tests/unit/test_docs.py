"""The documents say what the programs do."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import segue.client.cli.main
import segue.indexer.cli.main
import segue.server.cli.main
import segue.trainer.cli.main
from segue.core import errors
from segue.core.audio.decode import MAX_SECONDS, MAX_UPLOAD_BYTES
from segue.server.inference import decode_worker
from segue.server.interceptors import unary_read_timeout
from segue.server.interceptors.error_status import to_status
from segue.server.observability import metrics
from segue.server.rpc import channel_options, health, streams

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "segue": segue.client.cli.main.main,
    "segue-server": segue.server.cli.main.main,
    "segue-indexer": segue.indexer.cli.main.main,
    "segue-trainer": segue.trainer.cli.main.main,
}


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command and all under it, by what one types."""
    yield name, command
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from commands(f"{name} {part}", below)


def section(program: str) -> str:
    """What docs/options.md says of one program."""
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {program}\n")[2].partition("\n## ")[0]


ALL = [pytest.param(*pair, id=pair[0]) for name, main in PROGRAMS.items() for pair in commands(name, main)]


@pytest.mark.parametrize(("typed", "command"), ALL)
def test_every_option_is_documented(typed: str, command: click.Command) -> None:
    """Each command, option and environment variable stands in the program's part of docs/options.md."""
    text = section(typed.split(maxsplit=1)[0])
    words = [typed] if " " in typed else []  # a program stands in the heading
    options = [option for option in command.params if isinstance(option, click.Option)]
    names = [name for option in options for name in option.opts]
    variables = [str(option.envvar) for option in options if option.envvar]
    assert [] == [name for name in (*words, *names, *variables) if not re.search(rf"`{name}(?![\w-])", text)]


@pytest.mark.parametrize("document", ["README.md", "docs/operations.md"])
def test_every_reason_is_documented(document: str) -> None:
    """Each reason that a caller can meet stands in the README, and what the operator does in docs/operations.md."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SegueError)]
    reasons = {kind.reason for kind in kinds if to_status(made(kind), "id")[0].name != "INTERNAL"}
    text = (ROOT / document).read_text()
    assert [] == sorted(reason for reason in reasons if f"`{reason}`" not in text)


def made(kind: type[errors.SegueError]) -> errors.SegueError:
    """An error of a kind."""
    return kind("field", "text") if kind is errors.MalformedRequest else kind("text")


def test_every_decision_is_listed() -> None:
    """The index of decisions names each page."""
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    assert [] == [page.name for page in (ROOT / "docs" / "adr").glob("0*.md") if page.name not in index]


def test_every_bound_is_documented() -> None:
    """docs/operations.md has the bounds that hold, and no other."""
    bounds = (ROOT / "docs" / "operations.md").read_text().partition("\n## Bounds\n")[2].partition("\n## ")[0]
    gibibytes = (decode_worker.LIMITS.memory_bytes or 0) // 2**30
    assert [
        f"{MAX_UPLOAD_BYTES // 2**20} MiB, {MAX_SECONDS // 3600} h",
        f"{decode_worker.LIMITS.seconds:g} s, {gibibytes} GiB",
        f"{channel_options.MAX_MESSAGE_BYTES // 2**20} MiB, and not compressed",
        f"{unary_read_timeout.MESSAGE_SECONDS:g} s",
        f"{streams.STALL_SECONDS:g} s",
        f"{streams.LONGEST_SECONDS / 3600:g} h",
        str(streams.MAX_STREAMS),
        str(health.MOST_WATCHING),
        str(channel_options.MOST_CALLS_OF_A_CONNECTION),
        str(channel_options.MOST_CONNECTIONS),
        f"one in {channel_options.PING_SECONDS} s",
        f"pinged after {channel_options.KEEPALIVE_SECONDS} s, {channel_options.KEEPALIVE_PATIENCE_SECONDS} s to answer",
        f"{metrics.IDLE_SECONDS:g} s",
    ] == re.findall(r"^\| [^|]+ \| ([^|]+) \|", bounds, re.MULTILINE)[1:]


def test_every_alert_is_documented() -> None:
    """docs/operations.md has a row for each alert, and each goes by metrics that docs/metrics.md has."""
    rules = (ROOT / "docker" / "prometheus" / "alerts.yml").read_text()
    operations, metrics = ((ROOT / "docs" / name).read_text() for name in ("operations.md", "metrics.md"))
    alerts = re.findall(r"alert: (\w+)", rules)
    assert alerts == re.findall(r"^\| `(Segue\w+)` \|", operations, re.MULTILINE)
    used = {name.removesuffix("_bucket") for name in re.findall(r"\bsegue_\w+", rules)}
    assert [] == sorted(name for name in used if f"| `{name}` |" not in metrics)


def test_alerts_rise_when_they_should() -> None:
    """Prometheus's own tool finds the rules right, silent for a server that is well and loud for one that is not."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on the PATH: install prometheus to try the alerts")
    folder = ROOT / "docker" / "prometheus"
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        ended = subprocess.run([promtool, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert 0 == ended.returncode, ended.stdout + ended.stderr
