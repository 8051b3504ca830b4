"""``python -m segue.server`` is ``segue-server``."""

from segue.server.cli import main

main()
