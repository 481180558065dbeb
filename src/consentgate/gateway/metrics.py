"""What Prometheus reads: counts by site, summed over all workers. No visitor can be told from another in them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from wsgiref.simple_server import WSGIRequestHandler, make_server

__all__ = ["FOLDER_VARIABLE", "Counts", "Metrics", "forget_worker", "served", "shared_folder"]

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where the workers' counts lie; prometheus-client reads it when it is imported."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Count, in this worker. Labels are the hosts of the configuration, so that their number is bounded."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"consentgate_{name}", text, ("site", *labels), registry=registry)

        self._requests = counter("requests", "Requests answered.", "method", "status")
        self._outages = counter("outages", "Requests that the site behind the gateway did not answer.", "status")
        self.pages = counter("pages", "Whole HTML pages that left the gateway.")
        self.banners = counter("banners", "Pages that asked the visitor.")
        self.choices = counter("choices", "Choices that visitors made.", "outcome")
        self.cookies = counter("cookies_withheld", "Set-Cookie lines that did not leave.", "category")
        self.tags = counter("tags_withheld", "Tags of the site that left inert.", "service")
        self._reloads = Counter("consentgate_reloads", "Reloads of the policy.", ("result",), registry=registry)
        self._seconds = Histogram(
            "consentgate_request_seconds",
            "Time until an answer was complete.",
            ("site",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._open = Gauge(
            "consentgate_open_requests",
            "Requests being answered.",
            ("site",),
            registry=registry,
            multiprocess_mode="livesum",
        )

    def began(self, site: str) -> None:
        """Count a request that came in."""
        self._open.labels(site).inc()

    def ended(self, site: str, method: str, status: int, seconds: float) -> None:
        """Count an answer that is complete."""
        self._open.labels(site).dec()
        self._requests.labels(site, method, str(status)).inc()
        self._seconds.labels(site).observe(seconds)

    def outage(self, site: str, status: int) -> None:
        """Count a request that the site did not answer."""
        self._outages.labels(site, str(status)).inc()

    def reload(self, *, is_right: bool) -> None:
        """Count a reload of the policy in this worker."""
        self._reloads.labels("taken" if is_right else "refused").inc()


class Counts:
    """Count what the gate observes.

    Args:
        metrics: of this worker.
        labels: the hosts of the configuration; any other counts as `default`.
    """

    def __init__(self, metrics: Metrics, labels: Mapping[str, str]) -> None:
        self._metrics = metrics
        self._labels = labels

    def page(self, host: str) -> None:
        """Count a page."""
        self._metrics.pages.labels(self._site(host)).inc()

    def banner(self, host: str) -> None:
        """Count a page that asks."""
        self._metrics.banners.labels(self._site(host)).inc()

    def choice(self, host: str, outcome: str) -> None:
        """Count a choice."""
        self._metrics.choices.labels(self._site(host), outcome).inc()

    def cookie_withheld(self, host: str, category: str) -> None:
        """Count a cookie that was not set."""
        self._metrics.cookies.labels(self._site(host), category or "undeclared").inc()

    def tag_withheld(self, host: str, service: str) -> None:
        """Count a tag that left inert."""
        self._metrics.tags.labels(self._site(host), service).inc()

    def _site(self, host: str) -> str:
        return self._labels.get(host, "default")


@contextmanager
def shared_folder() -> Iterator[str]:
    """Make the folder of the workers' counts, and take it away at the end."""
    with tempfile.TemporaryDirectory(prefix="consentgate-metrics-") as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield folder
        finally:
            os.environ.pop(FOLDER_VARIABLE, None)


def forget_worker(pid: int) -> None:
    """Take a worker that has ended out of what counts the living; its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: Prometheus asks every few seconds."""


def served(host: str, port: int) -> ThreadingHTTPServer:
    """Return a server that answers `/metrics` with the counts of all workers; the caller runs it.

    Raises:
        OSError: when nothing can listen there.
    """
    from prometheus_client import CollectorRegistry, make_wsgi_app
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    app = make_wsgi_app(registry)
    return make_server(host, port, app, handler_class=_Quiet)  # type: ignore[return-value]
