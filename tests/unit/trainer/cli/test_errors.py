from __future__ import annotations

import subprocess
import sys

# Traces a function of each of many networks, as a cross-validation does.
TRACING = """
from segue.trainer.cli.errors import ErrorReportingGroup

group = ErrorReportingGroup()

@group.command("trace")
def trace():
    import tensorflow as tf
    for _ in range(9):
        tf.function(abs)(tf.ones(1))
    again = tf.function(abs)
    for size in range(9):
        again(size)
    print("traced")

group(["trace"])
"""


def test_warnings_of_tensorflow_do_not_reach_the_user() -> None:
    """A function that is traced again is no concern of the user's."""
    ended = subprocess.run([sys.executable, "-c", TRACING], capture_output=True, text=True, check=False)
    assert "traced\n" == ended.stdout
    assert "WARNING:tensorflow" not in ended.stderr
