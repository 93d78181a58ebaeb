"""What a `Detector` does with planted faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dgmix.detect.fitted import FittedDetector
from dgmix.detect.planting.measuring import measure
from dgmix.detect.sensitivity import Sensitivity
from dgmix.detect.sources import Source, healthy_sounds
from dgmix.detect.views import check_sound


class SensitivityMethods:
    """The methods of a detector that measure which planted faults it finds."""

    fitted_: FittedDetector
    seed: int
    cache: str | Path | None

    def measure_sensitivity(
        self,
        X: Source,
        *,
        quick: bool = False,
        sample_rate: int | None = None,
        sections: Sequence[str] | None = None,
    ) -> Sensitivity:
        """Return which planted faults the detector finds, and keep it in `fitted_`.

        `X` are healthy recordings, those that it learned from or others. Faults of every kind and
        strength are planted in them; each recording is left out of what it is compared with, and
        so is all that was recorded together with it. `quick` plants a third as many. Raises
        `InputError` where no section has three healthy recordings.
        """
        fitted = self._fitted()
        check_sound(fitted.recipe, "planting faults")
        given = healthy_sounds(X, self._rate(sample_rate)).relabelled(sections=sections)
        sensitivity = measure(fitted, given, seed=self.seed, quick=quick, cache=self.cache)
        self.fitted_ = replace(fitted, sensitivity=sensitivity)
        return sensitivity

    def _fitted(self) -> FittedDetector:
        raise NotImplementedError

    def _rate(self, sample_rate: int | None) -> int | None:
        raise NotImplementedError
