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
from dgmix.detect.embed import embed, embed_clips, hop_frames, window_starts, windows_of
from dgmix.model.crops import TrainingCrops
from dgmix.model.network import Network
from dgmix.model.train import Run, train, untrained
from dgmix.progress import Advance, silent

LEARNED = "dgmix"
LEAST_CHANGE = 0.01  # dB: what changes less does not change
LONG_FRAMES = 1 << 14  # 9 minutes at 512 samples of 16 kHz; more are described block by block
RHYTHM_FRAMES, RHYTHM_GROUPS, RHYTHM_BANDS = 128, 16, 20
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

    `in_words` is what of a sound it tells. As a baseline it is standardised over the training
    clips or not.
    """

    describe: Callable[[Levels], Levels]
    in_words: str
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


def q90(levels: Levels) -> Levels:
    """Return the level that a tenth of the frames exceed, of each band (mel,): its louder moments.

    The 90th percentile, an order statistic: the next lower one where it falls between two frames.
    """
    rank = 9 * (len(levels) - 1) // 10
    return np.asarray(np.partition(levels, rank, axis=0)[rank])


def floor(levels: Levels) -> Levels:
    """Return each band's lowest level (mel,): what never stops."""
    return np.asarray(levels.min(0))


def change(levels: Levels) -> Levels:
    """Return how much each band's level changes from frame to frame (mel,): how rough it is.

    The standard deviation over time of the difference to the frame before, itself told as a level:
    20 · log10 of its value in decibels, at least that of `LEAST_CHANGE`.
    """
    steps = np.diff(levels, axis=0, prepend=levels[:1])[1:] if len(levels) > 1 else 0 * levels
    return np.asarray(20 * np.log10(np.maximum(steps.std(0), LEAST_CHANGE)), np.float32)


def rhythm(levels: Levels) -> Levels:
    """Return the modulation spectrum (16 · modulation band,): how fast the sound comes and goes.

    The levels of 16 groups of bands are cut in windows of `RHYTHM_FRAMES` that overlap by half; the
    power of each modulation frequency, in dB² of amplitude and averaged over windows (Welch 1967)
    and over `RHYTHM_BANDS` bands that widen with frequency, is told as a level.
    """
    starts = window_starts(len(levels), RHYTHM_FRAMES, RHYTHM_FRAMES // 2)
    index = (np.array(starts)[:, None] + np.arange(RHYTHM_FRAMES)) % len(levels)
    grouped = (levels @ band_groups(levels.shape[1]).T)[index]
    grouped = (grouped - grouped.mean(1, keepdims=True)) * hann()[:, None]
    power = np.abs(np.fft.rfft(grouped, axis=1)[:, 1:]) ** 2 * (4 / RHYTHM_FRAMES) ** 2
    bands = modulation_bands() @ power.mean(0)
    return np.asarray(10 * np.log10(bands + LEAST_CHANGE**2), np.float32).ravel()


def hann() -> NDArray[np.float64]:
    """Return the window of `rhythm` (frame,), whose sum is half its length."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(RHYTHM_FRAMES) / RHYTHM_FRAMES)


def band_groups(bands: int) -> NDArray[np.float64]:
    """Return the matrix (16, mel) that averages neighbouring mel bands."""
    return _averaging(np.linspace(0, bands, RHYTHM_GROUPS + 1).round().astype(int))


def modulation_bands() -> NDArray[np.float64]:
    """Return the matrix (modulation band, modulation frequency) that averages frequencies.

    The frequencies are multiples 1, 2, … of one cycle a window; the bands widen geometrically.
    """
    last = RHYTHM_FRAMES // 2
    edges = np.geomspace(1, last + 1, RHYTHM_BANDS + 1).round().astype(int)
    return _averaging(np.unique(edges) - 1)


def _averaging(edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the matrix (part, value) of means over the values from one edge to the next."""
    value = np.arange(edges[-1])
    parts = (value >= edges[:-1, None]) & (value < edges[1:, None])
    return np.asarray(parts / parts.sum(1, keepdims=True), np.float64)


RAW_VIEWS = {
    "logmel-mean": RawView(mean, "mean level"),
    "logmel-q90": RawView(q90, "louder moments"),
    "logmel-max": RawView(peak, "peaks", standardize=True),
    "logmel-min": RawView(floor, "quietest moments"),
    "logmel-change": RawView(change, "roughness"),
    "logmel-rhythm": RawView(rhythm, "rhythm"),
}


def in_words(view: str) -> str:
    """Return what of a sound a view tells: "peaks", of logmel-max."""
    return "learned features" if view == LEARNED else RAW_VIEWS[view].in_words


def view_size(name: str, n_mels: int) -> int:
    """Return how many numbers a raw view has of a clip of so many mel bands."""
    return len(RAW_VIEWS[name].describe(np.zeros((1, n_mels), np.float32)))


def network_for(recipe: Recipe, crops: TrainingCrops, seed: int, run: Run, device: str) -> Network:
    """Return a network that is trained, or untrained where the recipe has no learned view."""
    if LEARNED in recipe.detect.views:
        return train(recipe, crops, seed, run, device)
    return untrained(recipe, crops, seed, device)


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
    from dgmix.detect.long_views import describe_blocks

    found: dict[str, list[Levels]] = {name: [] for name in names}
    for index in range(len(bank) if names else 0):
        if bank.frames[index] > LONG_FRAMES:
            described = describe_blocks(names, bank.blocks(index), bank.n_mels)
        else:
            levels = logmel(bank[index])
            described = {name: RAW_VIEWS[name].describe(levels) for name in names}
        for name, vectors in found.items():
            vectors.append(described[name])
        advance(1)
    clips = np.arange(len(bank))
    return {
        name: Vectors(
            np.array(vectors, np.float32).reshape(len(bank), view_size(name, bank.n_mels)), clips
        )
        for name, vectors in found.items()
    }
