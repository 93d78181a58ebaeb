"""Does `localize` point at what is unusual? Prints how often, for planted clicks, tones and hums.

    python benchmarks/localization.py [--clips 15] [--healthy 24]

Healthy clips of each simulated machine get one click (a resonance that rings for 3 ms), one tone of
half a second, or a hum from beginning to end, at a random time in a random band. Its level is told
in decibels above the local background: its peak in the mel spectrogram against the RMS of the same
band in the second around it, without it. A hit is the right second (within 0.5 s of the middle) and
the right band (within 2 of 128); of a hum, which is always there, the right band. The machines
stand in a hall where metal is struck every few seconds, and valves and sliders knock themselves:
those are healthy, and what a click has to stand out from.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.mel_scale import mel_edges
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate import MACHINES
from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.detect.localize import BandStatistics, Localization, localize
from dgmix.detect.resolve import recipe_at

SECONDS, RATE = 10, 16_000
LEVELS = {"click": (20, 30, 40), "tone": (10, 15, 20, 25), "hum": (5, 10, 15)}
BANDS = range(20, 122)
Signal = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=15, help="of each machine, kind and level")
    parser.add_argument("--healthy", type=int, default=24, help="clips to learn from")
    options = parser.parse_args()
    recipe = recipe_at(load_recipe("default"), RATE)
    columns = [(kind, level) for kind, levels in LEVELS.items() for level in levels]
    print("| machine | " + " | ".join(f"{kind} {level} dB" for kind, level in columns) + " |")
    print("|---|" + "--:|" * len(columns))
    rows = []
    for machine in MACHINES:
        healthy = BandStatistics.of(bank(healthy_clips(machine, options.healthy), recipe), recipe)
        sounds = test_clips(machine, options.clips)
        rows.append([hits(sounds, kind, level, healthy, recipe) for kind, level in columns])
        print(row(machine, np.mean(rows[-1], axis=1)), flush=True)
    total = np.concatenate(rows, axis=1)
    print(row(f"**all, {total.shape[1]} clips**", total.mean(1)))


def row(name: str, rates: NDArray[np.float64]) -> str:
    return f"| {name} | " + " | ".join(f"{rate:.0%}" for rate in rates) + " |"


def healthy_clips(machine: str, count: int) -> list[Signal]:
    return [samples_of(PlannedClip(machine, 0, 0, i), 0, SECONDS * RATE) for i in range(count)]


def test_clips(machine: str, count: int) -> list[Signal]:
    return [samples_of(PlannedClip(machine, 0, 2, i), 0, SECONDS * RATE) for i in range(count)]


def bank(sounds: list[Signal], recipe: Recipe) -> MelBank:
    centred = [sound - sound.mean() for sound in sounds]
    return bank_of_signals(centred, recipe.audio, recipe.features)


def hits(
    sounds: list[Signal], kind: str, level: float, healthy: BandStatistics, recipe: Recipe
) -> list[bool]:
    """Return for each sound whether what was planted in it was found."""
    rng = np.random.default_rng(len(kind))
    results = []
    for sound in sounds:
        band, start = int(rng.choice(BANDS)), int(rng.uniform(0.7, 9) * RATE)
        event = np.zeros_like(sound)
        hertz = mel_edges(recipe.features)[band + 1]
        part = EVENTS[kind](float(hertz))
        first = 0 if kind == "hum" else start
        event[first : first + len(part)] = part
        planted = sound + gain(sound, event, band, level, recipe) * event
        where = localize(bank([planted], recipe)[0], healthy, recipe)
        middle = None if kind == "hum" else (start + len(part) / 2) / RATE
        results.append(hit(where, middle, band))
    return results


def hit(place: Localization, middle: float | None, band: int) -> bool:
    in_time = middle is None or abs(place.when - middle) <= 0.5
    return bool(in_time and abs(int(place.over_bands.argmax()) - band) <= 2)


def gain(sound: Signal, event: Signal, band: int, level: float, recipe: Recipe) -> np.float32:
    """Return what brings an event to `level` dB above the local background in its band."""
    mels = bank([sound, event], recipe)
    background, alone = mels[0][:, band], mels[1][:, band]
    frame = int(alone.argmax())
    near = background[max(0, frame - 16) : frame + 17]
    return np.float32(10 ** (level / 20) * np.sqrt(np.square(near).mean()) / alone[frame])


def click(hertz: float) -> Signal:
    time = np.arange(800) / RATE
    return (np.exp(-time / 0.003) * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def tone(hertz: float) -> Signal:
    time = np.arange(RATE // 2) / RATE
    fade = np.hanning(len(time)) ** 0.25
    return (fade * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def hum(hertz: float) -> Signal:
    return np.sin(2 * np.pi * hertz * np.arange(SECONDS * RATE) / RATE).astype(np.float32)


EVENTS: dict[str, Callable[[float], Signal]] = {"click": click, "tone": tone, "hum": hum}


if __name__ == "__main__":
    main()
