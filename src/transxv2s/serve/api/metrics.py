"""Counts and durations for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The server's own registry, so that two servers in one process do not count together."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter(
            "transxv2s_requests", "Requests answered", (*labels, "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "transxv2s_request_seconds",
            "Time to answer a request",
            labels,
            buckets=SECONDS,
            registry=self._registry,
        )
        self._findings = Counter(
            "transxv2s_findings", "Images examined", ("decision",), registry=self._registry
        )
        self._queue = self._gauge("transxv2s_queue_length", "Images that wait for a worker")
        self._restarts = self._gauge("transxv2s_worker_restarts", "Workers that were lost and replaced")
        self._waiting = self._gauge("transxv2s_waiting_cases", "Cases that wait for an expert")

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self._registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request by the template of its route: addresses hold ids."""
        known = method if method in METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)

    def finding(self, decision: str) -> None:
        """Counts an examined image."""
        self._findings.labels(decision).inc()

    def text(self, *, queue: int, restarts: int, waiting: int) -> bytes:
        """All of it in Prometheus' text format."""
        self._queue.set(queue)
        self._restarts.set(restarts)
        self._waiting.set(waiting)
        return generate_latest(self._registry)
