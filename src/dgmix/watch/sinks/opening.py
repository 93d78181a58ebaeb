"""The sinks that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dgmix.watch.hub import Hub
from dgmix.watch.settings import MachineSettings, WatchSettings
from dgmix.watch.sinks.base import Sink

MQTT = "mqtt"


def sink_names(settings: WatchSettings) -> list[str]:
    """Return the names of all sinks, without making any."""
    return [*([MQTT] if settings.mqtt else []), *settings.named_sinks]


def open_sinks(
    settings: WatchSettings,
    hub: Hub,
    every: Mapping[str, float],
    conditions: Callable[[str, str], None] = lambda _machine, _name: None,
    client_id: str = "",
) -> list[Sink]:
    """Return the sinks of settings.

    `every` is how many seconds pass between windows of each machine. Raises `InputError` where a
    package is missing or an address is none.
    """
    sinks: list[Sink] = []
    if settings.mqtt:
        from dgmix.watch.sinks.mqtt import Mqtt

        machines: dict[str, tuple[MachineSettings, float]] = {
            machine.name: (machine, every.get(machine.name, 10.0)) for machine in settings.machines
        }
        sinks.append(Mqtt(settings.mqtt, settings.site, machines, hub, conditions, client_id))
    if settings.webhooks:
        from dgmix.watch.sinks.webhook import Webhook

        sinks += [Webhook(each) for each in settings.webhooks]
    if settings.apprise:
        from dgmix.watch.sinks.apprise import AppriseSink

        sinks += [AppriseSink(each) for each in settings.apprise]
    return sinks
