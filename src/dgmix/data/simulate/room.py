"""Two microphones in a room: one near the machine, one far from it.

The far one hears the machine late, weakly and through the room, and the noise of the hall about as
loud as the near one does. So what both hear is mostly the hall, and what only the near one hears
well is the machine: the situation of DCASE 2026 (Nishida et al., arXiv 2606.01578).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dgmix.data.simulate.signals import RATE, Generator, Samples, amplitude

SPEED_OF_SOUND = 343.0
"""m/s"""
OWN_NOISE = -30.0
"""Noise of a microphone itself against the rated machine at the near one, dB."""


@dataclass(frozen=True)
class Room:
    """A room between two microphones, as impulse responses (sample,) at `RATE`."""

    machine: tuple[float, ...]
    """of the machine, from the near microphone to the far one"""
    noise: tuple[float, ...]
    """of the hall's noise, from the near microphone to the far one"""


def draw_room(rng: Generator) -> Room:
    """Return a room: the far microphone 2 to 6 m away, a reverberation time of 0.3 to 0.7 s."""
    distance, reverberation = rng.uniform(2.0, 6.0), rng.uniform(0.3, 0.7)
    far = amplitude(-rng.uniform(8.0, 14.0))
    machine = far * _response(distance / SPEED_OF_SOUND, reverberation, rng)
    noise = _response(rng.uniform(0.0, 2.0) / SPEED_OF_SOUND, reverberation, rng)
    return Room(tuple(machine.tolist()), tuple(noise.tolist()))


def two_channels(machine: Samples, noise: Samples, room: Room, rng: Generator) -> Samples:
    """Return what both microphones hear, float32 (sample, 2): near, far.

    `machine` and `noise` (sample,) are what the near one hears of either.
    """
    near = machine + noise
    far = _through(machine, room.machine) + _through(noise, room.noise)
    sound = np.stack([near, far], axis=1)
    own = rng.standard_normal(sound.shape, np.float32) * np.float32(amplitude(OWN_NOISE))
    return np.asarray(sound + own, np.float32)


def _response(delay: float, reverberation: float, rng: Generator) -> Samples:
    """Return a direct sound of 1 after `delay` s, and a tail that falls by 60 dB in its time."""
    time = np.arange(int(reverberation * RATE), dtype=np.float32) / RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / reverberation)
    tail *= 0.7 / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return np.concatenate([np.zeros(round(delay * RATE)), tail]).astype(np.float32)


def _through(sound: Samples, response: tuple[float, ...]) -> Samples:
    """Return a sound after a room; what rings past the end comes back at the start."""
    samples = len(sound)
    spectrum = np.fft.rfft(sound) * np.fft.rfft(_folded(response, samples))
    return np.fft.irfft(spectrum, samples).astype(np.float32)


def _folded(response: tuple[float, ...], samples: int) -> Samples:
    """Return a response (sample,) of a given length, its end added to its start."""
    taps = np.asarray(response, np.float32)
    return np.bincount(np.arange(len(taps)) % samples, taps, samples).astype(np.float32)
