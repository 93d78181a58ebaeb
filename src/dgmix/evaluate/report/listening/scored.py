"""Recordings with their scores, most anomalous first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dgmix.errors import InputError
from dgmix.evaluate.report.listening.unusual import Region, most_unusual
from dgmix.progress import progress

if TYPE_CHECKING:
    from dgmix.config import Recipe
    from dgmix.detect.detector import Detector
    from dgmix.detect.recordings import Sounds, Source

AT_ONCE = 32


@dataclass(frozen=True)
class Scored:
    """A recording that was scored; `index` is its number among those asked about."""

    index: int
    name: str
    section: str
    seconds: float
    score: float
    p_value: float
    region: Region


@dataclass(frozen=True)
class Unread:
    """A recording that could not be scored, and the sentence that says why."""

    name: str
    reason: str


def gather(source: Source, recipe: Recipe, sample_rate: int | None = None) -> Sounds:
    """Return the recordings of a source, or of several files and folders in a list.

    Raises what `dgmix.detect.recordings.sounds` raises.
    """
    from dgmix.data.clip import Clip
    from dgmix.detect.recordings import Sounds, sounds

    several = _paths(source)
    if len(several) < 2:
        return sounds(several[0] if several else source, recipe, sample_rate)
    parts = [sounds(path, recipe, sample_rate) for path in several]
    clips = [item for part in parts for item in part.items if isinstance(item, Clip)]
    return Sounds(
        [str(clip.path) for clip in clips],
        list(clips),
        [section for part in parts for section in part.sections],
        [domain for part in parts for domain in part.domains],
    )


def score(detector: Detector, found: Sounds) -> tuple[list[Scored], list[Unread]]:
    """Return the recordings by p-value, then by falling score, and those that cannot be read."""
    scored: list[Scored] = []
    unread: list[Unread] = []
    with progress("listening", len(found)) as advance:
        for number, part in enumerate(found.parts(AT_ONCE)):
            signals: dict[int, NDArray[np.float32]] = {}
            for place, one in enumerate(part.parts(1)):
                try:
                    signals[place] = signal(one, detector.recipe_)
                except InputError as error:
                    unread.append(Unread(one.names[0], str(error)))
            scored += _score(detector, part, signals, number * AT_ONCE) if signals else []
            advance(len(part))
    return sorted(scored, key=lambda each: (each.p_value, -each.score, each.name)), unread


def signal(one: Sounds, recipe: Recipe) -> NDArray[np.float32]:
    """Return the signal (sample,) of the one recording of `one`.

    Raises `InputError` when its file cannot be read.
    """
    return next(one.signals(recipe))


def _score(
    detector: Detector, part: Sounds, signals: dict[int, NDArray[np.float32]], first: int
) -> Iterator[Scored]:
    from dgmix.audio.bank import bank_of_signals

    recipe = detector.recipe_
    bank = bank_of_signals(signals.values(), recipe.audio, recipe.features)
    sections = [part.sections[place] for place in signals]
    scores = detector.score_bank(bank, sections)
    p_values = detector.judge(scores, sections)
    for row, (place, samples) in enumerate(signals.items()):
        yield Scored(
            first + place,
            part.names[place],
            part.sections[place],
            len(samples) / recipe.audio.sample_rate,
            float(scores[row]),
            float(p_values[row]),
            most_unusual(detector.localize_bank(bank, row)),
        )


def _paths(source: Source) -> Sequence[Any]:
    """Return the paths in a list of nothing else, otherwise nothing."""
    if isinstance(source, str | os.PathLike) or not isinstance(source, Sequence):
        return []
    return source if all(isinstance(item, str | os.PathLike) for item in source) else []
