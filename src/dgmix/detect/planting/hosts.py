"""Healthy recordings that faults are planted in, and the sounds of others that are mixed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.io import Recording, SignalReader, to_signal
from dgmix.config import AudioSettings, Recipe
from dgmix.data.clip import Clip
from dgmix.detect.planting.faults import Fault, faults_with
from dgmix.detect.recordings import Sounds

LONGEST_SECONDS = 120  # of a longer recording its beginning
OTHER_SECONDS, OTHERS = 20, 6
SIMULATED_SECONDS = 10
Samples = NDArray[np.float32]


def spread(groups: Mapping[Any, Sequence[int]], count: int) -> list[int]:
    """Return at most `count` of the numbers, ascending: as many of each group, evenly spread."""
    chosen: list[int] = []
    for place, numbers in enumerate(sorted(groups.values(), key=len)):
        share = (count - len(chosen)) // (len(groups) - place)
        chosen += _evenly(numbers, share)
    return sorted(chosen)


def _evenly(numbers: Sequence[int], count: int) -> list[int]:
    places = np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)
    return [numbers[place] for place in places]


def beginning(recordings: Sounds, number: int, recipe: Recipe, seconds: float) -> Samples:
    """Return the first `seconds` of a recording, float32 (sample,); all of a shorter one."""
    item, most = recordings.items[number], int(seconds * recipe.audio.rate)
    if isinstance(item, Recording):
        samples = item.samples[: int(seconds * item.sample_rate)]
        return to_signal(samples, item.sample_rate, recipe.audio)
    source = item.path if isinstance(item, Clip) else item
    return np.concatenate(list(_up_to(most, SignalReader(source, recipe.audio).blocks())))[:most]


def _up_to(count: int, blocks: Iterator[Samples]) -> Iterator[Samples]:
    for block in blocks:
        yield block
        count -= len(block)
        if count <= 0:
            return


def simulated_machines(audio: AudioSettings) -> list[Samples]:
    """Return the sounds of healthy simulated machines, one of each type, float32 (sample,)."""
    from dgmix.data.simulate import MACHINES
    from dgmix.data.simulate.clips import PlannedClip, samples_of
    from dgmix.data.simulate.signals import RATE

    clips = [PlannedClip(machine, section=0, group=0, index=0) for machine in MACHINES]
    signals = (samples_of(clip, 0, SIMULATED_SECONDS * RATE) for clip in clips)
    return [to_signal(signal, RATE, audio) for signal in signals]


def other_sections(recordings: Sounds, section: str, recipe: Recipe) -> list[Samples]:
    """Return the beginnings of some recordings of other sections than `section`."""
    others: dict[str, list[int]] = {}
    for number, each in enumerate(recordings.sections):
        if each != section:
            others.setdefault(each, []).append(number)
    return [beginning(recordings, n, recipe, OTHER_SECONDS) for n in spread(others, OTHERS)]


def faults_by_section(
    recordings: Sounds, sections: Iterable[str], recipe: Recipe
) -> dict[str, tuple[Fault, ...]]:
    """Return all faults for recordings of each of some sections.

    The sounds that are mixed in are those of other sections, or else of simulated machines.
    """
    if len(set(recordings.sections)) == 1:
        faults = faults_with(simulated_machines(recipe.audio), "another machine's sound")
        return dict.fromkeys(sections, faults)
    return {
        section: faults_with(other_sections(recordings, section, recipe), "another section's sound")
        for section in set(sections)
    }
