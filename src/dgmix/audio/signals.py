"""Which signals are compared of a recording of several channels, and how they are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.config import AudioSettings
from dgmix.errors import InputError

Samples = NDArray[np.float32]

MEAN = 0


@dataclass(frozen=True, slots=True)
class Signal:
    """A channel, or the mean of all; where `reference` is a channel, without what that hears too.

    Channels are numbered from 1, as recorders number them; 0 stands for the mean of all channels
    but the reference, or for no reference.
    """

    channel: int
    reference: int = 0

    def __str__(self) -> str:
        """Return its name: "2", "mean", or "1-2" for channel 1 without what channel 2 hears."""
        channel = str(self.channel) if self.channel else "mean"
        return f"{channel}-{self.reference}" if self.reference else channel


def words_of(signal: str) -> str:
    """Return what a signal is by its name: "channel 1 without what channel 2 picks up too"."""
    channel, _, reference = signal.partition("-")
    words = "the mean of the channels" if channel == "mean" else f"channel {channel}"
    return f"{words} without what channel {reference} picks up too" if reference else words


def signals_of(audio: AudioSettings) -> tuple[Signal, ...]:
    """Return the signals that settings ask for.

    Where recordings have yet to decide the channels, that is the first (`dgmix.detect.resolve`).
    With a reference each signal is there twice: as it is, and without what the reference hears.
    """
    named = audio.channels if isinstance(audio.channels, list) else [1]
    channels = [MEAN] if audio.channels == "mean" else named
    plain = [Signal(channel) for channel in channels]
    reference = audio.reference_channel
    return (*plain, *(Signal(s.channel, reference) for s in plain if reference))


class Selection:
    """The columns that settings ask for, of samples (sample, channel) of one recording.

    The reference, where there is one, is the last column. Raises `InputError`, naming the
    recording, when it has too few channels.
    """

    def __init__(self, audio: AudioSettings, channels: int, name: str) -> None:
        signals = signals_of(audio)
        self._channels = [each.channel for each in signals if not each.reference]
        self._reference = audio.reference_channel
        wanted = max(*self._channels, self._reference, 1)
        if wanted > channels or (self._reference and channels < 2):
            raise InputError(f"{name}: {_lacking(channels, self._channels, self._reference)}")

    @property
    def count(self) -> int:
        """How many columns there are."""
        return len(self._channels) + bool(self._reference)

    def of(self, samples: Samples) -> Samples:
        """Return the columns, float32 (sample,) of a single one, else (sample, column)."""
        if self.count == 1:
            return self._column(samples, self._channels[0])
        columns = [self._column(samples, channel) for channel in self._channels]
        if self._reference:
            columns.append(samples[:, self._reference - 1])
        return np.stack(columns, axis=1)

    def _column(self, samples: Samples, channel: int) -> Samples:
        if channel:
            return samples[:, channel - 1]
        if self._reference:
            samples = np.delete(samples, self._reference - 1, axis=1)
        return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)


def _lacking(channels: int, wanted: Sequence[int], reference: int) -> str:
    there = "1 channel" if channels == 1 else f"{channels} channels"
    if reference > channels:
        return f"it has {there}, and the reference is channel {reference}"
    if reference and channels < 2:
        return "it has 1 channel, and that is the reference"
    numbers = ", ".join(str(each) for each in wanted if each)
    plural = "s" if len(wanted) > 1 else ""
    return (
        f"it has {there}, and channel{plural} {numbers} are compared; record it as the others, or "
        "choose channels that all recordings have (audio.channels)"
    )


def hertz(frequency: float) -> str:
    """Return a frequency in the unit that suits it: "22.05 kHz"."""
    return f"{frequency / 1000:.5g} kHz" if frequency >= 1000 else f"{frequency:.4g} Hz"
