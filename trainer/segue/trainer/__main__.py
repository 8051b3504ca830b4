"""Runs ``segue-trainer`` as ``python -m segue.trainer``."""

from segue.trainer.cli.main import main

main()
