"""Calls a server without pause from several threads and counts the failures: python callers.py ADDRESS CLIP CALLS.

Prints "answering" after the first twentieth of the calls, so that a script knows when to disturb the server. Exits with
1 if a call failed in spite of the client's retries. SEGUE_TLS_CA and SEGUE_TOKEN_FILE name the roots to trust and the
file of the token.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from segue.client import Client, Credentials, SegueError

THREADS = 4


def call(client: Client, clip: Path, number: int) -> SegueError | None:
    """Makes a call, classify and recommend by turns, and returns its error."""
    try:
        _ = client.recommend(clip, limit=5) if number % 2 else client.classify(clip)
    except SegueError as error:
        return error
    return None


def main(address: str, clip: Path, calls: int) -> None:
    """Makes the calls, prints the number of failures and the first errors, and exits."""
    token = Path(os.environ["SEGUE_TOKEN_FILE"]).read_text(encoding="utf-8").strip()
    credentials = Credentials(ca=os.environ["SEGUE_TLS_CA"], token=token)
    with Client(address, credentials=credentials) as client, ThreadPoolExecutor(THREADS) as pool:
        outcomes = pool.map(call, itertools.repeat(client), itertools.repeat(clip), range(calls))
        errors = [error for error in announce_start(outcomes, calls // 20) if error]
    print(f"{calls} calls, {len(errors)} failed", *errors[:3], sep="\n")
    sys.exit(1 if errors else 0)


def announce_start(outcomes: Iterable[SegueError | None], first: int) -> Iterator[SegueError | None]:
    """Yields the outcomes, and prints "answering" after the first of them."""
    for number, outcome in enumerate(outcomes):
        if number == first:
            print("answering", flush=True)
        yield outcome


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
