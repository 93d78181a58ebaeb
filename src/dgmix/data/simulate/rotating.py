"""Rotating machines: fan, bearing, gearbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dgmix.data.simulate.conditions import Condition
from dgmix.data.simulate.signals import (
    Generator,
    Knots,
    Modes,
    Samples,
    amplitude,
    bursts,
    crossings,
    drift,
    harmonics,
    periodic,
    ring,
    rushing,
    seconds,
    strikes,
    swell,
    turning,
)

Wear = Mapping[str, float]
"""Severity of every possible fault, 0 (as new) to 1; a healthy machine has a little of each."""


def draw_modes(low: float, high: float, decay: float, count: int, rng: Generator) -> Modes:
    """Return resonances between two frequencies (Hz) with decay times around `decay` (s)."""
    return Modes(
        tuple(map(float, rng.uniform(low, high, count))),
        tuple(map(float, decay * rng.uniform(0.5, 1.5, count))),
        tuple(map(float, rng.uniform(0.3, 1.0, count))),
    )


def draw_colour(slope: float, spread: float, rng: Generator) -> Knots:
    """Return a noise spectrum that falls by `slope` dB an octave, uneven by `spread` dB."""
    octaves = 62.5 * 2.0 ** np.arange(8)
    levels = slope * np.arange(8) + rng.normal(0, spread, 8)
    return tuple((float(f), float(level)) for f, level in zip(octaves, levels, strict=True))


# fan


@dataclass(frozen=True)
class Fan:
    """An axial ventilator."""

    speed: float
    """rev/s"""
    evenness: tuple[float, ...]
    """relative strength of every blade's edge noise"""
    flow: Knots
    edge: Knots
    guard: Modes
    """what rattles when it is loose"""

    @property
    def blades(self) -> int:
        """Number of blades."""
        return len(self.evenness)


def draw_fan(rng: Generator) -> Fan:
    """Return a fan of 5 to 9 blades at 5 to 8 rev/s."""
    return Fan(
        speed=float(rng.uniform(5, 8)),
        evenness=tuple(map(float, rng.uniform(0.8, 1.2, rng.integers(5, 10)))),
        flow=draw_colour(-4, 2, rng),
        edge=((62.5, -30), (500.0, -12), (1500.0, 0), (4000.0, -2), (8000.0, -10)),
        guard=draw_modes(900, 4500, 0.02, 4, rng),
    )


def fan_sound(fan: Fan, _condition: Condition, wear: Wear, samples: int, rng: Generator) -> Samples:
    """Return a fan: blade-pass tones at blades × speed, flow noise, edge noise of every blade.

    Imbalance swings the flow once a revolution; a chipped blade is louder than its neighbours; a
    clogged inlet moves less air and surges at 0.7 to 2 Hz; a loose guard rattles in bouts. No tag
    of a fan's condition is about the fan itself: they name the other sounds.
    """
    speed = np.float32(fan.speed * rng.normal(1, 0.03)) * (1 + drift(samples, 0.004, rng))
    turns = turning(speed, samples, rng.random())
    return (
        _blade_pass(fan, turns, wear, rng)
        + _flow(fan, turns, wear, samples, rng)
        + _edges(fan, turns, wear, samples, rng)
        + _rattle(fan, turns, wear, samples, rng)
    )


def _blade_pass(fan: Fan, turns: np.ndarray, wear: Wear, rng: Generator) -> Samples:
    orders = [(fan.blades * k, 0.5 * rng.uniform(0.7, 1.3) / k**1.5) for k in range(1, 7)]
    shaft = [(k, 0.15 * (1 + 8 * wear["imbalance"]) / k) for k in range(1, 5)]
    return harmonics(turns, orders + shaft, rng)


def _flow(fan: Fan, turns: np.ndarray, wear: Wear, samples: int, rng: Generator) -> Samples:
    once = np.sin(2 * np.pi * np.arange(4096, dtype=np.float32) / 4096)
    surge = np.sin(2 * np.pi * rng.uniform(0.7, 2.0) * seconds(samples) + rng.uniform(0, 6))
    flow = rushing(samples, fan.flow, rng)
    flow *= swell(periodic(turns, once), 2.2 * wear["imbalance"])
    flow *= swell(surge + drift(samples, 0.3, rng), 2.2 * wear["clogging"])
    flow *= np.float32(amplitude(-3.0 * wear["clogging"]))
    return flow


def _edges(fan: Fan, turns: np.ndarray, wear: Wear, samples: int, rng: Generator) -> Samples:
    """Each blade's edge noise: a bump of the gain as the blade passes the microphone's side."""
    angle = np.arange(4096, dtype=np.float32) / 4096
    levels = np.log(np.array(fan.evenness))
    levels[0] += 0.7 * wear["chipped blade"]
    levels += 0.15 * wear["chipped blade"]
    gain = np.zeros(4096, np.float32)
    for blade, level in enumerate(levels):
        offset = (angle - blade / fan.blades + 0.5) % 1 - 0.5
        gain += np.exp(level) * np.exp(-0.5 * (offset * fan.blades / 0.3) ** 2)
    return (
        rushing(samples, fan.edge, rng) * periodic(turns, gain.astype(np.float32)) * np.float32(0.5)
    )


def _rattle(fan: Fan, turns: np.ndarray, wear: Wear, samples: int, rng: Generator) -> Samples:
    times = crossings(turns, 3.0, 0.15, rng)
    open_ = bursts(samples, 0.5, 0.8, rng)
    strengths = rng.gamma(2.0, 0.5, len(times)) * open_[(times * 16000).astype(int) % samples]
    return ring(strikes(times, strengths * 4.0 * wear["loose guard"], samples), fan.guard)


# bearing


@dataclass(frozen=True)
class Bearing:
    """A rolling-element bearing in its housing, on a motor's shaft."""

    balls: int
    ratio: float
    """ball diameter over pitch diameter"""
    angle: float
    """contact angle, rad"""
    housing: Modes
    rolling: Knots
    motor: tuple[tuple[int, float], ...]
    """(order, amplitude)"""


def draw_bearing(rng: Generator) -> Bearing:
    """Return a bearing of 7 to 12 balls."""
    return Bearing(
        balls=int(rng.integers(7, 13)),
        ratio=float(rng.uniform(0.18, 0.3)),
        angle=float(rng.uniform(0.0, 0.3)),
        housing=draw_modes(1500, 6000, 0.006, 4, rng),
        rolling=draw_colour(-2.5, 2, rng),
        motor=tuple((k, float(0.25 * rng.uniform(0.3, 1) / k**0.5)) for k in (1, 2, 3, 4, 24, 48)),
    )


def outer_race_rate(bearing: Bearing) -> float:
    """Return BPFO, impacts a shaft turn: n/2 · (1 − d/D · cos φ) (Randall and Antoni 2011)."""
    return bearing.balls / 2 * (1 - bearing.ratio * float(np.cos(bearing.angle)))


def inner_race_rate(bearing: Bearing) -> float:
    """Return BPFI, impacts a shaft turn: n/2 · (1 + d/D · cos φ)."""
    return bearing.balls / 2 * (1 + bearing.ratio * float(np.cos(bearing.angle)))


def cage_rate(bearing: Bearing) -> float:
    """Return FTF, cage turns a shaft turn: 1/2 · (1 − d/D · cos φ)."""
    return 0.5 * (1 - bearing.ratio * float(np.cos(bearing.angle)))


def bearing_sound(
    bearing: Bearing, condition: Condition, wear: Wear, samples: int, rng: Generator
) -> Samples:
    """Return a bearing: motor orders, rolling noise that grows with speed, impacts of its defects.

    The tag `vel` counts half revolutions a second. A defect of the outer race strikes evenly at
    BPFO, one of the inner race at BPFI, but only while it is in the load zone, once a turn; a
    broken cage swings the rolling noise at FTF; a dry bearing scrapes in bouts; debris strikes at
    random.
    """
    rate = condition.number("vel", 10.0) * 0.5 * rng.normal(1, 0.01)
    turns = turning(np.float32(rate) * (1 + drift(samples, 0.005, rng)), samples, rng.random())
    loudness = (rate / 5.0) ** 0.6
    once = np.sin(2 * np.pi * np.arange(4096, dtype=np.float32) / 4096)
    rolling = rushing(samples, bearing.rolling, rng)
    rolling *= swell(periodic(turns * cage_rate(bearing), once), 2.8 * wear["broken cage"])
    rolling *= np.float32(amplitude(2.5 * wear["broken cage"]))
    rolling *= 1 + 0.8 * np.float32(wear["dry"]) * bursts(samples, 0.8, 0.4, rng)
    train = _defects(bearing, turns, wear, samples, rng)
    shaft = harmonics(turns, bearing.motor, rng)
    return (rolling + shaft + ring(train, bearing.housing)) * np.float32(loudness)


def _defects(
    bearing: Bearing, turns: np.ndarray, wear: Wear, samples: int, rng: Generator
) -> Samples:
    outer = crossings(turns, outer_race_rate(bearing), 0.015, rng)
    inner = crossings(turns, inner_race_rate(bearing), 0.015, rng)
    zone = np.interp(inner, seconds(samples)[::64], turns[::64])
    debris = rng.uniform(0, samples / 16000, rng.poisson(4.0 * samples / 16000))
    train = strikes(outer, 3.5 * wear["outer race"] * rng.normal(1, 0.15, len(outer)), samples)
    swing = np.maximum(np.cos(2 * np.pi * zone), 0) ** 1.5
    train += strikes(inner, 6.5 * wear["inner race"] * swing, samples)
    train += strikes(debris, 5.0 * wear["debris"] * rng.gamma(2, 0.5, len(debris)), samples)
    return train


# gearbox


@dataclass(frozen=True)
class Gearbox:
    """A one-stage reduction behind a small motor."""

    pinion: int
    wheel: int
    """teeth"""
    mesh: tuple[float, ...]
    """amplitudes of the mesh harmonics"""
    case: Modes
    hiss: Knots


def draw_gearbox(rng: Generator) -> Gearbox:
    """Return a gearbox of 15 to 23 pinion teeth and a ratio of 2.5 to 4."""
    pinion = int(rng.integers(15, 24))
    return Gearbox(
        pinion=pinion,
        wheel=int(pinion * rng.uniform(2.5, 4.0)),
        mesh=tuple(map(float, 0.6 * rng.uniform(0.3, 1, 6) / np.arange(1, 7) ** 0.7)),
        case=draw_modes(700, 5000, 0.01, 5, rng),
        hiss=draw_colour(-2, 2, rng),
    )


def gearbox_sound(
    gearbox: Gearbox, condition: Condition, wear: Wear, samples: int, rng: Generator
) -> Samples:
    """Return a gearbox: mesh tones at teeth × speed with side bands of both shafts, gear hiss.

    The motor turns 5 rev/s a volt (`volt`), less by 1 % for each 20 g of load (`wt`), which makes
    the mesh louder. A chipped tooth strikes once a turn of the wheel; an eccentric wheel swings the
    mesh once a turn; pitting roughens the hiss over part of a turn; without oil it scrapes in
    bouts.
    """
    load = condition.number("wt", 100.0)
    rate = condition.number("volt", 2.0) * 5.0 * (1 - load / 2000) * rng.normal(1, 0.03)
    turns = turning(np.float32(rate) * (1 + drift(samples, 0.006, rng)), samples, rng.random())
    slow = turns * (gearbox.pinion / gearbox.wheel)
    angle = np.arange(4096, dtype=np.float32) / 4096
    once = np.sin(2 * np.pi * angle)
    pits = np.exp(-0.5 * (((angle - 0.5) / 0.08) ** 2)).astype(np.float32)
    mesh = _mesh(gearbox, turns, rng) * np.float32(1 + load / 600)
    mesh *= swell(periodic(slow, once), 7.0 * wear["eccentric wheel"])
    mesh *= np.float32(amplitude(3.0 * wear["eccentric wheel"]))
    hiss = rushing(samples, gearbox.hiss, rng)
    hiss *= swell(periodic(slow, pits), 4.5 * wear["pitting"])
    hiss *= 1 + 0.8 * np.float32(wear["no oil"]) * bursts(samples, 0.8, 0.5, rng)
    chips = crossings(slow, 1.0, 0.003, rng)
    strengths = 8.0 * wear["chipped tooth"] * rng.gamma(8, 1 / 8, len(chips))
    sound = mesh + hiss + ring(strikes(chips, strengths, samples), gearbox.case)
    return sound * np.float32((rate / 10.0) ** 0.3)


def _mesh(gearbox: Gearbox, turns: np.ndarray, rng: Generator) -> Samples:
    orders = []
    for k, level in enumerate(gearbox.mesh, 1):
        centre = k * gearbox.pinion
        sides = [(centre + s, level * 0.25 / abs(s)) for s in (-2, -1, 1, 2)]
        orders += [(centre, level * rng.uniform(0.8, 1.2)), *sides]
    return harmonics(turns, orders, rng)
