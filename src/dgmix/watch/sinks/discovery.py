"""What Home Assistant learns of each machine, so that its entities appear by themselves.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from typing import Any, get_args

from dgmix.watch.rule import Kind
from dgmix.watch.settings import MachineSettings, MqttSettings

ACTIONS = ("raise", "clear")
EXPIRES, LEAST_EXPIRES = 10, 60.0
"""A score is not believed any more after so many windows without another, or so many seconds."""


def base_topic(settings: MqttSettings, site: str, machine: str = "") -> str:
    """Return the beginning of a machine's topics, or of those of the whole watch."""
    return "/".join(filter(None, (settings.prefix, site, machine)))


def entities(
    settings: MqttSettings, site: str, machine: MachineSettings, every: float
) -> dict[str, dict[str, Any]]:
    """Return the configuration of each entity of a machine by its discovery topic.

    `every` is how many seconds pass between windows. Identities come from the machine's name, so
    that they stay when its title changes.
    """
    base, name = base_topic(settings, site, machine.name), f"dgmix_{site}_{machine.name}"
    common = {
        "device": {
            "identifiers": [name],
            "name": machine.shown,
            "manufacturer": "dgmix",
            "model": "dgmix watch",
        },
        "availability": [
            {"topic": f"{base_topic(settings, site)}/status"},
            {"topic": f"{base}/status"},
        ],
        "availability_mode": "all",
    }
    return {
        f"{settings.discovery}/{component}/{name}/{entity}/config": {
            "unique_id": f"{name}_{entity}",
            "object_id": f"{name}_{entity}",
            **config,
            **common,
        }
        for (component, entity), config in _configurations(base, every).items()
    }


def _configurations(base: str, every: float) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what differs between the entities, by their component and name."""
    state = {"state_topic": f"{base}/state"}
    number = {
        **state,
        "state_class": "measurement",
        "expire_after": round(max(LEAST_EXPIRES, EXPIRES * every)),
    }
    return {
        ("sensor", "score"): {
            "name": "Anomaly score",
            "value_template": "{{ value_json.score }}",
            **number,
        },
        ("sensor", "p_value"): {
            "name": "p-value",
            "value_template": "{{ value_json.p_value }}",
            **number,
        },
        ("binary_sensor", "problem"): {
            "name": "Problem",
            "device_class": "problem",
            "value_template": "{{ value_json.problem }}",
            "json_attributes_topic": f"{base}/state",
            **state,
        },
        ("event", "event"): {
            "name": "Event",
            "state_topic": f"{base}/event",
            "event_types": [f"{kind} {action}" for kind in get_args(Kind) for action in ACTIONS],
        },
    }
