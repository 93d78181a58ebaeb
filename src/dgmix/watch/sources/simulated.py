"""Simulated machines as a stream, in real time: for demonstrations and trials."""

from __future__ import annotations

import threading

import numpy as np

from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.data.simulate.conditions import section_shift
from dgmix.data.simulate.forms import USUAL, form_of
from dgmix.watch.clock import Clock
from dgmix.watch.sound import Samples
from dgmix.watch.sources.base import StreamError
from dgmix.watch.sources.settings import SimulatedSettings

RATE = 16_000
PLAYED = {
    "healthy": ("test", "source", "normal"),
    "broken": ("test", "source", "anomaly"),
    "condition": ("test", "target", "normal"),
}


class SimulatedStream:
    """What a microphone beside a simulated machine records, by the script of its settings.

    The script runs by the clock from `origin` on, whenever the stream is opened.
    """

    sample_rate = RATE

    def __init__(self, settings: SimulatedSettings, clock: Clock, origin: float) -> None:
        self._settings, self._clock, self._origin = settings, clock, origin
        self._next = clock.monotonic()
        self._number = int((self._next - origin) / settings.clip_seconds)
        self._never = threading.Event()
        if self._phase() == "lost":
            raise StreamError("the simulated microphone is unplugged")

    def read(self, timeout: float) -> Samples:
        """Return the next clip, float32 (sample,), once its time is over; else none."""
        left = self._next + self._settings.clip_seconds - self._clock.monotonic()
        if left > 0:
            self._clock.wait(min(left, timeout), self._never)
            if left > timeout:
                return np.empty(0, np.float32)
        phase = self._phase()
        if phase == "lost":
            raise StreamError("the simulated microphone was unplugged")
        self._next += self._settings.clip_seconds
        self._number += 1
        samples = round(RATE * self._settings.clip_seconds)
        clip = planned(self._settings, phase, self._number)
        return samples_of(clip, self._settings.seed, samples, self._settings.severity)

    def close(self) -> None:
        """Nothing is held."""

    def _phase(self) -> str:
        script = self._settings.script
        at = (self._next - self._origin) % sum(seconds for _, seconds in script)
        for phase, seconds in script:
            if at < seconds:
                return phase
            at -= seconds
        return script[-1][0]


def planned(settings: SimulatedSettings, phase: str, number: int) -> PlannedClip:
    """Return the clip that a simulated machine makes in a phase of its script."""
    group = form_of(USUAL).groups.index(PLAYED[phase])
    if phase == "condition":
        kinds = len(section_shift(settings.machine, settings.section).target)
        number = number * kinds + settings.condition % kinds
    return PlannedClip(settings.machine, settings.section, group, number)
