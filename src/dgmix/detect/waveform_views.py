"""The raw views as torch functions of levels (frame, mel), so that they can be exported."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dgmix.detect.views.cepstrum import cosines
from dgmix.detect.views.levels import LEAST_CHANGE
from dgmix.detect.views.rhythm import RHYTHM_FRAMES, band_groups, hann, modulation_bands


def windows(mels: Tensor, length: int, hop: int) -> Tensor:
    """Return the windows (window, length, mel) of (frame, mel) that `window_starts` names."""
    frames = mels.shape[0]
    last = torch.sym_max(frames - length, 0)  # type: ignore[no-untyped-call]
    frame = torch.arange(frames)
    starts = frame[((frame % hop == 0) & (frame < last)) | (frame == last)]
    torch._check(starts.shape[0] > 0)  # type: ignore[no-untyped-call]
    return mels[wrapped(starts[:, None] + torch.arange(length), frames)]


def wrapped(index: Tensor, size: int) -> Tensor:
    """Return `index` modulo `size`; torch cannot export `%` by a size that varies."""
    return index - index // size * size


def change(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.change` does of levels (frame, mel)."""
    steps = levels[1:] - levels[:-1]
    count = torch.sym_max(levels.shape[0] - 1, 1)  # type: ignore[no-untyped-call]
    centred = steps - steps.sum(0) / count
    deviation = (centred.square().sum(0) / count).sqrt()
    level: Tensor = 20 * deviation.clamp(min=LEAST_CHANGE).log10()
    return level


def cepstrum(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.cepstrum.cepstrum` does of levels (frame, mel)."""
    coefficients = levels @ torch.from_numpy(cosines(levels.shape[1])).T
    steps = coefficients[1:] - coefficients[:-1]
    count = torch.sym_max(levels.shape[0] - 1, 1)  # type: ignore[no-untyped-call]
    centred = steps - steps.sum(0) / count
    deviation = (centred.square().sum(0) / count).sqrt()
    return torch.cat([coefficients.mean(0), coefficients.std(0, correction=0), deviation])


def q90(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.q90` does of levels (frame, mel)."""
    return levels.sort(0).values[9 * (levels.shape[0] - 1) // 10]


def rhythm(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.rhythm` does of levels (frame, mel), by a matrix product."""
    frame = torch.arange(RHYTHM_FRAMES, dtype=torch.float64)
    angles = 2 * np.pi / RHYTHM_FRAMES * frame * frame[1 : RHYTHM_FRAMES // 2 + 1, None]
    waves = torch.cat([angles.cos(), angles.sin()]) * torch.from_numpy(hann())
    grouped = levels @ torch.from_numpy(band_groups(levels.shape[1])).T
    parts = windows(grouped, RHYTHM_FRAMES, RHYTHM_FRAMES // 2)
    parts = waves @ (parts - parts.mean(1, keepdim=True))
    power = (
        parts.square().mean(0).reshape(2, -1, grouped.shape[1]).sum(0) * (4 / RHYTHM_FRAMES) ** 2
    )
    bands = torch.from_numpy(modulation_bands()) @ power
    spectrum: Tensor = 10 * (bands + LEAST_CHANGE**2).log10().flatten()
    return spectrum


STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {
    "logmel-mean": lambda levels: levels.mean(0),
    "logmel-q90": q90,
    "logmel-max": lambda levels: levels.amax(0),
    "logmel-min": lambda levels: levels.amin(0),
    "logmel-change": change,
    "logmel-rhythm": rhythm,
    "cepstrum": cepstrum,
}
