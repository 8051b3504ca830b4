"""``python -m segue.server`` is ``segue-server``."""

from segue.server.cli.main import main

main()
