"""Machines that go back and forth: slider, valve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.data.simulate.conditions import Condition
from dgmix.data.simulate.rotating import Wear, draw_colour, draw_modes
from dgmix.data.simulate.signals import (
    RATE,
    Generator,
    Knots,
    Modes,
    Samples,
    bursts,
    harmonics,
    ring,
    rushing,
    seconds,
    strikes,
)

# slider


@dataclass(frozen=True)
class Slider:
    """A carriage on a rail, driven by a ball screw."""

    stroke: float
    """mm"""
    dwell: float
    """s at either end"""
    lead: float
    """mm of travel a screw revolution"""
    pit: float
    """where a damaged rail is damaged, part of the stroke"""
    rolling: Knots
    frame: Modes
    screw: tuple[tuple[int, float], ...]


def draw_slider(rng: Generator) -> Slider:
    """Return a slider of 60 to 120 mm stroke."""
    return Slider(
        stroke=float(rng.uniform(60, 120)),
        dwell=float(rng.uniform(0.1, 0.3)),
        lead=float(rng.uniform(6, 12)),
        pit=float(rng.uniform(0.2, 0.8)),
        rolling=draw_colour(-1.5, 2.5, rng),
        frame=draw_modes(300, 4500, 0.02, 5, rng),
        screw=tuple((k, float(0.4 * rng.uniform(0.3, 1) / k**0.3)) for k in (1, 6, 12, 24, 48)),
    )


def slider_sound(
    slider: Slider, condition: Condition, wear: Wear, samples: int, rng: Generator
) -> Samples:
    """Return a slider: screw tones and rolling noise that follow the speed, knocks at the ends.

    `vel` is the travelling speed in mm/s, `ac` the time in s to reach it. A pitted rail knocks
    where the carriage passes the pit, a loose stop knocks again after every end, a dry rail
    scrapes in bouts, and a weak drive hesitates: it skips some strokes.
    """
    top = condition.number("vel", 250.0) * rng.normal(1, 0.01)
    rise = condition.number("ac", 0.08)
    travelled, speed, ends, passes = _journey(slider, top, rise, wear["weak drive"], samples, rng)
    loudness = (speed / 250.0).astype(np.float32)
    squeal = bursts(samples, 1.5, 0.15, rng) * np.float32(2.2 * wear["dry rail"])
    rolling = rushing(samples, slider.rolling, rng) * loudness**0.7 * (1 + squeal)
    screw = harmonics(travelled / slider.lead, slider.screw, rng) * loudness**0.5
    knocks = strikes(ends, 3.0 * (top / 250) * rng.gamma(10, 0.1, len(ends)), samples)
    again = np.concatenate([ends + delay for delay in (0.05, 0.09, 0.12, 0.14)])
    knocks += strikes(
        again % (samples / RATE),
        np.repeat(6.0 * wear["loose stop"] * np.array([1, 0.7, 0.5, 0.35]), len(ends)),
        samples,
    )
    knocks += strikes(passes, np.full(len(passes), 8.0 * wear["pitted rail"]), samples)
    sound: Samples = rolling + screw + ring(knocks, slider.frame)
    return sound


def _journey(
    slider: Slider, top: float, rise: float, weakness: float, samples: int, rng: Generator
) -> tuple[NDArray[np.float64], Samples, NDArray[np.float64], NDArray[np.float64]]:
    """Return distance (mm) and speed (mm/s) at every sample, and when it stops and passes the pit.

    Each stroke is a trapezoid of speed: up over `rise` s, level, down over `rise` s, a dwell.
    """
    rise = min(rise, slider.stroke / top)
    span = slider.stroke / top + rise
    starts, skip = [], 0.4 * weakness
    clock = -rng.uniform(0, span + slider.dwell)
    while clock < samples / RATE:
        if rng.random() >= skip:
            starts.append(clock)
        clock += span + slider.dwell * rng.uniform(0.9, 1.1)
    grid = np.concatenate(
        [[s, s + rise, s + span - rise, s + span] for s in starts] or [[0.0, 1.0]]
    )
    levels = np.tile([0.0, top, top, 0.0], len(starts)) if starts else np.zeros(2)
    speed = np.interp(seconds(samples), grid, levels).astype(np.float32)
    ends = np.array(starts) + span
    way = np.where(np.arange(len(starts)) % 2 == 0, slider.pit, 1 - slider.pit)
    passes = np.array(starts) + rise / 2 + way * (span - rise)
    inside = samples / RATE
    return (
        np.cumsum(speed, dtype=np.float64) / RATE,
        speed,
        ends[(ends >= 0) & (ends < inside)],
        passes[(passes >= 0) & (passes < inside)],
    )


# valve

PATTERNS = {
    "00": ((0.0, 0.5), (1.0, 1.5)),
    "01": ((0.0, 0.2), (0.4, 0.6), (1.2, 1.7)),
    "02": ((0.0, 0.9), (1.2, 1.4)),
    "03": ((0.0, 0.15), (0.3, 0.45), (0.6, 0.75), (1.3, 1.45)),
    "04": ((0.0, 0.3), (0.7, 1.0), (1.4, 1.7)),
    "05": ((0.0, 0.7), (1.1, 1.3), (1.5, 1.7)),
}
"""When a valve opens and closes, in s within a cycle of two seconds."""

_CYCLE = 2.0


@dataclass(frozen=True)
class Valve:
    """A solenoid valve on an air line."""

    lifting: Modes
    seating: Modes
    air: Knots
    hiss: float
    """amplitude of the air while open"""
    coil: float
    """amplitude of the coil's hum while open"""


@dataclass(frozen=True)
class ValvePair:
    """Two valves on one manifold; most patterns use the first alone."""

    first: Valve
    second: Valve


def draw_valves(rng: Generator) -> ValvePair:
    """Return two valves with their own plungers."""
    return ValvePair(_draw_valve(rng), _draw_valve(rng))


def _draw_valve(rng: Generator) -> Valve:
    return Valve(
        lifting=draw_modes(1500, 6500, 0.008, 4, rng),
        seating=draw_modes(800, 5000, 0.012, 4, rng),
        air=((62.5, -25), (500.0, -14), (2000.0, -3), (5000.0, 0), (8000.0, -3)),
        hiss=float(rng.uniform(0.3, 0.6)),
        coil=float(rng.uniform(0.1, 0.3)),
    )


def valve_sound(
    valves: ValvePair, condition: Condition, wear: Wear, samples: int, rng: Generator
) -> Samples:
    """Return valves that click open and shut in their pattern, with air while open.

    Dirt makes some strokes weak, a worn coil misses some, a worn seat bounces when the valve shuts,
    a leak hisses in puffs also while shut, a sluggish plunger closes late.
    """
    first = condition.text("pat", "v1pat")
    second = condition.text("v2pat")
    sound = np.zeros(samples, np.float32)
    if first:
        sound += _one_valve(valves.first, first, wear, samples, rng)
    if second:
        sound += _one_valve(valves.second, second, wear, samples, rng)
    return sound


def _one_valve(valve: Valve, pattern: str, wear: Wear, samples: int, rng: Generator) -> Samples:
    opens, closes = _strokes(pattern, wear, samples, rng)
    dirt = np.where(rng.random(len(opens)) < 0.7 * wear["dirt"], 0.25, 1.0)
    force = 11.0 * dirt * rng.gamma(30, 1 / 30, len(opens))
    duration = samples / RATE
    up = strikes(opens % duration, force, samples)
    down = strikes(closes % duration, force * 0.8, samples)
    for bounce, delay in ((0.7, 0.045), (0.45, 0.075)):
        down += strikes((closes + delay) % duration, force * bounce * wear["worn seat"], samples)
    gate = _gate(opens, closes, samples)
    puffs = bursts(samples, 1.2, 0.3, rng) * np.float32(1.6 * wear["leak"])
    air = rushing(samples, valve.air, rng) * np.float32(valve.hiss) * (gate + puffs)
    coil = np.sin(np.float32(2 * np.pi * 100) * seconds(samples)) * gate * np.float32(valve.coil)
    sound: Samples = ring(up, valve.lifting) + ring(down, valve.seating) + air + coil
    return sound


def _strokes(
    pattern: str, wear: Wear, samples: int, rng: Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cycle = np.array(PATTERNS[pattern])
    starts = np.arange(0, samples / RATE + _CYCLE, _CYCLE) - rng.uniform(0, _CYCLE)
    times = (starts[:, None, None] + cycle).reshape(-1, 2)
    times += rng.normal(0, 0.004, times.shape)
    times[:, 1] += 0.2 * wear["sluggish"] * rng.uniform(0.3, 1, len(times))
    times[:-1, 1] = np.minimum(times[:-1, 1], times[1:, 0] - 0.03)
    times = times[(times[:, 0] >= 0) & (times[:, 1] < samples / RATE)]
    kept = times[rng.random(len(times)) >= 0.5 * wear["missed strokes"]]
    return kept[:, 0], kept[:, 1]


def _gate(opens: NDArray[np.float64], closes: NDArray[np.float64], samples: int) -> Samples:
    """Return 1 while the valve is open and 0 while shut, with edges of 10 ms."""
    if not len(opens):
        return np.zeros(samples, np.float32)
    corners = np.stack([opens, opens + 0.01, closes, closes + 0.01], axis=1).ravel()
    levels = np.tile([0.0, 1.0, 1.0, 0.0], len(opens))
    gate: Samples = np.interp(seconds(samples), corners, levels).astype(np.float32)
    return gate
