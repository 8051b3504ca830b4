"""The documentation agrees with the programs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
import pytest
from click.testing import CliRunner

import segue.client.cli.main
import segue.indexer.cli.main
import segue.server.cli.main
import segue.trainer.cli.main
from segue.core import errors
from segue.core.audio.decoders.endings import ENDINGS, FFMPEG_ENDINGS
from segue.core.audio.limits import MAX_SECONDS
from segue.core.system_names import SYSTEM_FOLDERS
from segue.server.cli.main import main as server_command
from segue.server.inference import decode_task, decode_worker
from segue.server.interceptors import receiving
from segue.server.observability import metrics_server
from segue.server.rpc import channel_options, health, streams
from segue.server.rpc.error_status import to_status

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "segue": segue.client.cli.main.main,
    "segue-server": segue.server.cli.main.main,
    "segue-indexer": segue.indexer.cli.main.main,
    "segue-trainer": segue.trainer.cli.main.main,
}
# What the README states of each model, by the names in its manifest.
FIGURES = {
    "segue-accurate": ("accuracy", "accuracy_low", "accuracy_high", "log_loss_cross_fitted"),
    "segue-fast": ("accuracy", "accuracy_low", "accuracy_high", "log_loss_cross_fitted"),
}


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command and all its subcommands, each with the words that a user types."""
    yield name, command
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from commands(f"{name} {part}", below)


def section(program: str) -> str:
    """The section of docs/options.md about one program."""
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {program}\n")[2].partition("\n## ")[0]


ALL = [pytest.param(*pair, id=pair[0]) for name, main in PROGRAMS.items() for pair in commands(name, main)]


@pytest.mark.parametrize(("typed", "command"), ALL)
def test_every_option_is_documented(typed: str, command: click.Command) -> None:
    """The program's section of docs/options.md names each command, option and environment variable."""
    text = section(typed.split(maxsplit=1)[0])
    words = [typed] if " " in typed else []  # the heading names the program
    options = [option for option in command.params if isinstance(option, click.Option)]
    names = [name for option in options for name in option.opts]
    variables = [str(option.envvar) for option in options if option.envvar]
    assert [] == [name for name in (*words, *names, *variables) if not re.search(rf"`{name}(?![\w-])", text)]


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.SegueError)]


def codes() -> dict[str, str]:
    """The gRPC code of each reason that a caller can meet, INTERNAL apart."""
    by_reason = {kind.reason: to_status(made(kind), "id")[0].name for kind in KINDS}
    return {reason: code for reason, code in by_reason.items() if code != "INTERNAL"}


@pytest.mark.parametrize("document", ["errors.md", "operations.md"])
def test_every_reason_is_documented(document: str) -> None:
    """docs/errors.md has each reason that a caller can meet, docs/operations.md the operator's action for it."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    assert [] == sorted(reason for reason in codes() if f"`{reason}`" not in text)


def test_every_reason_has_its_code() -> None:
    """The table of docs/errors.md has one row for each reason, with the code that the server returns."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([A-Z_]+) \|", text, re.MULTILINE)
    assert sorted({**codes(), "INTERNAL": "INTERNAL"}.items()) == sorted(rows)


def made(kind: type[errors.SegueError]) -> errors.SegueError:
    """An error of a kind."""
    return kind("field", "text") if kind is errors.MalformedRequest else kind("text")


@pytest.mark.parametrize(("column", "model"), [(1, "segue-accurate"), (2, "segue-fast")])
def test_the_readme_has_the_figures_of_the_models(column: int, model: str) -> None:
    """The README states the accuracy, its interval and the log-loss of each model that ships."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    text = readme.partition("\n## Accuracy and speed\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1 + column] for line in text.splitlines() if line.startswith("| ")]
    measured = json.loads((ROOT / "models" / model / "manifest.json").read_text(encoding="utf-8"))["metrics"]
    assert [f"{measured[name]:.3f}" for name in FIGURES[model]] == re.findall(r"\d\.\d{3}", " ".join(cells))


def test_every_path_exists() -> None:
    """Each file and folder that CONTRIBUTING.md names is in the repository."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:[\w-]+/)+[\w.-]*)`", text)
    assert paths
    assert [] == [path for path in paths if not (ROOT / path).exists()]


DECISIONS = sorted((ROOT / "docs" / "adr").glob("0*.md"))


def test_every_decision_is_listed() -> None:
    """The index of decisions has a row for each page, by number, with its title, date and status."""
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    form = re.compile(r"# (\d{4}): (.+)\n\n- Date: (\d{4}-\d\d-\d\d)\n- Status: (.+)\n")
    pages = [(page.name, form.match(page.read_text(encoding="utf-8"))) for page in DECISIONS]
    rows = ["| [{1}]({0}) | {2} | {3} | {4} |".format(name, *page.groups()) for name, page in pages if page]
    assert len(DECISIONS) == len(rows)
    assert rows == re.findall(r"^\| \[.*$", index, re.MULTILINE)


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name[:4])
def test_every_decision_has_one_form(page: Path) -> None:
    """Each decision has the same sections in the same order; only the measurements may be missing."""
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    expected = ["Context", "Decision", "Consequences", "Measurements", "Rejected alternatives"]
    assert [part for part in expected if part in {*headings} or part != "Measurements"] == headings


def test_every_bound_is_documented() -> None:
    """docs/operations.md states the limits of the server, and no others."""
    bounds = (ROOT / "docs" / "operations.md").read_text().partition("\n## Bounds\n")[2].partition("\n## ")[0]
    defaults = {str(option.name): cast("int", option.default) for option in server_command.params}
    gibibytes = (decode_worker.DECODE_LIMITS.memory_bytes or 0) // 2**30
    assert [
        f"{defaults['clip_mib']} MiB, {MAX_SECONDS // 3600} h",
        f"{defaults['stream_mib'] // 2**10} GiB, {MAX_SECONDS // 3600} h",
        f"{defaults['spool_mib'] // 2**10} GiB",
        f"{decode_worker.DECODE_LIMITS.seconds:g} s, {gibibytes} GiB",
        f"{decode_task.STREAM_SECONDS:g} s, {gibibytes} GiB",
        f"{defaults['clip_mib'] + channel_options.MARGIN_BYTES // 2**20} MiB, and not compressed",
        f"an eighth of the memory, each with {defaults['clip_mib'] + channel_options.MARGIN_BYTES // 2**20} MiB",
        "four times what stays free of them",
        f"{receiving.MESSAGE_SECONDS:g} s",
        f"{receiving.HEALTH_MESSAGES}, {receiving.HEALTH_SECONDS:g} s",
        f"{streams.STALL_SECONDS:g} s",
        f"{streams.PROGRESS_SECONDS:g} s",
        f"{streams.MAX_STREAM_SECONDS / 3600:g} h",
        "four times what stays free of `--queue-seconds`",
        "its quotas, if it has some",
        str(streams.MAX_STREAMS),
        str(health.MAX_WATCHERS),
        str(channel_options.MAX_CALLS_PER_CONNECTION),
        str(channel_options.MAX_CONNECTIONS),
        f"{channel_options.HANDSHAKE_SECONDS} s",
        f"{channel_options.IDLE_SECONDS} s",
        f"one in {channel_options.MIN_PING_SECONDS} s",
        f"pinged after {channel_options.KEEPALIVE_SECONDS} s, {channel_options.KEEPALIVE_TIMEOUT_SECONDS} s to answer",
        f"{metrics_server.IDLE_SECONDS:g} s",
        str(metrics_server.MAX_CONNECTIONS),
    ] == re.findall(r"^\| [^|]+ \| ([^|]+) \|", bounds, re.MULTILINE)[1:]


def test_what_is_indexed_is_documented() -> None:
    """docs/operations.md lists the endings of music and the system folders, and no others."""
    text = (ROOT / "docs" / "operations.md").read_text().partition("\n## What is indexed\n")[2].partition("\n## ")[0]
    lists = [paragraph for paragraph in text.split("\n\n") if paragraph.startswith("  `")]
    assert [ENDINGS, FFMPEG_ENDINGS, SYSTEM_FOLDERS] == [{*re.findall("`([^`]+)`", block)} for block in lists]


def test_every_alert_is_documented() -> None:
    """docs/operations.md has a row for each alert, and docs/metrics.md has each metric that the alerts use."""
    rules = (ROOT / "docker" / "prometheus" / "alerts.yml").read_text()
    operations, metrics = ((ROOT / "docs" / name).read_text() for name in ("operations.md", "metrics.md"))
    alerts = re.findall(r"alert: (\w+)", rules)
    assert alerts == re.findall(r"^\| `(Segue\w+)` \|", operations, re.MULTILINE)
    used = {name.removesuffix("_bucket") for name in re.findall(r"\bsegue_\w+", rules)}
    assert [] == sorted(name for name in used if f"| `{name}` |" not in metrics)


def test_alerts_rise_when_they_should() -> None:
    """The alert rules pass promtool; they stay silent for a healthy server and fire for an unhealthy one."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on the PATH: install prometheus to try the alerts")
    folder = ROOT / "docker" / "prometheus"
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        ended = subprocess.run([promtool, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert 0 == ended.returncode, ended.stdout + ended.stderr


def links() -> Iterator[tuple[Path, str]]:
    """Each relative link of the pages, with its page."""
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("clients/**/*.md")):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                yield page, target


def test_every_link_has_a_target() -> None:
    """Each relative link of a page leads to a file of the repository."""
    broken = [f"{page.relative_to(ROOT)}: {target}" for page, target in links() if not (page.parent / target).exists()]
    assert [] == broken


@pytest.mark.parametrize(("typed", "command"), ALL)
def test_the_help_says_what_each_option_takes(typed: str, command: click.Command) -> None:
    """Every command has -h, and no option is described by the name of a type."""
    program = PROGRAMS[typed.split(maxsplit=1)[0]]
    result = CliRunner().invoke(program, [*typed.split()[1:], "-h"])
    assert 0 == result.exit_code
    assert [] == re.findall(r"^  --?[\w-]+ (?:TEXT|INTEGER|FLOAT|UUID)\b.*", result.stdout, re.MULTILINE)
