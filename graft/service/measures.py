"""What is counted for Prometheus. No label has a value that a client can choose."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Measures:
    """The measures of one service."""

    def __init__(self, sha256: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "graft_requests",
            "Requests by path and status.",
            ["path", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "graft_request_seconds",
            "Duration of requests in seconds.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "graft_answers", "Predictions by their answer.", ["answer"], registry=self.registry
        )
        self.refusals = Counter(
            "graft_refusals",
            "Checks that found an input unlike those of the training.",
            ["check"],
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "graft_requests_in_flight", "Uploads that arrive or wait.", registry=self.registry
        )
        self.lost = Counter(
            "graft_workers_lost", "Processes that crashed or were stopped.", registry=self.registry
        )
        model = Gauge(
            "graft_model", "1 for the model that answers.", ["sha256"], registry=self.registry
        )
        model.labels(sha256).set(1)

    def count_prediction(self, answer: str, refused: Sequence[str]) -> None:
        """Count an answer and what spoke against the input."""
        self.answers.labels(answer).inc()
        for check in refused:
            self.refusals.labels(check).inc()

    def render(self) -> bytes:
        """All measures in the format of Prometheus."""
        return generate_latest(self.registry)
