"""Views: fixed-length descriptions of a clip, learned or raw, that a scorer can compare.

The learned view is the embedding of DG-Mix. The raw ones are statistics over time of the levels of
each mel band; they stand beside DG-Mix in a detector, and as baselines in every table (DESIGN
§1.7). To add one, write a function from levels (frame, mel) to (dim,), put it in `RAW_VIEWS`, add
its name to `DetectSettings.views`, and its like in torch to `dgmix.detect.waveform`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.features import FLOOR
from dgmix.config import Recipe
from dgmix.detect.embed import embed, embed_clips, hop_frames, windows_of
from dgmix.model.network import Network
from dgmix.progress import Advance, silent

LEARNED = "dgmix"
Levels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vectors:
    """What stands for clips in a comparison.

    `values` float32 (vector, dim): one vector of each clip, or of each of its windows;
    `clips` int64 (vector,): which clip a vector is of, ascending.
    """

    values: NDArray[np.float32]
    clips: NDArray[np.int64]


@dataclass(frozen=True)
class RawView:
    """How to describe the levels (frame, mel) of a clip by a vector (dim,).

    As a baseline it is standardised over the training clips or not.
    """

    describe: Callable[[Levels], Levels]
    standardize: bool = False

    def __call__(
        self, training: MelBank, test: MelBank
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the baseline's view of training and test clips, each float64 (clip, dim)."""
        first, second = (self._of(bank).astype(np.float64) for bank in (training, test))
        if not self.standardize:
            return first, second
        mean, std = first.mean(0), np.maximum(first.std(0), 1e-9)
        return (first - mean) / std, (second - mean) / std

    def _of(self, bank: MelBank) -> NDArray[np.float32]:
        return np.stack([self.describe(logmel(bank[i])) for i in range(len(bank))])


def logmel(mel: NDArray[np.float32]) -> Levels:
    """Return the level in decibels of linear magnitudes, of the same shape."""
    return np.asarray(20 * np.log10(np.maximum(mel, FLOOR)), np.float32)


def mean(levels: Levels) -> Levels:
    """Return each band's mean level (mel,): the sound as it mostly is."""
    return np.asarray(levels.mean(0))


def peak(levels: Levels) -> Levels:
    """Return each band's highest level (mel,): strokes, knocks, clicks."""
    return np.asarray(levels.max(0))


def floor(levels: Levels) -> Levels:
    """Return each band's lowest level (mel,): what never stops."""
    return np.asarray(levels.min(0))


def change(levels: Levels) -> Levels:
    """Return the deviation of each band's level from frame to frame (mel,): how rough it is.

    The standard deviation over time of the difference to the frame before; 0 of a single frame.
    """
    return np.asarray(np.diff(levels, axis=0).std(0) if len(levels) > 1 else 0 * levels[0])


RAW_VIEWS = {
    "logmel-mean": RawView(mean),
    "logmel-max": RawView(peak, standardize=True),
    "logmel-min": RawView(floor),
    "logmel-change": RawView(change),
}


def represent(
    recipe: Recipe, network: Network, bank: MelBank, advance: Advance = silent
) -> dict[str, Vectors]:
    """Return every view of the clips of a bank that the recipe compares, by name.

    Calls `advance` with the number of clips that were described since.
    """
    views = dict.fromkeys(recipe.detect.views)
    learned = LEARNED in views
    raw = _raw(bank, [name for name in views if name != LEARNED], silent if learned else advance)
    found = {LEARNED: _learned(recipe, network, bank, advance), **raw} if learned else raw
    return {name: found[name] for name in views}


def _learned(recipe: Recipe, network: Network, bank: MelBank, advance: Advance) -> Vectors:
    if recipe.detect.pool == "mean-embedding":
        return Vectors(embed_clips(recipe, network, bank, advance), np.arange(len(bank)))
    windows = windows_of(bank, network.crop_frames, hop_frames(recipe))
    return Vectors(embed(network, bank, windows, advance), windows.clips)


def _raw(bank: MelBank, names: list[str], advance: Advance) -> dict[str, Vectors]:
    found: dict[str, list[Levels]] = {name: [] for name in names}
    for index in range(len(bank) if names else 0):
        levels = logmel(bank[index])
        for name, vectors in found.items():
            vectors.append(RAW_VIEWS[name].describe(levels))
        advance(1)
    clips = np.arange(len(bank))
    shape = (len(bank), bank.n_mels)
    return {
        name: Vectors(np.array(vectors, np.float32).reshape(shape), clips)
        for name, vectors in found.items()
    }
