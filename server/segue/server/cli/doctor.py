"""Looks at everything that a server needs before it is started, and says what to do where something is wrong."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from redis import Redis
from redis.exceptions import ResponseError

from segue.core.catalogue.records import Identity
from segue.core.errors import SegueError
from segue.core.model.artifact import Manifest
from segue.core.model.saved_model import Model
from segue.core.redis_catalogue.client import SERVER_TIMEOUTS, address_of, connect, translating_errors
from segue.core.redis_catalogue.open import open_store
from segue.server.healthcheck import CertificateAndKey, check, local_address
from segue.server.security.exposure import exposure_warnings, is_local
from segue.server.security.tls import certificate_end, read_certificates, tls_files
from segue.server.security.tokens import read_grants
from segue.server.settings import Settings

Level = Literal["ok", "warn", "fail"]

_PARTS = ("segue", "grpcio", "protobuf", "tensorflow-cpu", "tensorflow", "numpy", "hnswlib", "redis")
_LITTLE_SPACE, _NO_SPACE = 2 * 2**30, 200 * 2**20
_SOON_DAYS = 14
_HEALTH_SECONDS = 2.0


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at.

    Attributes:
        what: what it is, in a word or two.
        level: "fail" where the server would not start or not answer, "warn" where it might do otherwise than is hoped.
        text: how it is, in a sentence.
        advice: what to do, or empty.
    """

    what: str
    level: Level
    text: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[CheckResult]:
    """Looks at one thing after another, and tells each at once, since some take seconds."""
    yield _versions()
    yield _processor()
    model = _model(settings.model)
    yield model[0]
    yield from _data(settings.data, only_read=bool(settings.redis))
    yield from _catalogue(settings, model[1])
    yield _decoders()
    yield from _ports(settings)
    yield from _certificates(settings)
    yield from _tokens(settings)


def show(findings: Iterator[CheckResult], *, as_json: bool) -> bool:
    """Prints findings as they come, or at the end as one JSON document, and answers whether none of them failed."""
    seen: list[CheckResult] = []
    for finding in findings:
        seen.append(finding)
        if not as_json:
            print(f"{finding.level:4}  {finding.what}: {finding.text}")  # noqa: T201 - it is the answer
            if finding.advice:
                print(f"      -> {finding.advice}")  # noqa: T201 - likewise
        sys.stdout.flush()
    if as_json:
        print(json.dumps({"checks": [asdict(finding) for finding in seen]}, indent=2))  # noqa: T201 - likewise
    return all(finding.level != "fail" for finding in seen)


def _versions() -> CheckResult:
    found = [f"{name} {version(name)}" for name in _PARTS if _is_installed(name)]
    return CheckResult("versions", "ok", ", ".join([f"Python {platform.python_version()}", *found]))


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ModuleNotFoundError:  # which PackageNotFoundError is
        return False


def _processor() -> CheckResult:
    """TensorFlow's wheels for x86 use AVX without asking, and die by SIGILL where there is none."""
    cpuinfo = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not cpuinfo.exists():
        return CheckResult("processor", "ok", f"{platform.machine()}, {os.cpu_count()} cores")
    flags = set(cpuinfo.read_text(encoding="utf-8", errors="replace").partition("flags")[2].partition("\n")[0].split())
    if "avx" not in flags:
        return CheckResult(
            "processor", "fail", "it has no AVX, which TensorFlow needs", "Run on, or emulate, a processor with AVX."
        )
    known = [flag for flag in ("avx", "avx2", "fma", "avx512f") if flag in flags]
    return CheckResult("processor", "ok", f"{os.cpu_count()} cores with {', '.join(known)}")


def _model(folder: Path) -> tuple[CheckResult, Manifest | None]:
    if _processor().level == "fail":
        return CheckResult("model", "warn", "not loaded, since TensorFlow would not run"), None
    try:
        manifest = Model.load(folder).manifest
    except SegueError as error:
        return CheckResult("model", "fail", str(error), "Name one that `segue-server models` lists with --model."), None
    return CheckResult(
        "model", "ok", f"{manifest.model_id} with {len(manifest.labels)} genres, from {folder}"
    ), manifest


def _data(folder: Path, *, only_read: bool) -> Iterator[CheckResult]:
    """With a Redis of its own elsewhere a server only reads the snapshots, and may be kept from writing."""
    try:
        if only_read and folder.is_dir():
            list(folder.iterdir())
            yield CheckResult("data folder", "ok", f"{folder} can be read")
            return
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".doctor-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        text = f"{folder} cannot be {'read' if only_read and folder.is_dir() else 'written'}: {error.strerror}"
        yield CheckResult("data folder", "fail", text, "Name another with --data, or mend its permissions.")
        return
    yield CheckResult("data folder", "ok", f"{folder} can be written")
    yield _space(shutil.disk_usage(folder).free)


def _space(free: int) -> CheckResult:
    level: Level = "fail" if free < _NO_SPACE else "warn" if free < _LITTLE_SPACE else "ok"
    advice = "" if level == "ok" else "Make room: a new index is written beside the old ones."
    return CheckResult("disk", level, f"{free / 1e9:.1f} GB are free", advice)


def _catalogue(settings: Settings, manifest: Manifest | None) -> Iterator[CheckResult]:
    try:
        with open_store(settings.data, settings.redis, SERVER_TIMEOUTS) as store:
            yield CheckResult("redis", "ok", f"{store.address} answers")
            yield _persistence(settings.redis)
            yield _fit(store.identity(), store.count(), manifest)
    except SegueError as error:
        yield CheckResult("redis", "fail", str(error))


def _persistence(url: str | None) -> CheckResult:
    """Redis is where the catalogue is; all else can be made from it again."""
    if url is None:
        return CheckResult("persistence", "ok", "the private Redis writes every change to disk within a second")
    with translating_errors(address_of(url)), connect(url, SERVER_TIMEOUTS) as client:
        info = client.info("persistence")
        if info.get("aof_enabled"):
            return CheckResult("persistence", "ok", "Redis writes every change to disk")
        saves = _saves(client)
    if saves == "":
        text, advice = "Redis keeps nothing on disk", "Set appendonly yes in it, or the catalogue ends with it."
    else:
        text, advice = "Redis saves now and then, and loses what came since", "Set appendonly yes in it."
    return CheckResult("persistence", "warn", text, advice)


def _saves(client: Redis) -> str | None:
    """When Redis saves by itself, or None where it does not tell, as those of some providers do not."""
    try:
        return str(client.config_get("save").get("save", ""))
    except ResponseError:
        return None


def _fit(identity: Identity | None, tracks: int, manifest: Manifest | None) -> CheckResult:
    if identity and manifest and identity.key != manifest.key:
        text = f"it was made by {identity.model_id}, and the model is {manifest.model_id}"
        return CheckResult("catalogue", "fail", text, "Start with that model, or index anew with this one.")
    if tracks == 0:
        advice = "Run segue-indexer add FOLDER; until then nothing is recommended."
        return CheckResult("catalogue", "warn", "it is empty", advice)
    return CheckResult("catalogue", "ok", f"{tracks:,} tracks{' by this model' if manifest else ''}")


def _decoders() -> CheckResult:
    if found := shutil.which("ffmpeg"):
        return CheckResult("decoders", "ok", f"libsndfile, and {found} for AAC")
    return CheckResult(
        "decoders",
        "warn",
        "there is no ffmpeg, so AAC, WMA and Matroska are not heard",
        "Install ffmpeg, if you have such files.",
    )


def _ports(settings: Settings) -> Iterator[CheckResult]:
    unix = settings.listen.startswith("unix:")
    yield _socket(settings.listen) if unix else _port("port", settings.listen, _shown(settings))
    if settings.metrics_listen:
        yield _port("metrics port", settings.metrics_listen)


def _socket(address: str) -> CheckResult:
    """Whether a socket can be opened beside the one that may be there, which gRPC replaces."""
    path = Path(address.removeprefix("unix:"))
    beside = path.with_name(path.name[:-1] + "~")  # as long as it, for the length is limited
    try:
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(str(beside))
        beside.unlink()
    except OSError as error:
        problem = f"{address} cannot be opened: {error.strerror or error}"
        return CheckResult("port", "fail", problem, "Name a path in a folder that can be written, of up to 107 bytes.")
    return CheckResult("port", "ok", f"{address} can be opened")


def _shown(settings: Settings) -> CertificateAndKey | None:
    """What a server with these options shows."""
    certificate, key = settings.tls_certificate, settings.tls_key
    return (certificate, key) if certificate and key else None


def _port(what: str, address: str, shown: CertificateAndKey | None = None) -> CheckResult:
    host, _, port = address.rpartition(":")
    try:
        family, kind, _, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            # A port that was in use a moment ago is free to whoever listens.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(place)
    except OSError as error:
        return _taken(what, address, error.strerror or str(error), shown)
    return CheckResult(what, "ok", f"{address} is free")


def _taken(what: str, address: str, problem: str, shown: CertificateAndKey | None) -> CheckResult:
    own = local_address(address)
    if what == "port" and is_local(own) and check(own, timeout=_HEALTH_SECONDS, tls=shown) is None:
        return CheckResult(
            what, "warn", f"a server answers at {address} already, and is well", "Stop it before another is started."
        )
    return CheckResult(what, "fail", f"{address}: {problem}", "Stop what listens there, or name another address.")


def _certificates(settings: Settings) -> Iterator[CheckResult]:
    try:
        end = _shown_until(settings)
    except SegueError as error:
        yield CheckResult("certificate", "fail", str(error))
        return
    if end:
        yield _lifetime((end - datetime.now(UTC)).total_seconds() / 86_400)


def _shown_until(settings: Settings) -> datetime | None:
    """When the certificate ends that callers are shown, by this server or by a balancer before it."""
    if files := tls_files(settings):
        return read_certificates(files).not_after
    if settings.balancer_certificate:
        return certificate_end("balancer-certificate", settings.balancer_certificate)
    return None


def _lifetime(days: float) -> CheckResult:
    if days < 0:
        return CheckResult(
            "certificate", "fail", f"it ended {-days:.0f} days ago", "Renew it; the server reads it again by itself."
        )
    if days < _SOON_DAYS:
        return CheckResult(
            "certificate", "warn", f"it ends in {days:.0f} days", "Renew it; the server reads it again by itself."
        )
    return CheckResult("certificate", "ok", f"it can be used, and ends in {days:.0f} days")


def _tokens(settings: Settings) -> Iterator[CheckResult]:
    if settings.tokens:
        try:
            grants = read_grants(settings.tokens)
        except SegueError as error:
            yield CheckResult("tokens", "fail", str(error))
        else:
            yield _granted([grant.name for grant in grants])
    for warning in exposure_warnings(settings):
        yield CheckResult("access", "warn", warning)


def _granted(names: Sequence[str]) -> CheckResult:
    if not names:
        return CheckResult(
            "tokens", "warn", "there are none, so nobody may call", "Make one by segue-server token new."
        )
    return CheckResult("tokens", "ok", f"{len(names)} may call: {', '.join(names)}")
