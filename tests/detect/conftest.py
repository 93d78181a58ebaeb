"""A detector whose network is not trained: enough to embed, remember and compare."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.detector import Detector
from dgmix.model.crops import TrainingCrops
from dgmix.model.train import untrained

SECONDS = [1.6, 0.9, 2.2, 1.3, 0.3, 1.6, 1.1, 2.0]
SECTIONS = ["00", "01"] * 4
Bank = Callable[..., MelBank]


@pytest.fixture(scope="session")
def healthy(make_bank: Bank, tiny: Recipe) -> MelBank:
    """Eight healthy clips of 0.3 to 2.2 s; the sections "00" and "01" take turns."""
    return make_bank(tiny, SECONDS, seed=1)


@pytest.fixture(scope="session")
def make_detector(healthy: MelBank, tiny: Recipe) -> Callable[..., Detector]:
    """Return a detector of the healthy clips, with changed settings of `detect`."""

    def make(**settings: object) -> Detector:
        recipe = tiny.model_copy(update={"detect": tiny.detect.model_copy(update=settings)})
        network = untrained(recipe, TrainingCrops.of(healthy, SECTIONS), 0).eval()
        domains = ["source"] * 6 + ["target"] * 2
        return Detector(recipe).learn(recipe, network, healthy, SECTIONS, domains)

    return make
