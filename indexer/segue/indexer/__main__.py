"""Runs ``segue-indexer`` as ``python -m segue.indexer``."""

from segue.indexer.cli.main import main

if __name__ == "__main__":
    main()
