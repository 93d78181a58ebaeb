"""Print docs/watch-settings.md, from the models of the watch: `python docs/watch_settings.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dgmix.watch.conditions import ConditionSettings, Shift
from dgmix.watch.settings import (
    AppriseSettings,
    MachineSettings,
    MqttSettings,
    PageSettings,
    RuleSettings,
    StorageSettings,
    WatchSettings,
    WebhookSettings,
    WindowSettings,
)
from dgmix.watch.sources.settings import SourceSettings

INTRODUCTION = """# Settings of `dgmix watch`

Written by `python docs/watch_settings.py > docs/watch-settings.md`; do not edit by hand.

`watch.yaml` has these keys; `dgmix watch --example` writes one with comments. An environment
variable replaces a key: `DGMIX_WATCH_PAGE__PORT=9000` is `port` of `page`."""
SOURCES = get_args(get_args(SourceSettings)[0])
PARTS: dict[str, type[BaseModel]] = {
    "the file": WatchSettings,
    "machines: each": MachineSettings,
    **{
        f"source, type {each.model_fields['type'].annotation.__args__[0]}": each for each in SOURCES
    },
    "condition": ConditionSettings,
    "condition.timetable: each": Shift,
    "window": WindowSettings,
    "rule": RuleSettings,
    "storage": StorageSettings,
    "page": PageSettings,
    "mqtt": MqttSettings,
    "webhooks: each": WebhookSettings,
    "apprise: each": AppriseSettings,
}


def page() -> str:
    """Return the page."""
    return "\n".join([INTRODUCTION, *(line for part in PARTS.items() for line in section(*part))])


def section(name: str, model: type[BaseModel]) -> Iterator[str]:
    """Yield the lines of one part of the settings."""
    yield f"\n## {name}\n"
    about = " ".join((model.__doc__ or "").split())
    yield f"{about}\n"
    yield "| setting | meaning | left out |"
    yield "|---|---|---|"
    for key, field in model.model_fields.items():
        if key != "type":
            yield f"| `{field.alias or key}` | {field.description or ''} | {default(field)} |"


def default(field: FieldInfo) -> str:
    """Return what a setting is where it is left out."""
    if field.is_required():
        return "required"
    value: Any = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return "see below"
    return "–" if value in (None, "", []) else f"`{value}`"


if __name__ == "__main__":
    print(page())
