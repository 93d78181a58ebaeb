"""Views: fixed-length descriptions of a clip, learned or raw, that a scorer can compare.

The learned view is the embedding of DG-Mix. The raw ones are statistics over time of the levels of
each mel band; they stand beside DG-Mix in a detector, and as baselines in every table (DESIGN
§1.7). To add one, write a function from levels (frame, mel) to (dim,), put it in `RAW_VIEWS`, add
its name to `DetectSettings.views`, and its like in torch to `dgmix.detect.waveform`.

Two clips are compared by the distance of their vectors, in a metric that is the same for all
machines: each number is multiplied by a fixed factor (docs/decisions/0025-fixed-metrics.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.frames import hop_frames
from dgmix.config import Recipe
from dgmix.detect.views.blocks import describe_blocks
from dgmix.detect.views.cepstrum import cepstrum
from dgmix.detect.views.levels import Levels, change, floor, logmel, mean, peak, q90
from dgmix.detect.views.rhythm import rhythm
from dgmix.detect.windows import windows_of
from dgmix.progress import Advance, silent

if TYPE_CHECKING:
    from dgmix.model.network import Network

LEARNED = "dgmix"
LONG_FRAMES = 1 << 14  # 9 minutes at 512 samples of 16 kHz; more are described block by block


@dataclass(frozen=True, slots=True)
class Vectors:
    """What stands for clips in a comparison.

    `values` float32 (vector, dim): one vector of each clip, or of each of its windows;
    `clips` int64 (vector,): which clip a vector is of, ascending.
    """

    values: NDArray[np.float32]
    clips: NDArray[np.int64]

    def select(self, chosen: NDArray[np.int64]) -> Vectors:
        """Return the vectors of the clips of these ascending numbers (clip,), numbered anew."""
        kept = np.isin(self.clips, chosen)
        return Vectors(self.values[kept], np.searchsorted(chosen, self.clips[kept]))


@dataclass(frozen=True)
class RawView:
    """How to describe the levels (frame, mel) of a clip by a vector (dim,).

    `in_words` is what of a sound it tells. `spreads` are typical deviations of healthy clips, from
    the first number to the last, with straight lines between them; they are what simulated machines
    show, and the same for all machines. The vector is cut in `parts` of equal
    size, each compared by itself. As a baseline the vector itself is
    standardised over the training clips or not.
    """

    describe: Callable[[Levels], Levels]
    in_words: str
    spreads: tuple[float, ...]
    parts: int = 1
    standardize: bool = False

    def scaled(self, values: Levels) -> Levels:
        """Return a description (dim,) in the metric of this view, for its distances."""
        return np.asarray(values * self.scale(len(values)), np.float32)

    def scale(self, size: int) -> NDArray[np.float64]:
        """Return the factors (dim,) of a vector of this size, one over the spreads."""
        places = np.linspace(0, len(self.spreads) - 1, size)
        return 1 / np.interp(places, np.arange(len(self.spreads)), self.spreads)

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


RAW_VIEWS = {
    "logmel-mean": RawView(mean, "mean level", (2.0, 1.6)),
    "logmel-q90": RawView(q90, "louder moments", (2.2, 1.7)),
    "logmel-max": RawView(peak, "peaks", (2.6, 3.8), parts=4, standardize=True),
    "logmel-min": RawView(floor, "quietest moments", (2.6, 2.2)),
    "logmel-change": RawView(change, "roughness", (0.55, 0.7)),
    "logmel-rhythm": RawView(rhythm, "rhythm", (3.8, 1.0)),
    "cepstrum": RawView(cepstrum, "spectral shape", (2.0,)),
}


def in_words(view: str) -> str:
    """Return what of a sound a view tells: "peaks", of logmel-max."""
    return "learned features" if view == LEARNED else RAW_VIEWS[view].in_words


def parts_of(view: str, vectors: Vectors) -> list[Vectors]:
    """Return the vectors of each part of a view."""
    parts = RAW_VIEWS[view].parts if view in RAW_VIEWS else 1
    edges = np.linspace(0, vectors.values.shape[1], parts + 1).round().astype(int)
    return [
        Vectors(vectors.values[:, first:last], vectors.clips)
        for first, last in pairwise(edges.tolist())
    ]


def view_size(name: str, n_mels: int) -> int:
    """Return how many numbers a raw view has of a clip of so many mel bands."""
    return len(RAW_VIEWS[name].describe(np.zeros((1, n_mels), np.float32)))


def represent(
    recipe: Recipe, network: Network | None, bank: MelBank, advance: Advance = silent
) -> dict[str, Vectors]:
    """Return every view of the clips of a bank that the recipe compares, by name.

    The learned view needs a network. Calls `advance` with the number of clips that were described
    since.
    """
    views = dict.fromkeys(recipe.detect.views)
    learned = LEARNED in views
    raw = _raw(bank, [name for name in views if name != LEARNED], silent if learned else advance)
    if network is not None and learned:
        raw[LEARNED] = _learned(recipe, network, bank, advance)
    return {name: raw[name] for name in views}


def _learned(recipe: Recipe, network: Network, bank: MelBank, advance: Advance) -> Vectors:
    from dgmix.detect.embed import embed, embed_clips

    if recipe.detect.one_vector:
        return Vectors(embed_clips(recipe, network, bank, advance), np.arange(len(bank)))
    windows = windows_of(bank, network.crop_frames, hop_frames(recipe))
    return Vectors(embed(network, bank, windows, advance), windows.clips)


def _raw(bank: MelBank, names: list[str], advance: Advance) -> dict[str, Vectors]:
    vectors: dict[str, list[Levels]] = {name: [] for name in names}
    for index in range(len(bank) if names else 0):
        for name, description in _described(bank, index, names).items():
            vectors[name].append(RAW_VIEWS[name].scaled(description))
        advance(1)
    clips = np.arange(len(bank))
    return {
        name: Vectors(
            np.array(values, np.float32).reshape(len(bank), view_size(name, bank.n_mels)), clips
        )
        for name, values in vectors.items()
    }


def _described(bank: MelBank, index: int, names: list[str]) -> dict[str, Levels]:
    """Return the descriptions of a clip, by view; of a long one made block by block."""
    if bank.frames[index] > LONG_FRAMES:
        return describe_blocks(names, bank.blocks(index), bank.n_mels)
    levels = logmel(bank[index])
    return {name: RAW_VIEWS[name].describe(levels) for name in names}
