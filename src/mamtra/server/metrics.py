"""Counters of a server in Prometheus's form."""

from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30)
FACTORS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5)


class Metrics:
    """All counters of one server; a registry of their own, so that tests may start several."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: dict[str, Any] = {"registry": self.registry}
        ProcessCollector(namespace="mamtra", **own)
        self.requests = Counter("mamtra_requests", "Answered requests.", ["route", "code"], **own)
        self.queue_depth = Gauge("mamtra_queue_depth", "Texts that wait.", ["model"], **own)
        self.slots_busy = Gauge("mamtra_slots_busy", "Texts being spoken.", ["model"], **own)
        self.state_bytes = Gauge(
            "mamtra_model_state_bytes", "Bytes of the running batch's state.", ["model"], **own
        )
        self.wait = Histogram(
            "mamtra_wait_seconds", "From arrival to a slot.", buckets=SECONDS, **own
        )
        self.first_audio = Histogram(
            "mamtra_first_audio_seconds",
            "From arrival to the first sample.",
            buckets=SECONDS,
            **own,
        )
        self.realtime = Histogram(
            "mamtra_realtime_factor",
            "Seconds from slot to end for a second of speech.",
            buckets=FACTORS,
            **own,
        )
        self.audio_seconds = Counter("mamtra_audio_seconds", "Seconds of speech made.", **own)
        self.stop_reasons = Counter("mamtra_stop_reason", "Ends of pieces.", ["reason"], **own)
        self.cancelled = Counter("mamtra_cancelled", "Requests whose client went away.", **own)

    def text(self) -> bytes:
        """What ``/metrics`` answers."""
        return generate_latest(self.registry)
