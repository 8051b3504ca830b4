"""The engines that run networks, for programs that must start without loading one."""

from __future__ import annotations

from typing import Literal

EngineChoice = Literal["auto", "onnx", "tensorflow"]
"""An engine as settings name it; "auto" is ONNX Runtime where it and a twin of the artifact exist, else TensorFlow."""

ENGINE_NAMES = {"onnx": "ONNX Runtime", "tensorflow": "TensorFlow"}
"""The names of the engines for people."""
