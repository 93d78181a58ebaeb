"""Toys on rails and rollers: ToyCar, ToyTrain."""

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

# toy car


@dataclass(frozen=True)
class ToyCar:
    """A slot car: brushed motor, pinion and crown gear, four tyres."""

    gearing: float
    """motor turns a wheel turn"""
    whine: tuple[tuple[int, float], ...]
    tyres: Knots
    body: Modes
    brushes: Modes


def draw_car(rng: Generator) -> ToyCar:
    """Return a car with a three-pole motor and a gearing of 7 to 10."""
    poles = [(3 * k, float(0.5 * rng.uniform(0.3, 1) / k**0.6)) for k in range(1, 9)]
    mesh = [(11 * k, float(0.5 * rng.uniform(0.3, 1) / k**0.8)) for k in range(1, 6)]
    return ToyCar(
        gearing=float(rng.uniform(7, 10)),
        whine=(*poles, *mesh),
        tyres=draw_colour(-2.5, 2, rng),
        body=draw_modes(400, 4000, 0.015, 5, rng),
        brushes=draw_modes(3000, 7000, 0.003, 3, rng),
    )


def car_sound(
    car: ToyCar, condition: Condition, wear: Wear, samples: int, rng: Generator
) -> Samples:
    """Return a toy car: whine of motor orders and gear mesh, rolling noise of the tyres.

    The motor turns 1.6 rev/s a volt (`spd`). A bent shaft swings the whine once a wheel turn; a
    broken crown-gear tooth knocks once a wheel turn; wire around a tyre slaps the road in bouts;
    worn brushes crackle at random.
    """
    rate = condition.number("spd", 34.0) * 1.6 * rng.normal(1, 0.03)
    turns = turning(np.float32(rate) * (1 + drift(samples, 0.008, rng)), samples, rng.random())
    wheel = turns / car.gearing
    once = np.sin(2 * np.pi * np.arange(4096, dtype=np.float32) / 4096)
    whine = harmonics(turns, car.whine, rng)
    whine *= swell(periodic(wheel, once), 7.0 * wear["bent shaft"])
    whine *= np.float32(amplitude(3.0 * wear["bent shaft"]))
    tyres = rushing(samples, car.tyres, rng) * swell(drift(samples, 0.5, rng), 1.0)
    knocks = crossings(wheel, 1.0, 0.01, rng)
    train = strikes(knocks, 4.0 * wear["broken tooth"] * rng.gamma(8, 1 / 8, len(knocks)), samples)
    slaps = crossings(wheel, 2.0, 0.05, rng)
    gate = bursts(samples, 0.5, 0.9, rng)[(slaps * RATE).astype(int) % samples]
    train += strikes(slaps, 8.0 * wear["wire on tyre"] * gate, samples)
    sparks = rng.uniform(0, samples / RATE, rng.poisson(8.0 * samples / RATE))
    crackle = strikes(
        sparks, 5.0 * wear["worn brushes"] * rng.gamma(1.5, 0.7, len(sparks)), samples
    )
    sound = whine + tyres + ring(train, car.body) + ring(crackle, car.brushes)
    return sound * np.float32((rate / 54.0) ** 0.6)


# toy train


@dataclass(frozen=True)
class ToyTrain:
    """A train of two cars with two axles each, on a loop of track in pieces."""

    piece: float
    """m between rail joints"""
    axles: tuple[float, ...]
    """m behind the first axle"""
    wheel: float
    """m around a wheel"""
    gearing: float
    whine: tuple[tuple[int, float], ...]
    rolling: Knots
    rail: Modes
    joints: tuple[float, ...]
    """strength of every joint of the loop"""


def draw_train(rng: Generator) -> ToyTrain:
    """Return a train on a loop of twelve pieces."""
    gap = float(rng.uniform(0.09, 0.13))
    return ToyTrain(
        piece=float(rng.uniform(0.2, 0.26)),
        axles=(0.0, 0.045, gap, gap + 0.045),
        wheel=float(rng.uniform(0.06, 0.08)),
        gearing=float(rng.uniform(9, 13)),
        whine=tuple((k, float(0.5 * rng.uniform(0.3, 1) / k**0.4)) for k in (3, 6, 9, 10, 20, 30)),
        rolling=draw_colour(-2.5, 2, rng),
        rail=draw_modes(600, 5000, 0.012, 5, rng),
        joints=tuple(map(float, rng.uniform(0.7, 1.3, 12))),
    )


def train_sound(
    train: ToyTrain, condition: Condition, wear: Wear, samples: int, rng: Generator
) -> Samples:
    """Return a toy train: motor whine, rolling noise, every axle's knock at every rail joint.

    `spd` is the controller's step, 0.055 m/s each. The loop brings the train near the microphone
    and away again. A flat wheel thumps once a wheel turn; an open joint knocks hard each time an
    axle passes it; a stiff axle swings the motor; dirt on the rail makes it crackle in bouts.
    """
    pace = condition.number("spd", 8.0) * 0.055 * rng.normal(1, 0.03)
    way = turning(np.float32(pace) * (1 + drift(samples, 0.01, rng)), samples, rng.uniform(0, 3))
    wheel = way / train.wheel
    once = np.sin(2 * np.pi * np.arange(4096, dtype=np.float32) / 4096)
    near = swell(periodic(way / (12 * train.piece), once), 2.5)
    whine = harmonics(wheel * train.gearing, train.whine, rng)
    whine *= swell(periodic(wheel, once), 9.0 * wear["stiff axle"])
    whine *= np.float32(amplitude(3.5 * wear["stiff axle"]))
    rolling = rushing(samples, train.rolling, rng)
    knocks = _joints(train, way, wear["open joint"], samples, rng)
    flat = crossings(wheel, 1.0, 0.004, rng)
    knocks += strikes(flat, 6.0 * wear["flat wheel"] * rng.gamma(8, 1 / 8, len(flat)), samples)
    dirt = rng.uniform(0, samples / RATE, rng.poisson(25.0 * samples / RATE))
    gate = bursts(samples, 0.6, 0.6, rng)[(dirt * RATE).astype(int) % samples]
    knocks += strikes(dirt, 5.0 * wear["dirty rail"] * gate * rng.gamma(2, 0.5, len(dirt)), samples)
    sound = (whine + rolling + ring(knocks, train.rail)) * near
    return sound * np.float32((pace / 0.44) ** 0.6)


def _joints(
    train: ToyTrain, way: NDArray[np.float64], opened: float, samples: int, rng: Generator
) -> Samples:
    """The knocks of all axles at all joints, each joint with its own strength."""
    strengths = np.array(train.joints)
    strengths[[0, 6]] *= 1 + 5.0 * opened
    coarse = slice(None, None, 16)
    clock = seconds(samples)[coarse].astype(np.float64)
    knocks = np.zeros(samples, np.float32)
    for axle in train.axles:
        place = way[coarse] - axle
        joints = np.arange(np.ceil(place[0] / train.piece), np.floor(place[-1] / train.piece) + 1)
        times = np.interp(joints * train.piece, place, clock)
        force = 2.2 * strengths[joints.astype(int) % 12] * rng.gamma(20, 1 / 20, len(joints))
        knocks += strikes(times, force, samples)
    return knocks
