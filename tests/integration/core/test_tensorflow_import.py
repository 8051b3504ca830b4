"""The kernels that TensorFlow uses in processes of Segue."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_USES_ONEDNN = "from tensorflow.python.util._pywrap_util_port import IsMklEnabled as uses; print(uses())"
_ENGINE = f"from segue.core.model.tensorflow_import import import_tensorflow as load; load(); {_USES_ONEDNN}"
_TRAINER = f"""
from contextlib import suppress
from segue.trainer.cli.main import main
with suppress(SystemExit):
    main(["split", "--input", "no-such-folder", "--output", "split.tsv"])
{_USES_ONEDNN}
"""


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="TensorFlow decides on other processors")
@pytest.mark.parametrize("program", [_ENGINE, _TRAINER], ids=["engine", "trainer"])
@pytest.mark.parametrize(("choice", "expected"), [({}, "True"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "False")])
def test_tensorflow_uses_onednn_unless_it_is_turned_off(program: str, choice: dict[str, str], expected: str) -> None:
    """The engine and the trainer choose oneDNN before the import, and leave a choice of the user."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"} | choice
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert expected == done.stdout.strip()
