"""Checks of the machine and of the model that runs on it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

from segue.core.audio.decoders.confinement import confinement
from segue.core.errors import EnvironmentUnusable, SegueError
from segue.core.model.engine import ENGINE_NAMES, EngineChoice
from segue.core.model.known_models import require_model
from segue.core.model.load_model import load_model
from segue.core.model.trained_model import Model
from segue.core.quantities import quantity
from segue.core.redis_catalogue.client import SERVER_TIMEOUTS
from segue.core.redis_catalogue.open import open_store
from segue.server.live_catalogue.remembered_model import remembered_model
from segue.server.preflight.check_result import CheckResult
from segue.server.settings import Settings

_PACKAGES = ("segue", "grpcio", "protobuf", "onnxruntime", "tensorflow-cpu", "tensorflow", "numpy", "hnswlib", "redis")


def check_versions() -> CheckResult:
    """Returns the versions of Python and of the packages that matter."""
    packages = [f"{name} {version(name)}" for name in _PACKAGES if _is_installed(name)]
    return CheckResult("versions", "ok", ", ".join([f"Python {platform.python_version()}", *packages]))


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ModuleNotFoundError:  # the base class of PackageNotFoundError
        return False


def check_processor(engine: EngineChoice) -> CheckResult:
    """Checks for AVX: TensorFlow's wheels for x86 use it unchecked, and die with SIGILL without it.

    Args:
        engine: the engine of the settings.
    """
    cpuinfo = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not cpuinfo.exists():
        return CheckResult("processor", "ok", f"{platform.machine()}, {os.cpu_count()} cores")
    flags = set(cpuinfo.read_text(encoding="utf-8", errors="replace").partition("flags")[2].partition("\n")[0].split())
    if "avx" not in flags and engine != "onnx":
        advice = "Run on, or emulate, a processor with AVX, or name --engine onnx."
        return CheckResult("processor", "fail", "it has no AVX, which TensorFlow needs", advice)
    known = [flag for flag in ("avx", "avx2", "fma", "avx512f") if flag in flags]
    return CheckResult("processor", "ok", f"{os.cpu_count()} cores with {', '.join(known) or 'no AVX'}")


def check_model(settings: Settings, processor: CheckResult) -> tuple[CheckResult, Model | None]:
    """Loads the model of the settings or of the catalogue, unless the processor cannot run it.

    Returns:
        The result, and the model if it loads.
    """
    if processor.level == "fail":
        return CheckResult("model", "warn", "not loaded, since TensorFlow cannot run here"), None
    try:
        folder = require_model(settings.model) if settings.model else _remembered_model(settings)
        model = load_model(folder, settings.engine)
    except EnvironmentUnusable as error:
        return CheckResult("model", "fail", str(error)), None
    except SegueError as error:
        advice = "Give --model the name or the folder of one that `segue-server models` lists."
        return CheckResult("model", "fail", str(error), advice), None
    manifest = model.manifest
    genres, engine = quantity(len(manifest.labels), "genre"), ENGINE_NAMES[model.engine]
    text = f"{manifest.model_id} with {genres}, by {engine}, from {folder}"
    return CheckResult("model", "ok", text), model


def _remembered_model(settings: Settings) -> Path:
    with ExitStack() as opened:
        store = open_store(settings.data, settings.redis, SERVER_TIMEOUTS)
        return remembered_model(settings.data, lambda: opened.enter_context(store))


def check_decoders() -> Iterator[CheckResult]:
    """Checks for ffmpeg, and says whether it is confined."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        text = "there is no ffmpeg, so AAC, WMA, Matroska and others cannot be decoded"
        yield CheckResult("decoders", "warn", text, "Install ffmpeg if you have such files.")
        return
    yield CheckResult("decoders", "ok", f"libsndfile, miniaudio, and {ffmpeg} for AAC, WMA, Matroska and others")
    confined = confinement(ffmpeg)
    answer = f"yes, by {confined.command[0]}" if confined.command else f"no, because {confined.problem}"
    # Most machines cannot, and ffmpeg opens nothing but its input anyway.
    yield CheckResult("confinement", "ok", f"ffmpeg runs without network and files: {answer}")
