"""Runs ``segue-server`` as ``python -m segue.server``."""

from segue.server.cli.main import main

main(prog_name="segue-server")
