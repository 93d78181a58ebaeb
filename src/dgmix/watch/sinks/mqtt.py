"""A broker: events from the outbox with acknowledgement, the live state retained.

Topics below PREFIX/SITE: `status` (online or offline, the last will), MACHINE/status, MACHINE/state
(JSON, retained), MACHINE/event (JSON, quality of service 1).
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from dgmix.errors import InputError
from dgmix.watch.hub import Hub, Update
from dgmix.watch.settings import MachineSettings, MqttSettings
from dgmix.watch.sinks.base import SinkError
from dgmix.watch.sinks.discovery import base_topic, entities

NAME = "mqtt"
KEEP_ALIVE = 30
MOST_RETRY_SECONDS = 60
ONLINE, OFFLINE = "online", "offline"
AVAILABLE = ("listening", "silent")
STATE_KEYS = ("score", "p_value", "verdict", "view", "condition", "source", "events", "judged")
log = logging.getLogger("dgmix.watch.mqtt")


class Mqtt:
    """A connection to a broker that comes back by itself.

    `machines` are the settings and window interval (s) of each; `conditions` takes what arrives on
    their topics, as (machine, condition).
    """

    name = NAME

    def __init__(
        self,
        settings: MqttSettings,
        site: str,
        machines: Mapping[str, tuple[MachineSettings, float]],
        hub: Hub,
        conditions: Callable[[str, str], None] = lambda _machine, _name: None,
        client_id: str = "",
    ) -> None:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise InputError('mqtt needs `pip install "dgmix[live]"`') from error
        self._settings, self._site, self._machines = settings, site, machines
        self._hub, self._conditions = hub, conditions
        self._connected = threading.Event()
        self._refused = ""
        self._topics = {
            each.condition.mqtt: name for name, (each, _) in machines.items() if each.condition.mqtt
        }
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id or f"dgmix-{site}")
        if settings.username is not None:
            password = settings.password.get_secret_value() if settings.password else None
            self._client.username_pw_set(settings.username, password)
        if settings.tls:
            self._client.tls_set()
        self._client.will_set(self._status, OFFLINE, qos=1, retain=True)
        self._client.reconnect_delay_set(1, MOST_RETRY_SECONDS)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._stop_listening: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        self._client.connect_async(self._settings.host, self._settings.port, KEEP_ALIVE)
        self._client.loop_start()
        self._stop_listening = self._hub.listen(self._on_update)

    def close(self) -> None:
        """Say that the watch is offline, and disconnect."""
        self._stop_listening()
        if self._connected.is_set():
            last = self._client.publish(self._status, OFFLINE, qos=1, retain=True)
            with suppress(RuntimeError, ValueError):  # the broker may just have gone
                last.wait_for_publish(1.0)
        self._client.disconnect()
        self._client.loop_stop()

    def deliver(self, body: dict[str, Any]) -> None:
        """Publish a message and wait for the broker's acknowledgement; else raise `SinkError`."""
        if not self._connected.wait(self._settings.timeout):
            where = f"{self._settings.host}:{self._settings.port}"
            raise SinkError(f"not connected to {where}{self._refused and ': '}{self._refused}")
        machine = body["machine"]
        end = "event" if machine else "test"
        topic = f"{base_topic(self._settings, self._site, machine)}/{end}"
        payload = json.dumps({"event_type": f"{body['kind']} {body['type']}", **body})
        sent = self._client.publish(topic, payload, qos=1)
        try:
            sent.wait_for_publish(self._settings.timeout)
            acknowledged = sent.is_published()
        except (RuntimeError, ValueError) as error:
            raise SinkError(f"not sent: {error}") from error
        if not acknowledged:
            raise SinkError(f"no acknowledgement within {self._settings.timeout:g} s")

    def announce(self) -> None:
        """Publish what Home Assistant has to know, and the state of everything."""
        if self._settings.discovery:
            for machine, every in self._machines.values():
                configurations = entities(self._settings, self._site, machine, every)
                for topic, config in configurations.items():
                    self._client.publish(topic, json.dumps(config), qos=1, retain=True)
        self._client.publish(self._status, ONLINE, qos=1, retain=True)
        for name in self._machines:
            self._publish_state(name, self._hub.values(name))

    @property
    def _status(self) -> str:
        return f"{base_topic(self._settings, self._site)}/status"

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            log.warning("the broker refused: %s", reason)
            return
        self._refused = ""
        topics = [*self._topics, *self._birth_topics]
        if topics:
            client.subscribe([(topic, 1) for topic in topics])
        self.announce()
        self._connected.set()
        log.info("connected to %s:%d", self._settings.host, self._settings.port)

    def _on_disconnect(self, *_: Any) -> None:
        if self._connected.is_set():
            log.warning("connection to %s:%d lost", self._settings.host, self._settings.port)
        self._connected.clear()

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        text = message.payload.decode("utf-8", "replace").strip()
        if message.topic in self._birth_topics:
            if text == ONLINE and not message.retain:
                self.announce()
        elif message.topic in self._topics:
            self._conditions(self._topics[message.topic], text)

    @property
    def _birth_topics(self) -> list[str]:
        return [f"{self._settings.discovery}/status"] if self._settings.discovery else []

    def _on_update(self, update: Update) -> None:
        if self._connected.is_set() and update["machine"] in self._machines:
            self._publish_state(update["machine"], update)

    def _publish_state(self, machine: str, values: Update) -> None:
        base = base_topic(self._settings, self._site, machine)
        available = values.get("source") in AVAILABLE
        self._client.publish(f"{base}/status", ONLINE if available else OFFLINE, 1, retain=True)
        state = {key: values.get(key) for key in STATE_KEYS}
        state["problem"] = "ON" if "anomaly" in (values.get("events") or ()) else "OFF"
        self._client.publish(f"{base}/state", json.dumps(state), qos=0, retain=True)
