"""``python -m segue.trainer``."""

from segue.trainer.cli import main

main()
