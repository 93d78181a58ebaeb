"""Embeddings of whole clips: every part of a clip is heard (DESIGN §1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import in_order
from dgmix.config import Recipe
from dgmix.model.network import Network, crop_frames
from dgmix.model.threads import TORCH
from dgmix.progress import Advance, silent

WINDOWS_AT_ONCE = 32  # what fits in a core's cache


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


def hop_frames(recipe: Recipe) -> int:
    """Return the hop between windows in frames: never 0, never longer than a crop."""
    samples = recipe.detect.hop_seconds * recipe.audio.rate
    return min(max(round(samples / recipe.features.hop_length), 1), crop_frames(recipe))


def windows_of(bank: MelBank, length: int, hop: int) -> Windows:
    """Return the windows of all clips of a bank."""
    starts = [window_starts(int(frames), length, hop) for frames in bank.frames]
    clips = np.repeat(np.arange(len(bank)), [len(s) for s in starts])
    return Windows(clips, np.array([s for each in starts for s in each], np.int64), len(bank))


def embed_clips(
    recipe: Recipe, network: Network, bank: MelBank, advance: Advance = silent
) -> NDArray[np.float32]:
    """Return one embedding of every clip, float32 (clip, dim), of all its windows.

    It is their mean, or pooled by relative deviation where the recipe has that. Calls `advance`
    with the number of clips that are done since.
    """
    windows = windows_of(bank, network.crop_frames, hop_frames(recipe))
    if recipe.detect.pool == "relative-deviation":
        values = embed(network, bank, windows, advance)
        return windows.relative_deviation(values, recipe.detect.emphasis).astype(np.float32)
    total = np.zeros((len(bank), network.embedding_size))
    for clips, embeddings in _embedded(network, bank, windows, advance):
        np.add.at(total, clips, embeddings)
    return (total / np.bincount(windows.clips, minlength=len(bank))[:, None]).astype(np.float32)


def embed(
    network: Network, bank: MelBank, windows: Windows, advance: Advance = silent
) -> NDArray[np.float32]:
    """Return the embedding of every window, float32 (window, dim); the network must be in eval."""
    parts = [embeddings for _, embeddings in _embedded(network, bank, windows, advance)]
    return np.concatenate([np.zeros((0, network.embedding_size), np.float32), *parts])


def _embedded(
    network: Network, bank: MelBank, windows: Windows, advance: Advance
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield the embeddings of windows in parts, and the clip of each, in bounded memory.

    On a CPU as many parts are computed at a time as torch has threads, each in one of them: faster
    than one part in all of them, and the same to the bit for any number.
    """
    last_of_clip = np.append(np.diff(windows.clips) > 0, True)
    firsts = range(0, len(windows.clips), WINDOWS_AT_ONCE)
    chunks = [slice(first, first + WINDOWS_AT_ONCE) for first in firsts]

    def embeddings(chunk: slice) -> NDArray[np.float32]:
        clips, starts = windows.clips[chunk], windows.starts[chunk]
        mels = torch.from_numpy(bank.crops(clips, starts, network.crop_frames))
        with torch.inference_mode():
            values: NDArray[np.float32] = network(mels.to(network.device)).float().cpu().numpy()
        return values

    jobs = TORCH.allowed() if network.device.type == "cpu" else 1
    with TORCH.one(), closing(in_order(embeddings, chunks, jobs)) as computed:
        for chunk, part in zip(chunks, computed, strict=True):
            yield windows.clips[chunk], part
            advance(int(last_of_clip[chunk].sum()))
