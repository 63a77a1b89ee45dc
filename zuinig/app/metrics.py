"""Prometheus metrics, in a registry of their own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from zuinig.core.types import Source, Usage

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "zuinig_request_seconds",
            "Time of a request until its last byte.",
            ["method", "route", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._answers = Counter("zuinig_answers", "Answers given.", ["source"], registry=self.registry)
        self._tokens = Counter(
            "zuinig_tokens", "Tokens spent (prompt, completion) and saved.", ["kind"], registry=self.registry
        )
        self._documents = Gauge("zuinig_documents", "Document versions.", ["status"], registry=self.registry)
        # By id: this is scraped with a key of scope read, which is not told of whom there are budgets.
        self._budgets = Gauge(
            "zuinig_budget_used_ratio",
            "Share of a budget that is used in its present period; warnings from 0.8.",
            ["budget", "subject", "period"],
            registry=self.registry,
        )
        self._limited = Counter(
            "zuinig_limited",
            "Requests refused with 429, by the limit that they met.",
            ["limit"],
            registry=self.registry,
        )
        self._shed = Counter(
            "zuinig_shed", "Questions that got no turn: full, timeout, left.", ["reason"], registry=self.registry
        )
        self._vectors = Gauge("zuinig_index_vectors", "Vectors in an index.", ["index"], registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).observe(seconds)

    def answer(self, source: Source, usage: Usage) -> None:
        self._answers.labels(source).inc()
        self._tokens.labels("prompt").inc(usage.prompt_tokens)
        self._tokens.labels("completion").inc(usage.completion_tokens)
        self._tokens.labels("saved").inc(max(0, usage.saved_tokens))

    def limited(self, limit: str) -> None:
        self._limited.labels(limit).inc()

    def shed(self, reason: str) -> None:
        self._shed.labels(reason).inc()

    def render(
        self, documents: dict[str, int], vectors: dict[str, int], budgets: dict[tuple[str, str, str], float]
    ) -> bytes:
        """budgets: the share that is used, by id, subject and period."""
        for status, count in documents.items():
            self._documents.labels(status).set(count)
        for index, count in vectors.items():
            self._vectors.labels(index).set(count)
        self._budgets.clear()  # one that was removed is not shown any more
        for labels, share in budgets.items():
            self._budgets.labels(*labels).set(share)
        return generate_latest(self.registry)
