"""Windows of clips: every part of a clip is in one (DESIGN §1.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of a list of clips, in order of clips and time.

    `clips` int64 (window,): which clip each window is of; `starts` int64 (window,): its first
    frame; `count`: how many clips there are.
    """

    clips: NDArray[np.int64]
    starts: NDArray[np.int64]
    count: int

    def mean(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean over each clip's windows of `values` (window, …), as (clip, …)."""
        return np.add.reduceat(values.astype(np.float64), self._firsts()) / self._sizes(values.ndim)

    def max(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the maximum over each clip's windows of `values` (window, …), as (clip, …)."""
        return np.maximum.reduceat(values.astype(np.float64), self._firsts())

    def relative_deviation(
        self, values: NDArray[np.floating], emphasis: float
    ) -> NDArray[np.float64]:
        """Return a mean over each clip's windows of `values` (window, dim), as (clip, dim), in
        which windows that are unlike the clip's others count more.

        Weights are (1 + r)^emphasis, r being a window's distance from the plain mean over the
        clip's largest (relative deviation pooling: Wilkinghoff, Yadav, Tan, arXiv 2603.04605).
        """
        apart = np.linalg.norm(values - self.mean(values)[self.clips], axis=1)
        largest = self.max(apart)
        relative = apart / np.where(largest > 0, largest, 1)[self.clips]
        weights = (1 + relative) ** emphasis
        weights /= np.add.reduceat(weights, self._firsts())[self.clips]
        return np.asarray(np.add.reduceat(values * weights[:, None], self._firsts()))

    def _firsts(self) -> NDArray[np.int64]:
        return np.searchsorted(self.clips, np.arange(self.count))

    def _sizes(self, ndim: int) -> NDArray[np.int64]:
        return np.bincount(self.clips, minlength=self.count).reshape(-1, *[1] * (ndim - 1))


def window_starts(frames: int, length: int, hop: int) -> list[int]:
    """Return the first frames of windows of `length` that together cover all `frames`.

    Windows follow each other every `hop` frames; the last one ends with the clip. A clip shorter
    than a window has one, which wraps around. No gap is left when `hop` is at most `length`.
    """
    last = max(frames - length, 0)
    return [*range(0, last, hop), last]


def windows_of(bank: MelBank, length: int, hop: int) -> Windows:
    """Return the windows of all clips of a bank."""
    starts = [window_starts(int(frames), length, hop) for frames in bank.frames]
    clips = np.repeat(np.arange(len(bank)), [len(s) for s in starts])
    return Windows(clips, np.array([s for each in starts for s in each], np.int64), len(bank))
