"""The operating condition of a machine: fixed, by time table, from an MQTT topic or a call."""

from __future__ import annotations

import threading
from datetime import datetime, time
from typing import Annotated, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from dgmix.config import Settings

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)


class Shift(Settings):
    """A stretch of the week with a condition; one that ends before it begins ends the next day."""

    name: str
    days: list[Day] = Field(default=list(DAYS), min_length=1)
    begin: time = Field(alias="from")
    end: time = Field(alias="to")

    def holds(self, moment: datetime) -> bool:
        """Say whether a local time lies in it."""
        today, before = DAYS[moment.weekday()], DAYS[(moment.weekday() - 1) % 7]
        at = moment.time()
        if self.begin < self.end:
            return today in self.days and self.begin <= at < self.end
        return (today in self.days and at >= self.begin) or (before in self.days and at < self.end)


class ConditionSettings(Settings):
    """Where the condition comes from; without any of these it is not known."""

    fixed: str | None = None
    timetable: Annotated[list[Shift], Field(min_length=1)] | None = None
    mqtt: str | None = Field(None, description="a topic whose payload is the condition's name")
    http: bool = Field(False, description="by PUT /api/v1/machines/NAME/condition")
    time_zone: str = Field("UTC", description="of the time table")
    expires: Annotated[float, Field(gt=0)] | None = Field(
        None, description="seconds after which a condition that was sent is not believed any more"
    )

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"no time zone is called {name}") from error
        return name

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.fixed is not None, self.timetable is not None, bool(self.mqtt), self.http]
        if sum(given) > 1:
            raise ValueError("choose one of fixed, timetable, mqtt and http")
        return self

    @property
    def names(self) -> list[str]:
        """The conditions that the settings name."""
        if self.fixed is not None:
            return [self.fixed]
        return sorted({shift.name for shift in self.timetable or []})


class Condition:
    """The condition of one machine at any time; other threads may set it."""

    def __init__(self, settings: ConditionSettings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._sent: tuple[str | None, float] = (None, 0.0)

    def set(self, name: str | None, now: float) -> None:
        """Take a condition that was sent, at a time (UTC seconds)."""
        with self._lock:
            self._sent = ((name or "").strip() or None, now)

    def at(self, now: float) -> str | None:
        """Return the condition at a time (UTC seconds), or None where it is not known."""
        if self.settings.fixed is not None:
            return self.settings.fixed
        if self.settings.timetable is not None:
            moment = datetime.fromtimestamp(now, ZoneInfo(self.settings.time_zone))
            shifts = (shift.name for shift in self.settings.timetable if shift.holds(moment))
            return next(shifts, None)
        with self._lock:
            name, since = self._sent
        expires = self.settings.expires
        return None if expires is not None and abs(now - since) > expires else name
