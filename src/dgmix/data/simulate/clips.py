"""Which clips a simulated set has, and the samples of each.

Everything random about a clip comes from a generator of its own, seeded by what the clip is, and
everything about a section's machine and rooms from generators seeded by the section. So any clip
can be made alone, in any order, in any process, and has the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any
from zlib import crc32

import numpy as np

from dgmix.data.simulate.conditions import Condition, section_shift
from dgmix.data.simulate.forms import USUAL, Form, form_of, model_of
from dgmix.data.simulate.machine_types import MACHINES
from dgmix.data.simulate.machines import DATA_SHEET
from dgmix.data.simulate.room import Room, draw_room, two_channels
from dgmix.data.simulate.signals import Generator, Samples, amplitude, curve
from dgmix.data.simulate.surroundings import (
    Hall,
    Path,
    draw_hall,
    draw_path,
    hall_sound,
    jittered,
    transfer,
)
from dgmix.data.simulate.variants import sister

LOUDNESS = 0.02
"""RMS of a rated machine, of full scale: leaves its hardest knocks room."""

GAIN_SPREAD, NOISE_SPREAD, COLOUR_SPREAD, PATH_SPREAD = 1.2, 2.2, 1.4, 0.8
"""What differs between clips of one condition, standard deviations in dB: the recorder's gain, the
hall's level, its colour in every octave, the path's response in every octave."""

NOISE_LEVELS = {"L1": -2.0, "L2": 1.0, "L3": 3.0, "L4": -5.0}
"""The tag `n-lv`: the hall against its usual level, dB."""

HEALTHY, FAULTY = (0.0, 0.12), (0.5, 1.0)
"""Range of every fault's severity in a healthy machine, and of the one fault in a faulty one."""


@dataclass(frozen=True)
class PlannedClip:
    """One clip of a simulated set."""

    machine: str
    section: int
    group: int
    """index in the groups of the form"""
    index: int
    like: str = USUAL
    """the data set whose form it has"""

    @property
    def form(self) -> Form:
        """How the set is laid out."""
        return form_of(self.like)

    @property
    def model(self) -> str:
        """The physical model of the machine."""
        return model_of(self.machine)

    @property
    def condition(self) -> Condition:
        """The operating condition: those of the section's domain take turns."""
        domain = self.form.groups[self.group][1]
        conditions = section_shift(self.model, self.section).domain(domain)
        return conditions[self.index % len(conditions)]

    @property
    def path(self) -> PurePosixPath:
        """Where the clip lies in the set, named as those of the set that it is like."""
        group = self.form.groups[self.group]
        return self.form.path(self.machine, self.section, group, self.index, str(self.condition))

    def place(self, seed: int) -> tuple[int, ...]:
        """Return the seed of the section's machine and rooms."""
        if self.like == USUAL:
            return seed, MACHINES.index(self.machine), self.section
        return seed, crc32(f"{self.like}/{self.machine}".encode()), self.section


def plan(
    machine: str,
    sections: Sequence[int],
    training: Sequence[int],
    test_clips: int,
    like: str = USUAL,
) -> Iterator[PlannedClip]:
    """Return a machine's clips: `training` of each domain, `test_clips` of each test group."""
    counts = [*training, *(test_clips,) * (2 * len(training))]
    for section in sections:
        for group, count in enumerate(counts):
            for index in range(count):
                yield PlannedClip(machine, section, group, index, like)


def samples_of(clip: PlannedClip, seed: int, samples: int, severity: float = 1.0) -> Samples:
    """Return what the microphone records of a planned clip, float32 (sample,) within ±1.

    Of a form with two microphones it is (sample, 2): near, far. `severity` makes the fault of an
    anomalous clip so many times worse than a data set has it.
    """
    place = clip.place(seed)
    rng = np.random.default_rng([*place, clip.group, clip.index])
    machine, condition = DATA_SHEET[clip.model], clip.condition
    unit = _unit(clip.model, place, condition.text("car", "id"))
    hall = _hall(place, condition.text("m-n", "f-n", "noise"))
    path = _path(place, condition.text("loc", "panel", "mic"))
    faulty = clip.form.groups[clip.group][2] == "anomaly"
    scale = machine.severity * (severity if faulty else 1.0)
    wear = draw_wear(machine.faults, scale, faulty, rng)
    sound = recorded(machine.sound(unit, condition, wear, samples, rng), path, rng)
    noise = machine.noise + NOISE_LEVELS.get(condition.text("n-lv"), 0.0)
    level = np.float32(amplitude(noise + rng.normal(0, NOISE_SPREAD)))
    around = level * hall_sound(hall, samples, rng, COLOUR_SPREAD)
    if clip.form.channels == 2:
        sound = two_channels(sound, around, _room(place), rng)
    else:
        sound += around
    sound *= np.float32(LOUDNESS * amplitude(rng.normal(0, GAIN_SPREAD)))
    return np.clip(sound, -1, 1)


def draw_wear(
    faults: tuple[str, ...], scale: float, faulty: bool, rng: Generator
) -> dict[str, float]:
    """Return the severity of every fault: small for all, and large for one if `faulty`."""
    wear = {fault: scale * rng.uniform(*HEALTHY) for fault in faults}
    broken, severity = faults[rng.integers(len(faults))], rng.uniform(*FAULTY)
    if faulty:
        wear[broken] = scale * severity
    return wear


def recorded(sound: Samples, path: Path, rng: Generator) -> Samples:
    """Return a machine's sound as it arrives by a path that is not quite the same in every clip."""
    samples = len(sound)
    today = curve(jittered(tuple((f, 0.0) for f, _ in path.response), PATH_SPREAD, rng), samples)
    spectrum = np.fft.rfft(sound) * _transfer(path, samples) * today
    return np.fft.irfft(spectrum, samples).astype(np.float32)


def own_generator(place: tuple[int, ...], what: str) -> Generator:
    """Return the generator of a section's fixture, one for each name."""
    return np.random.default_rng([*place, crc32(what.encode())])


@lru_cache(maxsize=256)
def _unit(machine: str, place: tuple[int, ...], variant: str) -> Any:
    unit = DATA_SHEET[machine].draw(own_generator(place, "design"))
    return sister(unit, own_generator(place, f"unit {variant}"))


@lru_cache(maxsize=256)
def _hall(place: tuple[int, ...], name: str) -> Hall:
    return draw_hall(own_generator(place, "halls"), own_generator(place, f"hall {name}"))


@lru_cache(maxsize=256)
def _path(place: tuple[int, ...], name: str) -> Path:
    return draw_path(own_generator(place, "paths"), own_generator(place, f"path {name}"))


@lru_cache(maxsize=64)
def _room(place: tuple[int, ...]) -> Room:
    return draw_room(own_generator(place, "room"))


@lru_cache(maxsize=32)
def _transfer(path: Path, samples: int) -> np.ndarray:
    return transfer(path, samples)
