"""What a microphone hears besides the machine, and how it hears the machine.

A factory hall is coloured noise that swells slowly, mains hum, distant machines, and now and then a
clank of metal. Between clips its level, colour and events differ more than a fault changes a clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.data.simulate.signals import (
    RATE,
    Generator,
    Knots,
    Samples,
    amplitude,
    curve,
    drift,
    harmonics,
    seconds,
    swell,
    turning,
    unit_power,
    white_spectrum,
)

_OCTAVES = (30.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)


@dataclass(frozen=True)
class Hall:
    """A factory hall (levels in dB relative to the rated machine's sound)."""

    noise: Knots
    mains: float
    """Hz"""
    hum: float
    """dB of the first hum component"""
    distant: tuple[tuple[float, float], ...]
    """distant machines: (rotation in Hz, level in dB)"""
    clanks: float
    """per second"""


@dataclass(frozen=True)
class Path:
    """The way from machine to microphone: a response over octaves, and a few reflections."""

    response: Knots
    delays: tuple[float, ...]
    """s"""
    reflections: tuple[float, ...]


def draw_hall(common: Generator, own: Generator) -> Hall:
    """Return a hall: its character from the section's generator, its peculiarity from its own."""
    slope, base = common.uniform(-5.0, -3.0), common.normal(0, 2.5, len(_OCTAVES))
    colour = base + own.normal(0, 0.8, len(_OCTAVES))
    levels = [
        float(slope * np.log2(f / 500) + extra) for f, extra in zip(_OCTAVES, colour, strict=True)
    ]
    machines = [(own.uniform(18, 60), own.uniform(-20, -12)) for _ in range(3)]
    return Hall(
        noise=tuple(zip(_OCTAVES, levels, strict=True)),
        mains=50.0,
        hum=float(common.uniform(-14, -8)),
        distant=tuple((float(f), float(level)) for f, level in machines),
        clanks=float(own.uniform(0.1, 0.3)),
    )


def draw_path(common: Generator, own: Generator) -> Path:
    """Return a path: the section's machine and room, and the position's own deviation."""
    response = common.normal(0, 2.5, len(_OCTAVES)) + own.normal(0, 0.6, len(_OCTAVES))
    return Path(
        response=tuple(zip(_OCTAVES, map(float, response), strict=True)),
        delays=tuple(map(float, own.uniform(0.4e-3, 8e-3, 3))),
        reflections=tuple(map(float, own.uniform(-0.25, 0.25, 3))),
    )


def jittered(knots: Knots, spread: float, rng: Generator) -> Knots:
    """Return the spectrum with each point moved by a random number of dB."""
    moves = rng.normal(0, spread, len(knots))
    return tuple((f, level + float(move)) for (f, level), move in zip(knots, moves, strict=True))


def hall_sound(hall: Hall, samples: int, rng: Generator, colour_spread: float) -> Samples:
    """Return an excerpt of a hall's noise, RMS about 1, float32 (sample,)."""
    shape = unit_power(curve(jittered(hall.noise, colour_spread, rng), samples))
    spectrum = white_spectrum(samples, rng) * shape
    sound = np.fft.irfft(spectrum, samples).astype(np.float32)
    sound *= swell(drift(samples, 0.5, rng), 2.0)
    sound += hum(hall, samples, rng)
    for rotation, level in hall.distant:
        if rng.random() < 0.6:
            sound += distant_machine(rotation, level + rng.normal(0, 2), samples, rng)
    add_clanks(sound, hall.clanks, rng)
    return sound


def hum(hall: Hall, samples: int, rng: Generator) -> Samples:
    """Return mains hum: even harmonics of the mains frequency, as transformers and motors make."""
    level = amplitude(hall.hum + rng.normal(0, 2))
    orders = [(2 * k, level / k ** rng.uniform(0.8, 1.5)) for k in (1, 2, 3, 4, 6)]
    return harmonics(turning(hall.mains, samples), orders, rng)


def distant_machine(rotation: float, level: float, samples: int, rng: Generator) -> Samples:
    """Return a rotating machine some way off: a few orders that fade in and out slowly."""
    speed = np.float32(rotation * rng.uniform(0.97, 1.03)) * (1 + drift(samples, 0.004, rng))
    orders = [(k, amplitude(level) * rng.uniform(0.2, 1)) for k in (1, 2, 3, 5, 8, 13, 21)]
    sound = harmonics(turning(speed, samples), orders, rng)
    return sound * swell(drift(samples, 0.6, rng), 3.0)


def add_clanks(sound: Samples, rate: float, rng: Generator) -> None:
    """Add metal struck somewhere in the hall, `rate` times a second, to `sound` in place."""
    time = seconds(RATE // 2)
    for start in rng.integers(0, len(sound), rng.poisson(rate * len(sound) / RATE)):
        ringing = np.zeros(len(time), np.float32)
        for frequency in rng.uniform(300, 6000, 4):
            decay = np.float32(rng.uniform(0.01, 0.12))
            ringing += np.exp(-time / decay) * np.sin(np.float32(2 * np.pi * frequency) * time)
        end = min(int(start) + len(time), len(sound))
        sound[start:end] += ringing[: end - start] * np.float32(amplitude(rng.normal(3, 5)))


def transfer(path: Path, samples: int) -> NDArray[np.complex64]:
    """Return the frequency response of a path at the bins of a clip's `rfft`."""
    bins = np.arange(samples // 2 + 1, dtype=np.float32) * np.float32(-2 * np.pi * RATE / samples)
    echoes = np.ones(len(bins), np.complex64)
    for delay, gain in zip(path.delays, path.reflections, strict=True):
        angle = bins * np.float32(delay)
        echoes += np.float32(gain) * (np.cos(angle) + np.complex64(1j) * np.sin(angle))
    return echoes * curve(path.response, samples)
