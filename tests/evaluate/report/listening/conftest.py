"""A detector that has heard humming machines, and recordings of some of which one beeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.audio.io import write_wav
from dgmix.config import Recipe
from dgmix.detect.detector import Detector

RATE = 16_000
BEEP = {"first": 8.0, "seconds": 4.0, "hertz": 3000.0}
EVIL = "<b>&'.wav"


@dataclass(frozen=True)
class Workshop:
    """A detector, the folder of its healthy recordings, and one of recordings to score."""

    detector: Detector
    healthy: Path
    queries: Path


@pytest.fixture(scope="session")
def workshop(
    tiny: Recipe,
    make_clips: Callable[..., list[Path]],
    shared_cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Workshop:
    """Twenty healthy recordings; five to score: one beeps for 4 s, one is no recording."""
    healthy = make_clips([1.5] * 19 + [14.0])[0].parent
    queries = tmp_path_factory.mktemp("queries")
    for number, seconds in enumerate((1.5, 13.0)):
        write_wav(queries / f"calm_{number}.wav", hum(seconds, seed=number), RATE)
    write_wav(queries / "beep.wav", hum(14.0, seed=3) + beep(14.0), RATE)
    write_wav(queries / EVIL, hum(1.5, seed=4), RATE)
    (queries / "broken.wav").write_bytes(b"RIFF no sound")
    return Workshop(Detector(tiny, cache=shared_cache).fit(healthy), healthy, queries)


def hum(seconds: float, seed: int) -> NDArray[np.float32]:
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(100 + seed).normal(size=len(time))
    return (0.1 * np.sin(2 * np.pi * 140 * time) + 0.05 * noise).astype(np.float32)


def beep(seconds: float) -> NDArray[np.float32]:
    time = np.arange(round(seconds * RATE)) / RATE
    on = (time >= BEEP["first"]) & (time < BEEP["first"] + BEEP["seconds"])
    return (0.5 * on * np.sin(2 * np.pi * BEEP["hertz"] * time)).astype(np.float32)
