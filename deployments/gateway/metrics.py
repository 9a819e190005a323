"""Metrics for Prometheus: what is asked of this gateway, and how the installation behind it stands.

Requests are counted by each process; with PROMETHEUS_MULTIPROC_DIR, named before the processes start, they add up.
The rest is looked up when the metrics are asked for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from blocks.catalog.census import Census
from blocks.errors import ReforgeError
from blocks.model.ticket import ORDER, TERMINAL
from blocks.ports import Ports

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
NOTHING = "0" * 64
"""What no file is named."""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600)
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The requests of this process, and what is told of all of them and of the installation."""

    def __init__(self, ports: Ports) -> None:
        self._installation = Installation(ports)
        self._registry = CollectorRegistry()
        self.requests = Histogram(
            "reforge_http_request_seconds",
            "Requests by route, method and status, and the seconds until they were answered",
            ("route", "method", "status"),
            registry=self._registry,
            buckets=_BUCKETS,
        )

    def text(self) -> bytes:
        """Everything, in Prometheus's format."""
        registry = self._registry
        if os.environ.get(_FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        installation = CollectorRegistry()
        installation.register(self._installation)
        return generate_latest(registry) + generate_latest(installation)


class Installation(Collector):
    """Tickets by state, the queue, what stages took, and how fast catalog and store answer just now."""

    def __init__(self, ports: Ports) -> None:
        self._census = Census(ports.catalog.database)
        self._store = ports.store

    def collect(self) -> Iterator[Metric]:
        """Look it up; a server that doesn't answer has no latency and is told to be down."""
        up = GaugeMetricFamily("reforge_up", "Whether it answers", labels=["server"])
        took = GaugeMetricFamily("reforge_latency_seconds", "How long it took to answer", labels=["server"])
        states: dict[str, int] = {}
        asked: dict[str, Callable[[], object]] = {
            "catalog": lambda: states.update(self._census.states()),
            "store": lambda: self._store.has(NOTHING),
        }
        seconds = {server: _seconds(ask) for server, ask in asked.items()}
        for server, each in seconds.items():
            up.add_metric([server], each is not None)
            if each is not None:
                took.add_metric([server], each)
        yield from (up, took)
        yield from self._counted(states) if seconds["catalog"] is not None else ()

    def _counted(self, states: dict[str, int]) -> Iterator[Metric]:
        tickets = GaugeMetricFamily("reforge_tickets", "Image tickets by state", labels=["state"])
        for state in (*ORDER, *sorted(TERMINAL - {*ORDER})):
            tickets.add_metric([state], states.get(state, 0))
        waiting = states.get("requested", 0)
        yield tickets
        yield GaugeMetricFamily("reforge_queue_length", "Tickets that no run works on yet", value=waiting)
        yield from self._stages()

    def _stages(self) -> Iterator[Metric]:
        seconds = CounterMetricFamily("reforge_stage_seconds", "Seconds that stages took", labels=["stage"])
        times = CounterMetricFamily("reforge_stage_runs", "How often stages were run", labels=["stage"])
        for stage, took in self._census.stages().items():
            seconds.add_metric([stage], took.seconds)
            times.add_metric([stage], took.times)
        yield from (seconds, times)


class Measured:
    """Measures each request from its first to its last byte."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), "500"

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(route, method, status).observe(time.perf_counter() - begun)


def _seconds(ask: Callable[[], object]) -> float | None:
    begun = time.perf_counter()
    try:
        ask()
    except ReforgeError:
        return None
    return time.perf_counter() - begun
