"""Stretches of recordings, short enough to listen to and to look at."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dgmix.detect.fitted import FittedDetector
    from dgmix.detect.localize import Localization

SECONDS = 10.0
WHOLE_UP_TO = 12.0


@dataclass(frozen=True)
class Excerpt:
    """A recording, or a stretch of one, as sound and as picture.

    `samples` float32 (sample,) at `sample_rate`; `level` float32 (frame, mel) in dB; `surprise`
    (frame,): how unusual each moment is; `hertz` (mel,): the centre of each band; `hop`: seconds
    between frames; `first`: number of the first frame in the recording.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    level: NDArray[np.float32]
    surprise: NDArray[np.float32]
    hertz: NDArray[np.float64]
    hop: float
    first: int = 0

    @property
    def begin(self) -> float:
        """Where it begins in the recording, in seconds."""
        return self.first * self.hop

    @property
    def end(self) -> float:
        """Where it ends in the recording, in seconds."""
        return self.begin + len(self.samples) / self.sample_rate

    def cut(self, first: int, frames: int) -> Excerpt:
        """Return so many frames of it from frame `first` on, with their sound."""
        per_frame = self.hop * self.sample_rate
        sound = slice(round(first * per_frame), round((first + frames) * per_frame))
        return replace(
            self,
            samples=self.samples[sound],
            level=self.level[first : first + frames],
            surprise=self.surprise[first : first + frames],
            first=self.first + first,
        )


def whole(
    fitted: FittedDetector, samples: NDArray[np.float32], signal: str = ""
) -> tuple[Excerpt, Localization]:
    """Return all of a recording, (sample,) at the detector's rate, and where it is unusual.

    `signal` names the one of those compared that the samples are; the first by default.
    """
    from dgmix.audio.bank import bank_of_signals
    from dgmix.detect.localize import localize
    from dgmix.detect.views import logmel

    audio, features = fitted.recipe.audio, fitted.recipe.features
    bank = bank_of_signals([samples], audio, features)
    place = localize(bank[0], fitted.statistics_of(signal), fitted.recipe)
    hop = features.hop_length / audio.rate
    level, surprise = logmel(bank[0]), place.over_time
    return Excerpt(samples, audio.rate, level, surprise, place.hertz, hop), place


def around(recording: Excerpt, frame: int) -> Excerpt:
    """Return ten seconds with a frame in their middle, as far as the ends allow.

    A recording of up to twelve seconds is returned whole.
    """
    frames = _frames(recording)
    first = min(max(frame - frames // 2, 0), len(recording.level) - frames)
    return recording.cut(first, frames)


def most_like(recording: Excerpt, other: Excerpt) -> Excerpt:
    """Return the ten seconds of a recording whose mean level in each band is nearest to `other`'s.

    A recording of up to twelve seconds is returned whole.
    """
    frames = _frames(recording)
    sums = np.cumsum(recording.level, axis=0, dtype=np.float64)
    sums = np.concatenate([np.zeros((1, sums.shape[1])), sums])
    means = (sums[frames:] - sums[:-frames]) / frames
    distances = np.square(means - other.level.mean(0, dtype=np.float64)).sum(1)
    return recording.cut(int(distances.argmin()), frames)


def _frames(recording: Excerpt) -> int:
    """Return how many frames of a recording are shown."""
    if recording.end - recording.begin <= WHOLE_UP_TO:
        return len(recording.level)
    return math.ceil(SECONDS / recording.hop)
