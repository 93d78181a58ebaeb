"""A detector whose network is not trained: enough to embed, remember and compare.

The helpers beside this file are found through it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.detector import Detector
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.learn import healthy_clips, remember
from dgmix.detect.recordings import Sounds
from dgmix.model.crops import TrainingCrops
from dgmix.model.train import untrained

sys.path.insert(0, str(Path(__file__).parent))

SECONDS = [1.6, 0.9, 2.2, 1.3, 0.3, 1.6, 1.1, 2.0]
SECTIONS = ["00", "01"] * 4
DOMAINS = ["source"] * 6 + ["target"] * 2
Bank = Callable[..., MelBank]
MakeFitted = Callable[..., FittedDetector]


@pytest.fixture(scope="session")
def healthy(make_bank: Bank, tiny: Recipe) -> MelBank:
    """Eight healthy clips of 0.3 to 2.2 s; the sections "00" and "01" take turns."""
    return make_bank(tiny, SECONDS, seed=1)


@pytest.fixture(scope="session")
def make_fitted(healthy: MelBank, tiny: Recipe) -> MakeFitted:
    """Return what a detector of the healthy clips learned, with changed settings of `detect`."""

    def make(**settings: object) -> FittedDetector:
        recipe = tiny.model_copy(update={"detect": tiny.detect.model_copy(update=settings)})
        learns = recipe.detect.learns
        crops = TrainingCrops.of(healthy, SECTIONS)
        network = untrained(recipe, crops, 0).eval() if learns else None
        names, empty = [f"clip {number}" for number in range(8)], [""] * 8
        sounds = Sounds(names, [], SECTIONS, DOMAINS, empty, empty)
        return remember(recipe, network, healthy, healthy_clips(sounds, healthy, recipe))

    return make


@pytest.fixture(scope="session")
def make_detector(make_fitted: MakeFitted) -> Callable[..., Detector]:
    """Return a detector of the healthy clips, with changed settings of `detect`."""
    return lambda **settings: Detector.of(make_fitted(**settings))
