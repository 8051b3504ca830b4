"""Asks a server without pause from several threads: python callers.py ADDRESS CLIP ANSWERS, and counts what fails.

Says "answering" when the first twentieth of the answers is there, so that whoever wants to disturb it knows when.
Exits with 1 if any call failed after the retries that the client makes by itself. SEGUE_TLS_CA and SEGUE_TOKEN_FILE
open the server.
"""

import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from segue.client import Client, Credentials, SegueError

CALLERS = 4


def ask(client: Client, clip: Path, number: int) -> SegueError | None:
    """Classifies, or recommends by turns; answers what went wrong, if anything."""
    try:
        _ = client.recommend(clip, limit=5) if number % 2 else client.classify(clip)
    except SegueError as error:
        return error
    return None


def main(address: str, clip: Path, answers: int) -> None:
    """Asks, and exits with 1 and the first errors if any call failed."""
    token = Path(os.environ["SEGUE_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
    credentials = Credentials(ca=os.environ["SEGUE_TLS_CA"], token=token)
    with Client(address, credentials=credentials) as client, ThreadPoolExecutor(CALLERS) as pool:
        outcomes = pool.map(ask, itertools.repeat(client), itertools.repeat(clip), range(answers))
        failed = [error for error in tell_when_answering(outcomes, answers // 20) if error]
    print(f"{answers} calls, {len(failed)} failed", *failed[:3], sep="\n")
    sys.exit(1 if failed else 0)


def tell_when_answering(outcomes: Iterable[SegueError | None], first: int) -> Iterator[SegueError | None]:
    """Passes the outcomes on, and says when the first have come."""
    for number, outcome in enumerate(outcomes):
        if number == first:
            print("answering", flush=True)
        yield outcome


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
