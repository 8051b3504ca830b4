from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from segue.trainer.runs.train_run import tensorflow_reason
from tests.helpers.machine.disk import full_disk


def test_the_reason_of_a_full_disk(tmp_path: Path) -> None:
    """Of TensorFlow's message (seen with 2.21), only what the system says is left."""
    module = tf.Module()
    module.variable = tf.Variable(tf.zeros((100, 100)))
    with full_disk(10_000), pytest.raises(tf.errors.OpError) as raised:
        tf.saved_model.save(module, str(tmp_path / "model"))
    assert "File too large" == tensorflow_reason(raised.value)
