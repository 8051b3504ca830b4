"""The settings of a server, which the command line fills in and every other module reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from segue.core.model.engine import EngineChoice

LogFormat = Literal["text", "json"]
LOG_FORMATS: tuple[LogFormat, ...] = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")
DEFAULT_LISTEN = "127.0.0.1:50051"


@dataclass(frozen=True)
class Settings:
    """Every setting of a server, under the name of its option; ``--help`` describes them for operators.

    Attributes:
        listen: address of the port, HOST:PORT or unix:PATH; port 0 is any free port.
        listen_when_ready: True to open the port only after everything is loaded.
        health_listen: address of a port for health checks alone, or None for none.
        data: folder where Segue keeps its state.
        redis: URL of the Redis server, or None for a private one in ``data``.
        model: folder of the model artifact, or None for the model that built the catalogue, else the default one.
        engine: engine that runs the network.
        workers: number of decoding processes, [1, 256].
        clip_mib: largest clip in one message, in MiB, [1, 256].
        stream_mib: largest clip in a stream, in MiB, [1, 4000].
        spool: folder for the clips of streams, or None for the system's temporary folder.
        receive_mib: memory for messages that are arriving, in MiB, [128, 1,000,000], or None for an eighth of the
            machine's.
        metadata_mib: memory for the metadata of tracks, in MiB, [1, 1,000,000].
        spool_mib: disk space for the clips of all streams, in MiB, [1, 1,000,000].
        queue_seconds: seconds of audio that may be queued or in progress, [1, 1,000,000].
        grace: seconds that calls may take to finish after a stop signal and ``drain``, [0, 3600].
        drain: seconds after a stop signal in which calls are still accepted while health is NOT_SERVING, [0, 3600].
        max_connection_age: seconds after which clients must reconnect, [0, 86,400]; 0 disables it.
        allow_writes: True to let callers write the catalogue.
        recall_sample: share of the searches that are repeated exactly in the background, [0, 1].
        metrics_listen: HOST:PORT of the Prometheus metrics, or None for no metrics port.
        tls_certificate: PEM file with the server's certificate chain, or None for no TLS.
        tls_key: PEM file with the certificate's private key, or None.
        tls_client_ca: PEM file with the roots of client certificates, or None if clients need none.
        balancer_certificate: PEM file with the certificate that a load balancer shows, or None.
        tokens: TOML file of the access tokens, or None if every caller is allowed.
        log_format: "text" or "json".
        log_level: lowest level that is logged.
    """

    listen: str
    listen_when_ready: bool
    health_listen: str | None
    data: Path
    redis: str | None
    model: Path | None
    engine: EngineChoice
    workers: int
    clip_mib: int
    stream_mib: int
    spool: Path | None
    receive_mib: int | None
    metadata_mib: int
    spool_mib: int
    queue_seconds: float
    grace: float
    drain: float
    max_connection_age: float
    allow_writes: bool
    recall_sample: float
    metrics_listen: str | None
    tls_certificate: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    balancer_certificate: Path | None
    tokens: Path | None
    log_format: LogFormat
    log_level: str
