"""A real broker: acknowledgement, last will, Home Assistant's discovery, restarts."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from programs import broker, eventually, free_port, need
from watch_parts import TurnedClock

from dgmix.watch.hub import Hub
from dgmix.watch.settings import WatchSettings
from dgmix.watch.sinks.base import SinkError
from dgmix.watch.sinks.delivery import Delivery
from dgmix.watch.sinks.mqtt import Mqtt
from dgmix.watch.store import queries, rows
from dgmix.watch.store.rows import Message
from dgmix.watch.store.store import Store

pytestmark = pytest.mark.live
Make = Callable[..., WatchSettings]
EVENT = "dgmix/dgmix/pump/event"


class Ear:
    """A client that hears everything, with a session that the broker keeps."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, str, bool]] = []
        self._ready = threading.Event()
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="ear", clean_session=False
        )
        self.client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.on_message = lambda _client, _data, each: self.messages.append(
            (each.topic, each.payload.decode(), each.retain)
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self._ready.wait(30)

    def payloads(self, topic: str) -> list[Any]:
        return [json.loads(payload) for at, payload, _ in self.messages if at == topic]

    def last(self, topic: str) -> str | None:
        return next((text for at, text, _ in reversed(self.messages) if at == topic), None)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def hearing(port: int) -> Iterator[Ear]:
    ear = Ear(port)
    try:
        yield ear
    finally:
        ear.close()


@pytest.fixture
def port() -> int:
    need("mosquitto")
    return free_port()


def sink_of(
    settings: WatchSettings, hub: Hub, conditions: Callable[[str, str], None] = lambda *_: None
) -> Mqtt:
    assert settings.mqtt is not None
    machines = {each.name: (each, 10.0) for each in settings.machines}
    return Mqtt(settings.mqtt, settings.site, machines, hub, conditions)


def body(number: int) -> dict[str, Any]:
    return {"id": str(number), "machine": "pump", "kind": "anomaly", "type": "raise", "site": "s"}


def test_home_assistant_learns_of_the_machine_and_again_when_it_starts(
    port: int, tmp_path: Path, make_settings: Make
) -> None:
    settings = make_settings(
        {"title": "Feed pump", "condition": {"mqtt": "plant/speed"}},
        mqtt={"host": "127.0.0.1", "port": port},
    )
    hub, conditions = Hub(), []
    config = "homeassistant/binary_sensor/dgmix_dgmix_pump/problem/config"
    with broker(port, tmp_path / "broker"), hearing(port) as ear:
        sink = sink_of(settings, hub, lambda *given: conditions.append(given))
        sink.start()
        eventually(lambda: ear.last("dgmix/dgmix/status") == "online")
        first = json.loads(ear.last(config) or "{}")
        assert first["unique_id"] == "dgmix_dgmix_pump_problem"
        assert first["device"]["name"] == "Feed pump"
        topics = {at for at, _, _ in ear.messages if at.startswith("homeassistant/")}
        assert {at.split("/")[1] for at in topics} == {"sensor", "binary_sensor", "event"}
        hub.publish("pump", {"score": 2.5, "p_value": 0.01, "source": "listening", "events": []})
        eventually(lambda: ear.last("dgmix/dgmix/pump/status") == "online")
        hub.publish("pump", {"events": ["anomaly"]})
        eventually(
            lambda: json.loads(ear.last("dgmix/dgmix/pump/state") or "{}")["problem"] == "ON"
        )
        ear.messages.clear()
        ear.client.publish("homeassistant/status", "online", 1)
        ear.client.publish("plant/speed", "1500rpm", 1)
        eventually(lambda: ear.last(config))
        eventually(lambda: conditions == [("pump", "1500rpm")])
        sink.close()
        eventually(lambda: ear.last("dgmix/dgmix/status") == "offline")


def test_a_watch_that_dies_is_reported_offline_by_its_last_will(
    port: int, tmp_path: Path, make_settings: Make
) -> None:
    settings = make_settings(mqtt={"host": "127.0.0.1", "port": port})
    with broker(port, tmp_path / "broker"), hearing(port) as ear:
        sink = sink_of(settings, Hub())
        sink.start()
        eventually(lambda: ear.last("dgmix/dgmix/status") == "online")
        sink._client.loop_stop()
        socket = sink._client.socket()
        assert socket is not None
        socket.close()
        eventually(lambda: ear.last("dgmix/dgmix/status") == "offline")


def test_delivered_means_acknowledged(port: int, tmp_path: Path, make_settings: Make) -> None:
    settings = make_settings(mqtt={"host": "127.0.0.1", "port": port, "timeout": 0.5})
    sink = sink_of(settings, Hub())
    sink.start()
    with pytest.raises(SinkError, match=r"not connected to 127\.0\.0\.1"):
        sink.deliver(body(1))
    with broker(port, tmp_path / "broker"), hearing(port) as ear:
        eventually(sink._connected.is_set)
        sink.deliver(body(2))
        eventually(lambda: ear.payloads(EVENT))
        (event,) = ear.payloads(EVENT)
        assert (event["id"], event["event_type"]) == ("2", "anomaly raise")
    sink.close()


def test_a_broker_that_is_away_for_an_hour_gets_everything_in_order(
    port: int, tmp_path: Path, make_settings: Make, store: Store, clock: TurnedClock
) -> None:
    settings = make_settings(mqtt={"host": "127.0.0.1", "port": port, "timeout": 0.2})

    def put(*numbers: int) -> None:
        for number in numbers:
            message = Message("pump", clock.now(), body(number), str(number))
            store.write_now(lambda to, message=message: rows.insert_message(to, message, ["mqtt"]))

    sink = sink_of(settings, Hub())
    delivery = Delivery(sink, store)
    sink.start()
    folder = tmp_path / "broker"
    with broker(port, folder), hearing(port) as ear:
        put(1, 2, 3)
        eventually(lambda: delivery.step() and not store.read(queries.waiting, "mqtt"))
        eventually(lambda: len(ear.payloads(EVENT)) == 3)
    put(*range(4, 10))
    end = clock.monotonic() + 3600
    while clock.monotonic() < end:
        clock.turn(delivery.step())
    assert len(store.read(queries.waiting, "mqtt")) == 6
    with broker(port, folder), hearing(port) as ear:
        eventually(lambda: delivery.step() and not store.read(queries.waiting, "mqtt"))
        eventually(lambda: {"9"} <= {each["id"] for each in ear.payloads(EVENT)})
        ids = [int(each["id"]) for each in ear.payloads(EVENT)]
    assert sorted(set(ids)) == list(range(4, 10))
    assert list(Counter(ids)) == list(range(4, 10))
    sink.close()
