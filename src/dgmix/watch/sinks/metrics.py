"""`/metrics`: what Prometheus scrapes and Grafana draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dgmix.watch.hub import Hub
from dgmix.watch.store import queries
from dgmix.watch.store.store import Store

STATES = ("connecting", "listening", "silent", "lost", "failed")


def metrics_text(
    machines: Sequence[str], hub: Hub, store: Store, gauges: dict[str, float]
) -> bytes:
    """Return the metrics in Prometheus' text format; `gauges` are those of the watch itself."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(machines, hub, store, gauges))
    return generate_latest(registry)


class _Collector:
    def __init__(
        self, machines: Sequence[str], hub: Hub, store: Store, gauges: dict[str, float]
    ) -> None:
        self._machines, self._hub, self._store, self._gauges = machines, hub, store, gauges

    def collect(self) -> Iterable[Any]:
        """Yield the metrics."""
        yield from self._machine_metrics()
        yield from self._sink_metrics()
        from prometheus_client.core import GaugeMetricFamily

        for name, value in self._gauges.items():
            yield GaugeMetricFamily(f"dgmix_watch_{name}", name.replace("_", " "), value=value)

    def _machine_metrics(self) -> Iterable[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        numbers = {
            "score": "Anomaly score of the last judged window",
            "p_value": "p-value of the last judged window",
            "judged": "Time of the last judged window, seconds since 1970",
            "wear": "Sum of the slow CUSUM over -log p",
        }
        for key, text in numbers.items():
            family = GaugeMetricFamily(f"dgmix_{key}", text, labels=["machine"])
            for machine in self._machines:
                value = self._hub.values(machine).get(key)
                if value is not None:
                    family.add_metric([machine], value)
            yield family
        problem = GaugeMetricFamily(
            "dgmix_event", "Whether an event lasts", labels=["machine", "kind"]
        )
        source = GaugeMetricFamily(
            "dgmix_source", "What the source does", labels=["machine", "state"]
        )
        skipped = CounterMetricFamily(
            "dgmix_skipped_windows", "Windows not judged", labels=["machine"]
        )
        for machine in self._machines:
            values = self._hub.values(machine)
            for kind in ("anomaly", "new condition", "wear", "unusable", "no sound"):
                problem.add_metric([machine, kind], float(kind in values.get("events", ())))
            for state in STATES:
                source.add_metric([machine, state], float(values.get("source") == state))
            skipped.add_metric([machine], values.get("skipped", 0))
        yield from (problem, source, skipped)

    def _sink_metrics(self) -> Iterable[Any]:
        from prometheus_client.core import GaugeMetricFamily

        waiting = GaugeMetricFamily(
            "dgmix_messages_waiting", "Messages to deliver", labels=["sink"]
        )
        for each in self._store.read(queries.deliveries):
            waiting.add_metric([each["sink"]], each["waiting"])
        yield waiting
