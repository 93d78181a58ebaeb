"""Embeddings of whole clips (DESIGN §1.5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import torch
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import in_order
from dgmix.audio.frames import hop_frames
from dgmix.config import Recipe
from dgmix.detect.windows import Windows, windows_of
from dgmix.model.network import Network
from dgmix.model.threads import TORCH
from dgmix.progress import Advance, silent

WINDOWS_AT_ONCE = 32  # what fits in a core's cache


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
        crops = torch.from_numpy(_crops(network, bank, clips, starts)).to(network.device)
        with torch.inference_mode():
            values: NDArray[np.float32] = network(crops).float().cpu().numpy()
        return values

    jobs = TORCH.allowed() if network.device.type == "cpu" else 1
    with TORCH.one(), closing(in_order(embeddings, chunks, jobs)) as computed:
        for chunk, part in zip(chunks, computed, strict=True):
            yield windows.clips[chunk], part
            advance(int(last_of_clip[chunk].sum()))


def _crops(
    network: Network, bank: MelBank, clips: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return what a network takes of windows: (window, frame, mel), or signals (window, sample)."""
    if not network.takes_waveform:
        return bank.crops(clips, starts, network.crop_frames)
    return bank.signals(clips, starts * network.hop_length, network.crop_samples)
