"""The settings of each kind of source."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, SecretStr, field_validator

from dgmix.config import Settings

Positive = Annotated[float, Field(gt=0)]
STREAMS = ("rtsp://", "rtsps://", "http://", "https://")


class _Source(Settings):
    silence: Positive = Field(
        30.0, description="seconds of digital silence after which the source counts as silent"
    )
    tell_after: Positive = Field(
        60.0, description="seconds without sound after which an event is raised"
    )

    def resolved(self, folder: Path) -> Self:  # noqa: ARG002
        """Return the same settings with paths as seen from a folder."""
        return self


class CardSettings(_Source):
    """A sound card, by a name that stays the same after a restart."""

    type: Literal["card"]
    device: str = Field(description="part of its name, as `dgmix watch --devices` lists them")
    sample_rate: Annotated[int, Field(gt=0)] | None = Field(None, description="Hz; its own if null")
    channel: Annotated[int, Field(ge=1)] | None = Field(
        None, description="only this one; all are averaged if null"
    )


class StreamSettings(_Source):
    """A camera or an audio stream, read by ffmpeg."""

    type: Literal["stream"]
    url: SecretStr = Field(description="rtsp, rtsps, http or https")
    timeout: Positive = Field(
        10.0, description="seconds that ffmpeg waits; after twice as many the stream is lost"
    )
    sample_rate: Annotated[int, Field(gt=0)] = Field(
        48_000, description="Hz, by ffmpeg; at least that of the detector"
    )
    channel: Annotated[int, Field(ge=1)] | None = Field(
        None, description="only this one; all are averaged if null"
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="of RTSP")
    ffmpeg: str = Field("ffmpeg", description="the program")

    @field_validator("url")
    @classmethod
    def _stream(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().lower().startswith(STREAMS):
            raise ValueError(f"expected an address that begins with {', '.join(STREAMS)}")
        return url


class FolderSettings(_Source):
    """A folder that a recorder fills; each file is judged once, also after a restart."""

    type: Literal["folder"]
    path: Path
    every: Positive = Field(5.0, description="seconds between looks")
    stable: Positive = Field(
        5.0, description="a file is complete when its size has not changed for so many seconds"
    )
    channel: Annotated[int, Field(ge=1)] | None = Field(
        None, description="only this one; all are averaged if null"
    )
    lost_after: Positive = Field(
        3600.0, description="seconds without a new file until the source counts as silent"
    )

    def resolved(self, folder: Path) -> Self:
        """Return the same settings with the path as seen from a folder."""
        return self.model_copy(update={"path": folder / self.path})


class StdinSettings(_Source):
    """Standard input: a WAV stream, or raw samples."""

    type: Literal["stdin"]
    format: Literal["wav", "s16le", "s32le", "f32le"] = "wav"
    sample_rate: Annotated[int, Field(gt=0)] = Field(16_000, description="Hz, of raw samples")
    channels: Annotated[int, Field(ge=1, le=64)] = Field(1, description="of raw samples")


class SimulatedSettings(_Source):
    """A simulated machine, for demonstrations and trials."""

    type: Literal["simulated"]
    machine: str = "fan"
    section: Annotated[int, Field(ge=0)] = 0
    seed: Annotated[int, Field(ge=0)] = 0
    clip_seconds: Positive = 10.0
    severity: Positive = Field(1.0, description="of its fault; 1 is as data sets have it")
    script: list[tuple[Literal["healthy", "broken", "condition", "lost"], Positive]] = Field(
        default=[("healthy", 3600.0)], description="what it does, and for how many seconds; again"
    )
    condition: Annotated[int, Field(ge=0)] = Field(
        0, description="which of its section's target conditions it changes to, from 0"
    )


SourceSettings: TypeAlias = Annotated[
    CardSettings | StreamSettings | FolderSettings | StdinSettings | SimulatedSettings,
    Field(discriminator="type"),
]
