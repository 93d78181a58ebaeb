"""Up to which frequency a detector compares sound, and up to which a recording has any.

A recording that was resampled from a lower rate, or compressed with loss, is empty above some
frequency: there its level falls within two bands by more than any machine's does, and stays low.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.features import FLOOR
from dgmix.audio.mel_scale import mel_edges
from dgmix.audio.signals import Signal, hertz, signals_of
from dgmix.config import Recipe
from dgmix.detect.localize import MOST_FRAMES, BandStatistics
from dgmix.detect.quality import Defect
from dgmix.errors import first_few

PLATEAU, SLOPE = 6, 2  # bands below the end of the sound, and in which it ends
FALL, LACK = 20.0, 12.0  # dB, of a recording by itself, and beside healthy ones
WHOLE = 0.85  # of the band; recorders' own filters end the sound above that
MOST_LACKING = 0.1  # of the bands, of a recording that is judged all the same
Floats = NDArray[np.floating]


def highest(recipe: Recipe) -> float:
    """Return up to which frequency a detector compares sound, in Hz; to a band, of half a rate."""
    edges, half = mel_edges(recipe.features), recipe.audio.rate / 2
    return half if edges[-1] + edges[-1] - edges[-2] > half else float(edges[-1])


def band_levels(bank: MelBank, index: int) -> Floats:
    """Return the mean magnitude of each band of a recording in dB (mel,); of a long one's start."""
    magnitudes = next(bank.blocks(index, MOST_FRAMES))
    mean = np.full(len(magnitudes), 1 / len(magnitudes), np.float32) @ magnitudes
    return np.asarray(20 * np.log10(np.maximum(mean, FLOOR)))


def content(levels: Floats, recipe: Recipe) -> float:
    """Return the highest frequency in Hz at which a recording of these band levels has sound.

    `levels` (mel,) in dB, as `band_levels` returns them.
    """
    edges = mel_edges(recipe.features)
    widths = edges[2:] - edges[:-2]
    end = _end(levels - 20 * np.log10(widths), FALL)
    return highest(recipe) if end is None else float(edges[end])


def first_lacking(levels: Floats, healthy: BandStatistics) -> int | None:
    """Return the band from which on a recording lacks what healthy ones have, or None.

    Its levels (mel,) lie below theirs there by `LACK` or more, all of them, and not below.
    """
    beside = np.asarray(levels - healthy.mean)
    end = _end(beside, LACK)
    return None if end is None or beside[end:].max() > -LACK else end


def lacking(
    channels: Iterable[tuple[Signal, MelBank, BandStatistics]], index: int, recipe: Recipe
) -> tuple[Defect, ...]:
    """Return the defect of a recording that lacks the upper part of the band, if it does.

    `channels` are those that are compared, each with the recordings' features, of which `index` is
    the number, and the levels of healthy ones.
    """
    firsts = {
        str(channel): first_lacking(band_levels(bank, index), healthy)
        for channel, bank, healthy in channels
    }
    ends = {channel: first for channel, first in firsts.items() if first is not None}
    if not ends:
        return ()
    first = min(ends.values())
    where = "" if len(ends) == len(firsts) else f" in channel {' and '.join(ends)}"
    text = (
        f"no sound above {_edge(recipe, first)}{where}, and the healthy recordings have some up to "
        f"{hertz(highest(recipe))}: was it resampled, compressed, or recorded at a lower rate?"
    )
    bands = recipe.features.n_mels
    return (Defect(text, first < (1 - MOST_LACKING) * bands),)


def _edge(recipe: Recipe, band: int) -> str:
    """Return the lower edge of a band in three figures."""
    return hertz(float(f"{mel_edges(recipe.features)[band]:.3g}"))


def _end(levels: Floats, fall: float) -> int | None:
    """Return the first band from which on all levels (mel,) lie `fall` dB below those before."""
    first = PLATEAU + SLOPE
    if len(levels) <= first:
        return None
    above = np.maximum.accumulate(levels[::-1])[::-1][first:]
    before = np.lib.stride_tricks.sliding_window_view(levels, PLATEAU).min(1)[: len(above)]
    falls = before - above
    return None if falls.max() < fall else first + int((falls >= falls.max() - 1).argmax())


def remarks(
    names: Sequence[str], rates: Collection[int], bank: MelBank, recipe: Recipe
) -> Iterator[str]:
    """Yield sentences on sound that is not learned from, and on what healthy recordings lack.

    `names` are those of the recordings of `bank`, `rates` their sample rates in Hz, where known.
    """
    whole = highest(recipe)
    if rates and min(rates) / 2 > whole * (1 + 1e-6):
        yield (
            f"sound above {hertz(whole)} is not compared, though the recordings reach "
            f"{hertz(min(rates) / 2)}: audio.sample_rate and features.f_max decide, as auto does "
            "in the recipe default"
        )
    signals = bank.split(len(signals_of(recipe.audio)))
    ends = [
        max(content(band_levels(signal, index), recipe) for signal in signals)
        for index in range(len(bank))
    ]
    short = [place for place, end in enumerate(ends) if end < WHOLE * whole]
    if short:
        listed = first_few([f"{names[i]} above {ends[i] / 1000:.3g} kHz" for i in short])
        all_short = len(short) == len(bank)
        yield (
            f"no sound in the upper part of the band, which ends at {hertz(whole)}, in "
            f"{len(short)} of {len(bank)} recordings ({listed}): were they resampled, or "
            "compressed? They hide faults up there; "
            f"{'record WAV or FLAC if that can be' if all_short else 'leave them out'}"
        )
