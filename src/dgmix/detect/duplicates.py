"""Which recordings hold the same sound: copies, re-encoded, shifted, or cuts that overlap.

Two recordings of a machine differ in their noise from frame to frame, even where the machine does
the same. So the changes of level from frame to frame are correlated at every shift (normalised
cross-correlation over all bands); the same sound shows as a high peak, or as a lower one that
stands alone, where strokes of a machine that repeats itself have others beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.detect.views import logmel

BAND_GROUPS = 32
SURE_PEAK = 0.68
LONE_PEAK, LONE_RATIO, LONE_FRAMES = 0.25, 3.0, 2
NOISE_FLOOR = 0.05  # of the correlation of independent recordings
LEAST_OVERLAP, FEWEST_FRAMES = 31, 8
MOST_FRAMES = 20_000
EDGE = 2  # changes at each end of a clip
MOST_NEIGHBOURS = 20
KEPT_SPECTRA = 64
MOST_KEPT = 1 << 21  # frames whose changes are in memory: 270 MB
Floats = NDArray[np.float32]


def merge_copies(signals: Sequence[MelBank], recordings: Sequence[str]) -> list[str]:
    """Return the recording (clip,) of each clip, the same where they hold the same sound.

    `signals` are the features of the clips in each signal that is compared; copies are alike in all
    of them, where there is sound. `recordings` (clip,) are their names; copies take the name of
    the first one. Pairs are sought among the clips whose mean levels are most alike, 20 of each
    clip's.
    """
    parts = [_Signal(bank, MOST_KEPT // len(signals)) for bank in signals]
    means = np.concatenate([each.means() for each in parts], 1)
    names = _Names(recordings)
    for first, second in _candidates(means):
        if names[first] == names[second]:
            continue
        compared = [each for each in parts if each.changes_in(first) or each.changes_in(second)]
        if compared and all(each.same(first, second) for each in compared):
            names.join(first, second)
    return list(map(names.__getitem__, range(len(recordings))))


class _Signal:
    """The changes of level of all clips in one signal; those of `kept` frames are in memory."""

    def __init__(self, bank: MelBank, kept: int) -> None:
        from scipy.fft import next_fast_len, rfft  # type: ignore[import-untyped]

        longest = sorted(min(frames, MOST_FRAMES) for frames in bank.frames.tolist())[-2:]
        size: int = next_fast_len(max(sum(longest), 1), real=True)
        self._count, self._size = len(bank), size

        @lru_cache(max(KEPT_SPECTRA, 2 * kept // size))
        def changes(clip: int) -> _Changes:
            return _Changes(next(bank.blocks(clip, MOST_FRAMES)))

        @lru_cache(KEPT_SPECTRA)
        def spectrum(clip: int) -> NDArray[np.complex64]:
            return np.asarray(rfft(changes(clip).values, size, axis=0))

        self._changes, self._spectrum = changes, spectrum

    def means(self) -> Floats:
        """Return the mean levels (clip, band) of all clips."""
        means = [self._changes(clip).mean for clip in range(self._count)]
        return np.array(means, np.float32).reshape(len(means), BAND_GROUPS)

    def changes_in(self, clip: int) -> bool:
        """Say whether a clip has any change of level."""
        return bool(self._changes(clip).energy[-1] > 0)

    def same(self, first: int, second: int) -> bool:
        """Say whether two clips hold the same sound."""
        one, other = self._changes(first), self._changes(second)
        product = (self._spectrum(first).conj() * self._spectrum(second)).sum(1)
        return _same_sound(one, other, product, self._size)


class _Names:
    """The names of clips, of which some turn out to be others' too."""

    def __init__(self, names: Sequence[str]) -> None:
        self._own, self._same = list(names), dict[str, str]()

    def __getitem__(self, clip: int) -> str:
        name = self._own[clip]
        while name in self._same:
            name = self._same[name]
        self._own[clip] = name
        return name

    def join(self, first: int, second: int) -> None:
        """Give the second clip, and all of its name, the name of the first one."""
        self._same[self[second]] = self[first]


class _Changes:
    """The changes of level (frame, band) of a clip from frame to frame.

    Those at its ends are left out: there a tone stops, which looks alike in every recording of it.
    """

    def __init__(self, mel: Floats) -> None:
        levels = logmel(mel)
        edges = np.linspace(0, levels.shape[1], BAND_GROUPS + 1).round().astype(int)[:-1]
        grouped = np.add.reduceat(levels, edges, axis=1)
        self.mean = grouped.mean(0)
        self.values = np.diff(grouped, axis=0)[EDGE : max(len(grouped) - 1 - EDGE, EDGE)]

    @cached_property
    def energy(self) -> NDArray[np.float64]:
        """The sum of squares of the first frames, (frame + 1,)."""
        return _energy(self.values)

    @cached_property
    def energy_between(self) -> NDArray[np.float64]:
        """The same of the means of neighbouring frames."""
        return _energy((self.values + np.roll(self.values, -1, 0)) / 2)


def _energy(values: NDArray[np.floating]) -> NDArray[np.float64]:
    squares = np.square(values, dtype=np.float64).sum(1)
    return np.concatenate([[0.0], np.cumsum(squares)])


def _same_sound(
    first: _Changes, second: _Changes, product: NDArray[np.complex64], size: int
) -> bool:
    """Return whether two clips share a second of sound or, shorter ones, half of it.

    `product` is that of their spectra of `size` points, summed over the bands.
    """
    from scipy.fft import irfft

    overlap = min(LEAST_OVERLAP, min(len(first.values), len(second.values)) // 2)
    if overlap < FEWEST_FRAMES:
        return False
    products = irfft(product, size)
    whole = _Correlation.of(products, first, second.energy, overlap)
    between = (products + np.roll(products, -1)) / 2  # frames that lie half a frame apart
    half = _Correlation.of(between, first, second.energy_between, overlap)
    return whole.peak > SURE_PEAK or whole.alone or half.alone


@dataclass(frozen=True)
class _Correlation:
    """The highest correlation over all shifts, and the next one farther away."""

    peak: float
    next_peak: float

    @property
    def alone(self) -> bool:
        """Whether the peak stands alone."""
        return self.peak > LONE_PEAK and self.peak > LONE_RATIO * self.next_peak

    @classmethod
    def of(
        cls,
        products: NDArray[np.floating],
        first: _Changes,
        energy: NDArray[np.float64],
        overlap: int,
    ) -> _Correlation:
        """Return that of products (shift,) of a clip and one of this energy, normalised."""
        frames, others = len(first.values), len(energy) - 1
        shifts = np.arange(overlap - frames, others - overlap + 1)
        begin, end = np.maximum(0, -shifts), np.minimum(frames, others - shifts)
        own = first.energy[end] - first.energy[begin]
        other = energy[end + shifts] - energy[begin + shifts]
        values = products[shifts % len(products)] / np.sqrt(np.maximum(own * other, 1e-9))
        best = int(values.argmax())
        beside = np.abs(np.arange(len(values)) - best) > LONE_FRAMES
        next_peak = max(float(np.abs(values[beside]).max(initial=0)), NOISE_FLOOR)
        return cls(float(values[best]), next_peak)


def _candidates(means: Floats) -> list[tuple[int, int]]:
    """Return pairs of clips, the lower number first, by their mean levels (clip, band).

    They may hold the same sound.
    """
    from scipy.spatial import KDTree  # type: ignore[import-untyped]

    if len(means) < 2:
        return []
    few = min(MOST_NEIGHBOURS + 1, len(means))
    _, nearest = KDTree(means).query(means, few)
    pairs = {(min(i, j), max(i, j)) for i, row in enumerate(nearest.tolist()) for j in row}
    return sorted(pair for pair in pairs if pair[0] != pair[1])
