"""The option ``--engine`` of the programs that run networks."""

from __future__ import annotations

from typing import get_args

import click

from segue.core.model.engine import EngineChoice
from segue.core.settings.options import SettingOption

engine_option = click.option(
    "--engine",
    cls=SettingOption,
    type=click.Choice(get_args(EngineChoice)),
    default="auto",
    help="Engine that runs the network: ONNX Runtime, TensorFlow, or with auto the first of these that can.",
)
"""Declares ``engine``."""
