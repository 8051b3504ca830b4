"""Attacks a server, or the servers behind docker/'s balancer, and measures honest callers meanwhile.

    python -m tests.attack.run [--balanced] [--seconds N] [--model NAME]

The attack is 1,000 idle connections, 300 half-sent messages of 32 MiB, and streams that are reset at once, all from one
machine, in a process of its own. Prints the time of health checks over new connections, the time of an honest call of
Classify or how it was refused, and the memory, before the attack, during it, and after it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.client import Client, Credentials, SegueError
from segue.server.security.tokens import SCOPES, new_token
from tests.attack.flood import Target, keep_idle, reset_streams, send_half
from tests.helpers.clips import wav
from tests.helpers.machine.ports import free_port
from tests.load.balanced import Server, balanced, new_secrets
from tests.load.servers import Memory

_RECOVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Victim:
    """Servers under attack.

    Attributes:
        target: the port that is attacked.
        health: the address whose health is measured.
        credentials: those of the honest caller.
        pids: process ids of the servers.
    """

    target: Target
    health: str
    credentials: Credentials
    pids: list[int]


@dataclass
class Measured:
    """The answers that honest callers got.

    Attributes:
        health: seconds of each health check; infinity for one that failed.
        classify: seconds of each call of Classify that succeeded.
        refusals: the reasons of the others.
    """

    health: list[float] = field(default_factory=list)
    classify: list[float] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


@contextmanager
def bare(folder: Path, model: str) -> Iterator[Victim]:
    """Yields a server with tokens and a port for health."""
    made = {name: new_token(name, list(SCOPES)) for name in ("honest", "hostile")}
    (folder / "tokens.toml").write_text("".join(f"{grant.line}\n" for _, grant in made.values()))
    health = f"127.0.0.1:{free_port()}"
    options = ("--data", folder / "data", "--model", model, "--tokens", folder / "tokens.toml")
    server = Server(folder / "server.log", *options, "--health-listen", health)
    try:
        server.wait_until_serving()
        target = Target(server.address, tls=False, token=made["hostile"][0])
        yield Victim(target, health, Credentials(token=made["honest"][0]), [server.process.pid])
    finally:
        server.stop()


@contextmanager
def behind_balancer(folder: Path, model: str) -> Iterator[Victim]:
    """Yields two servers behind docker/'s balancer."""
    secrets = folder / "secrets"
    secrets.mkdir()
    new_secrets(secrets)
    token, grant = new_token("hostile", list(SCOPES))
    with (secrets / "tokens.toml").open("a") as file:
        file.write(f"{grant.line}\n")
    with balanced(folder, secrets, "--data", folder / "data", "--model", model) as running:
        target = Target(running.address, tls=True, token=token)
        yield Victim(target, running.address, running.credentials, [server.process.pid for server in running.servers])


def attack(target: Target) -> None:
    """Attacks until the process is ended."""

    async def all_at_once() -> None:
        await asyncio.gather(keep_idle(target, 500, 500), send_half(target, 300), reset_streams(target, 4))

    logging.getLogger("asyncio").disabled = True  # it reports each connection that the other side ends
    asyncio.run(all_at_once())


@contextmanager
def attacked(target: Target) -> Iterator[None]:
    """Attacks for the duration of the block."""
    process = multiprocessing.get_context("spawn").Process(target=attack, args=(target,), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def check_health(victim: Victim) -> float:
    """Returns the seconds of a health check over a new connection; infinity if it fails."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    credentials = victim.credentials.for_channel()
    start = time.perf_counter()
    opened = (
        grpc.secure_channel(victim.health, credentials, options)
        if credentials
        else grpc.insecure_channel(victim.health, options)
    )
    with opened as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        except grpc.RpcError:
            return float("inf")
    return time.perf_counter() - start


def measure(victim: Victim, client: Client, seconds: float) -> Measured:
    """Measures honest callers for some seconds."""
    measured, end, clip = Measured(), time.monotonic() + seconds, wav(10)

    def classify_repeatedly() -> None:
        while time.monotonic() < end:
            start = time.perf_counter()
            try:
                client.classify(clip)
                measured.classify.append(time.perf_counter() - start)
            except SegueError as error:
                measured.refusals.append(error.reason)
            time.sleep(0.05)

    caller = threading.Thread(target=classify_repeatedly)
    caller.start()
    while time.monotonic() < end:
        measured.health.append(check_health(victim))
        time.sleep(0.2)
    caller.join()
    return measured


def describe(measured: Measured) -> str:
    """Returns the figures as one line."""
    classify = f"{1e3 * statistics.median(measured.classify):.0f} ms" if measured.classify else "none"
    refused = {reason: measured.refusals.count(reason) for reason in measured.refusals}
    health = (
        f"health at most {1e3 * max(measured.health):.0f} ms, median {1e3 * statistics.median(measured.health):.0f} ms"
    )
    return f"{health}; Classify {len(measured.classify)} calls, median {classify}, refused {refused or 'none'}"


def run(
    victim: Victim, seconds: float, show: Callable[[str], object] = lambda _: None
) -> tuple[Measured, Measured, Measured]:
    """Returns what honest callers met before, during and after the attack, and shows it."""
    memories = [Memory(pid) for pid in victim.pids]
    with Client(victim.target.address, credentials=victim.credentials, wait_for_ready=True) as client:
        client.classify(wav(10))
        quiet = measure(victim, client, min(seconds, 5))
        show(f"quiet:  {describe(quiet)}; memory {_peak(memories)}")
        with attacked(victim.target):
            time.sleep(min(seconds, 5))
            during = measure(victim, client, seconds)
        show(f"attack: {describe(during)}; memory {_peak(memories)}")
        time.sleep(_RECOVERY_SECONDS)
        after = measure(victim, client, min(seconds, 5))
        show(f"after:  {describe(after)}; memory {_text(memory.now() for memory in memories)}")
    return quiet, during, after


def _peak(memories: list[Memory]) -> str:
    return _text(memory.peak for memory in memories)


def _text(mebibytes: Iterable[float]) -> str:
    return " and ".join(f"{value:.0f}" for value in mebibytes) + " MiB"


def main() -> None:
    """Attacks once, and prints three lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--balanced", action="store_true")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--model", default="segue-accurate")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="segue-attack-") as name, ExitStack() as stack:
        start = behind_balancer if arguments.balanced else bare
        run(stack.enter_context(start(Path(name), arguments.model)), arguments.seconds, print)


if __name__ == "__main__":
    main()
