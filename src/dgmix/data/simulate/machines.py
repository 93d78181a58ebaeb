"""The data sheet: for every machine type its model, its faults, and how loud it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dgmix.data.simulate.conditions import Condition
from dgmix.data.simulate.reciprocating import draw_slider, draw_valves, slider_sound, valve_sound
from dgmix.data.simulate.rotating import (
    Wear,
    bearing_sound,
    draw_bearing,
    draw_fan,
    draw_gearbox,
    fan_sound,
    gearbox_sound,
)
from dgmix.data.simulate.signals import Generator, Samples
from dgmix.data.simulate.toys import car_sound, draw_car, draw_train, train_sound

Sound = Callable[[Any, Condition, Wear, int, Generator], Samples]


@dataclass(frozen=True)
class Machine:
    """A machine type."""

    draw: Callable[[Generator], Any]
    """draws one unit: its geometry, resonances, colours"""
    sound: Sound
    faults: tuple[str, ...]
    noise: float
    """level of the hall against the rated machine, dB"""
    severity: float = 1.0
    """scales every fault's severity: how hard the faults are to hear"""


DATA_SHEET: dict[str, Machine] = {
    "bearing": Machine(
        draw_bearing,
        bearing_sound,
        ("outer race", "inner race", "broken cage", "dry", "debris"),
        noise=0.0,
        severity=1.3,
    ),
    "fan": Machine(
        draw_fan,
        fan_sound,
        ("imbalance", "chipped blade", "clogging", "loose guard"),
        noise=-3.0,
    ),
    "gearbox": Machine(
        draw_gearbox,
        gearbox_sound,
        ("chipped tooth", "eccentric wheel", "pitting", "no oil"),
        noise=0.0,
    ),
    "slider": Machine(
        draw_slider,
        slider_sound,
        ("pitted rail", "loose stop", "dry rail", "weak drive"),
        noise=-3.0,
        severity=1.3,
    ),
    "ToyCar": Machine(
        draw_car,
        car_sound,
        ("bent shaft", "broken tooth", "wire on tyre", "worn brushes"),
        noise=-2.0,
        severity=1.2,
    ),
    "ToyTrain": Machine(
        draw_train,
        train_sound,
        ("flat wheel", "open joint", "stiff axle", "dirty rail"),
        noise=-2.0,
        severity=1.2,
    ),
    "valve": Machine(
        draw_valves,
        valve_sound,
        ("dirt", "missed strokes", "worn seat", "leak", "sluggish"),
        noise=-8.0,
        severity=1.3,
    ),
}
