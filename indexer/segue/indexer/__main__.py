"""``python -m segue.indexer``."""

from segue.indexer.cli import main

if __name__ == "__main__":
    main()
