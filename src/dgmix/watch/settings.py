"""Every setting of a watch: `watch.yaml`, typed, with unit and default; unknown keys are errors.

Environment variables replace what the file says: `DGMIX_WATCH_PAGE__PORT=9000` is `port: 9000` of
`page`, so that passwords need not stand in the file.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from dgmix.config import Settings
from dgmix.config.changes import nearest_setting, nearest_value
from dgmix.errors import InputError
from dgmix.watch.conditions import ConditionSettings
from dgmix.watch.sources.settings import SourceSettings

PREFIX = "DGMIX_WATCH_"
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
MOST_OF = 10
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"


class WindowSettings(Settings):
    """Which stretches of sound are judged."""

    seconds: Positive | None = Field(
        None, description="length; by default that of the recordings learned from"
    )
    every: Positive | None = Field(
        None, description="from the beginning of one to that of the next; by default its length"
    )
    settle: NonNegative = Field(
        2.0, description="seconds after each connection that are not judged"
    )


class RuleSettings(Settings):
    """When a person gets a message."""

    rate: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="false-alarm rate of a single window; by default the detector's"
    )
    windows: Annotated[int, Field(ge=1, le=MOST_OF)] = Field(
        3, description="an event is raised when so many windows are anomalies ..."
    )
    of: Annotated[int, Field(ge=1, le=MOST_OF)] | None = Field(
        None, description="... of so many in a row; by default all of them"
    )
    clear_after: Annotated[int, Field(ge=1, le=100)] = Field(
        5, description="an event is over after so many calm windows in a row"
    )
    clear_factor: Annotated[float, Field(ge=1)] = Field(
        2.0, description="a window is calm when its p-value is above the rate times this"
    )
    stale_minutes: Positive = Field(
        60.0, description="an event ends by itself when no window was judged for so long"
    )
    wear_drift: Positive = Field(
        0.5, description="creeping wear: excess of -log p over a healthy mean that is ignored"
    )
    wear_limit: Positive = Field(
        12.0, description="creeping wear: sum of hourly excesses at which an event is raised"
    )

    @model_validator(mode="after")
    def _of_at_least(self) -> Self:
        if self.of is not None and self.of < self.windows:
            raise ValueError(f"of: {self.of} is less than windows: {self.windows}")
        return self

    @property
    def among(self) -> int:
        """The number of last windows that are looked at."""
        return self.of or self.windows


class MachineSettings(Settings):
    """One machine: where its sound comes from, and what judges it."""

    name: str = Field(description="letters, digits, - and _; part of topics and addresses")
    title: str = Field("", description="what people call it")
    detector: Path = Field(description="a .dgmix file")
    source: SourceSettings
    condition: ConditionSettings = Field(default_factory=ConditionSettings)
    window: WindowSettings = Field(default_factory=WindowSettings)
    rule: RuleSettings = Field(default_factory=RuleSettings)

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not re.match(NAME, name):
            raise ValueError("use letters, digits, - and _ (63 at most), for example pump-1")
        return name

    @property
    def shown(self) -> str:
        """The name that people read."""
        return self.title or self.name


class StorageSettings(Settings):
    """What is kept, and for how long."""

    budget_mb: Positive = Field(2000.0, description="most that clips and database take, in MB")
    least_free_mb: NonNegative = Field(
        500.0, description="no clip is written when the disk has less free than this, in MB"
    )
    before: NonNegative = Field(10.0, description="seconds of sound kept before an event")
    healthy_per_day: NonNegative = Field(
        12.0, description="ordinary windows kept as clips, a day and machine, at random times"
    )
    windows_days: Positive = Field(30.0, description="every judged window is kept so long")
    minutes_days: Positive = Field(90.0, description="sums by minute are kept so long")
    clips_days: Positive | None = Field(
        None, description="clips that are neither pinned nor labelled are removed after so long"
    )


class MqttSettings(Settings):
    """A broker, and Home Assistant behind it."""

    host: str
    port: Annotated[int, Field(gt=0, lt=65536)] = 1883
    username: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    prefix: str = Field("dgmix", description="first part of every topic")
    discovery: str | None = Field(
        "homeassistant", description="Home Assistant's discovery prefix; null sends none"
    )
    timeout: Positive = Field(10.0, description="seconds to wait for the broker's acknowledgement")


class WebhookSettings(Settings):
    """An address that gets each message as JSON by POST, signed with HMAC-SHA256."""

    name: str = "webhook"
    url: SecretStr
    secret: SecretStr | None = None
    timeout: Positive = 10.0


class AppriseSettings(Settings):
    """E-mail and a hundred services, as Apprise addresses them."""

    name: str = "apprise"
    urls: list[SecretStr] = Field(min_length=1)


class PageSettings(Settings):
    """The page and the JSON API."""

    enabled: bool = True
    host: str = Field("127.0.0.1", description="any other address needs a password")
    port: Annotated[int, Field(ge=0, lt=65536)] = 8765
    password: SecretStr | None = None
    names: list[str] = Field(
        default_factory=list, description="further host names, of a proxy, that are let in"
    )
    time_zone: str | None = Field(None, description="of the page, as in Europe/Zurich")

    @model_validator(mode="after")
    def _protected(self) -> Self:
        if self.host not in ("127.0.0.1", "::1", "localhost") and self.password is None:
            raise ValueError(
                f"host: {self.host} can be reached from other computers; set page.password "
                f"(or {PREFIX}PAGE__PASSWORD)"
            )
        return self


class WatchSettings(BaseSettings):
    """All of `watch.yaml`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    site: str = Field("dgmix", description="names this watch among others at one broker")
    state: Path | None = Field(None, description="folder of database, clips and token")
    machines: list[MachineSettings] = Field(min_length=1)
    plugins: list[Path] = Field(
        [],
        description="Python files with encoders, scorers or views of your own that detectors need; "
        "they are run",
    )
    storage: StorageSettings = Field(default_factory=StorageSettings)
    page: PageSettings = Field(default_factory=PageSettings)
    mqtt: MqttSettings | None = None
    webhooks: list[WebhookSettings] = Field(default_factory=list)
    apprise: list[AppriseSettings] = Field(default_factory=list)

    @classmethod
    def settings_customise_sources(  # noqa: D102
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @field_validator("site")
    @classmethod
    def _plain(cls, site: str) -> str:
        if not re.match(NAME, site):
            raise ValueError("use letters, digits, - and _ (63 at most)")
        return site

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        for what, names in (
            ("machine", [machine.name for machine in self.machines]),
            ("webhook or apprise", self.named_sinks),
        ):
            twice = [name for name, count in Counter(names).items() if count > 1]
            if twice:
                raise ValueError(f"two {what} entries are called {twice[0]}; give each its name")
        if sum(machine.source.type == "stdin" for machine in self.machines) > 1:
            raise ValueError("only one machine can have the source stdin")
        return self

    @property
    def named_sinks(self) -> list[str]:
        """The names of webhooks and Apprise entries."""
        return [*(hook.name for hook in self.webhooks), *(each.name for each in self.apprise)]

    @property
    def state_folder(self) -> Path:
        """Where database, clips and token are: systemd's folder, or the user's."""
        import os

        from platformdirs import user_state_path

        given = self.state or os.environ.get("STATE_DIRECTORY")
        return Path(given) if given else user_state_path("dgmix") / "watch" / self.site


def load_settings(path: Path) -> WatchSettings:
    """Return the settings of a file, with relative paths as seen from its folder.

    Raises `InputError` for a file that cannot be read or that says what there is not.
    """
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; `dgmix watch --example` writes one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected settings, as `dgmix watch --example` writes them")
    return parse_settings(values, str(path), path.absolute().parent)


def parse_settings(values: dict[str, Any], name: str, folder: Path | None = None) -> WatchSettings:
    """Return settings from plain values; relative paths are seen from `folder`."""
    try:
        settings = WatchSettings(**values)
    except SettingsError as error:
        raise InputError(
            f"an environment variable {PREFIX}…: {error}; lists and groups are written as JSON"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            reason = f"unknown setting{nearest_setting(where, WatchSettings)}"
        near = nearest_value(first)
        raise InputError(f"{name}: {where + ': ' if where else ''}{reason}{near}") from error
    return settings if folder is None else _resolved(settings, folder)


def _resolved(settings: WatchSettings, folder: Path) -> WatchSettings:
    machines = [
        machine.model_copy(
            update={
                "detector": folder / machine.detector,
                "source": machine.source.resolved(folder),
            }
        )
        for machine in settings.machines
    ]
    state = None if settings.state is None else folder / settings.state
    plugins = [folder / file.expanduser() for file in settings.plugins]
    return settings.model_copy(update={"machines": machines, "state": state, "plugins": plugins})
