from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from watch_parts import START, TurnedClock

from dgmix.watch.sinks.base import SinkError
from dgmix.watch.sinks.delivery import Delivery
from dgmix.watch.store import queries, rows
from dgmix.watch.store.rows import Message
from dgmix.watch.store.store import Store


class Recorder:
    """A sink that takes messages, or refuses as often as it is told."""

    name = "recorder"

    def __init__(self, refusals: int = 0) -> None:
        self.taken: list[str] = []
        self.refusals = refusals

    def start(self) -> None: ...

    def close(self) -> None: ...

    def deliver(self, body: dict[str, Any]) -> None:
        if self.refusals:
            self.refusals -= 1
            raise SinkError("nobody answers")
        self.taken.append(body["text"])


def put(store: Store, *texts: str) -> None:
    for text in texts:
        message = Message("pump", store.clock.now(), {"text": text})
        store.write_now(
            lambda to, message=message: rows.insert_message(to, message, ["recorder", "other"])
        )


def test_in_order_once_each(store: Store) -> None:
    sink = Recorder()
    put(store, *map(str, range(50)))
    delivery = Delivery(sink, store)
    while store.read(queries.waiting, "recorder"):
        delivery.step()
    assert sink.taken == list(map(str, range(50)))
    assert len(store.read(queries.waiting, "other", 100)) == 50


def test_a_failure_keeps_the_order_and_waits_longer_each_time(store: Store) -> None:
    sink = Recorder(refusals=8)
    put(store, "a", "b")
    delivery = Delivery(sink, store)
    waits = [delivery.step() for _ in range(8)]
    assert sink.taken == []
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    (state,) = [each for each in store.read(queries.deliveries) if each["sink"] == "recorder"]
    assert (state["waiting"], state["error"]) == (2, "nobody answers")
    delivery.step()
    assert sink.taken == ["a", "b"]
    (state,) = [each for each in store.read(queries.deliveries) if each["sink"] == "recorder"]
    assert (state["waiting"], state["delivered"], state["error"]) == (0, 2, None)


def test_over_a_restart_nothing_is_forgotten(tmp_path: Path, clock: TurnedClock) -> None:
    with Store(tmp_path / "state", clock) as store:
        put(store, "a", "b", "c")
        sink = Recorder()
        sink.deliver(json.loads(store.read(queries.waiting, "recorder")[0]["body"]))
    with Store(tmp_path / "state", clock) as store:
        Delivery(sink, store).step()
    assert sink.taken == ["a", "a", "b", "c"]  # the first was sent, and not noted: sent again


def test_what_cannot_be_delivered_for_a_week_is_given_up(store: Store, clock: TurnedClock) -> None:
    sink = Recorder(refusals=10**6)
    put(store, "old")
    delivery = Delivery(sink, store)
    delivery.step()
    clock.turn(8 * 86_400)
    put(store, "new")
    sink.refusals = 1
    delivery.step()
    assert sink.taken == ["new"]
    (state,) = [each for each in store.read(queries.deliveries) if each["sink"] == "recorder"]
    assert (state["given_up"], state["delivered"]) == (1, 1)


def test_start_is_not_now(caplog: pytest.LogCaptureFixture, store: Store) -> None:
    caplog.set_level(logging.WARNING)
    put(store, "a")
    Delivery(Recorder(1), store).step()
    assert "message not delivered: nobody answers" in caplog.text
    assert store.clock.now() == START
