"""One detector from healthy recordings: fit, score, verdict, where, update, save."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.config import Recipe, load_recipe
from dgmix.detect.localize import BandStatistics, Localization, localize
from dgmix.detect.memory import Comparison, Memory, represent
from dgmix.detect.recordings import Sounds, Source, healthy_sounds, sounds
from dgmix.detect.threshold import Calibration, smallest_rate
from dgmix.model.crops import TrainingCrops
from dgmix.model.network import Network
from dgmix.model.train import Run, train

SCORED_AT_ONCE = 32


class Detector:
    """Tells from sound how anomalous a recording is, having heard healthy ones only.

    Names and signs are PyOD's: a higher score is more anomalous, `predict` gives 1 for an anomaly
    and 0 for a healthy recording. `recipe` is one that ships with dgmix, a YAML file or a
    `Recipe`; `false_alarm_rate` is what `predict` uses by default.

    Recordings are given as a folder, a CSV, a list of paths, or arrays (sample,) with their
    `sample_rate`. What `fit` finds is in `recipe_`, `network_`, `memory_`, `bands_` and
    `decision_scores_`, each healthy recording's score against the others.
    """

    def __init__(
        self,
        recipe: str | Path | Recipe = "default",
        *,
        seed: int = 0,
        false_alarm_rate: float = 0.05,
        cache: str | Path | None = None,
        device: str = "cpu",
    ) -> None:
        self.recipe = recipe
        self.seed = seed
        self.false_alarm_rate = false_alarm_rate
        self.cache = cache
        self.device = device

    def fit(
        self,
        X: Source,
        y: object = None,  # noqa: ARG002 - scikit-learn passes it
        *,
        sample_rate: int | None = None,
        sections: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
    ) -> Detector:
        """Learn from healthy recordings and return the detector itself.

        `sections` and `domains` (recording,) replace what a folder or CSV says of them; `y` is
        ignored. Raises `InputError` for recordings that cannot be used.
        """
        recipe = self.recipe if isinstance(self.recipe, Recipe) else load_recipe(self.recipe)
        healthy = healthy_sounds(X, recipe, sample_rate).relabelled(sections, domains)
        bank = healthy.bank(recipe, self.cache, os.cpu_count() or 1)
        crops = TrainingCrops.of(bank, healthy.sections)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder), checkpoint_seconds=float("inf"), label="learning")
            network = train(recipe, crops, self.seed, run, self.device)
        return self.learn(recipe, network, bank, healthy.sections, healthy.domains)

    def learn(
        self,
        recipe: Recipe,
        network: Network,
        bank: MelBank,
        sections: Sequence[str],
        domains: Sequence[str],
    ) -> Detector:
        """Take a trained network, remember the healthy clips of `bank`, and return itself."""
        vectors, clips = represent(recipe, network, bank)
        memory = Memory(vectors, clips, tuple(sections), tuple(domains))
        return self.assemble(recipe, network, memory, BandStatistics.of(bank))

    def assemble(
        self,
        recipe: Recipe,
        network: Network,
        memory: Memory,
        bands: BandStatistics,
        decision_scores: NDArray[np.float64] | None = None,
    ) -> Detector:
        """Take over everything that `fit` would find, and return itself.

        The healthy recordings' scores are computed where they are not given.
        """
        self.recipe_, self.network_, self.memory_, self.bands_ = recipe, network, memory, bands
        self._comparison = Comparison(recipe.detect, memory)
        if decision_scores is None:
            decision_scores = self._comparison.calibrate()
        self.decision_scores_ = decision_scores
        return self

    def score_samples(
        self, X: Source, *, sample_rate: int | None = None, sections: Sequence[str] | None = None
    ) -> NDArray[np.float64]:
        """Return the anomaly score (recording,) of each recording; higher is more anomalous.

        A recording of a section that the detector knows is compared with that section only.
        """
        return self._scores(self._sounds(X, sample_rate, sections))

    decision_function = score_samples

    def p_values(
        self,
        X: Source,
        *,
        sample_rate: int | None = None,
        sections: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
    ) -> NDArray[np.float64]:
        """Return the conformal p-value (recording,) of each recording: small is anomalous.

        Of healthy recordings made like the training ones, at most a part α has p ≤ α. Where
        `domains` does not name a recording's operating condition, the largest p-value over the
        conditions learned from is given, which holds for any of them.
        """
        found = self._sounds(X, sample_rate, sections)
        return self.judge(self._scores(found), found.sections, domains)

    def predict(
        self,
        X: Source,
        *,
        false_alarm_rate: float | None = None,
        sample_rate: int | None = None,
        sections: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
    ) -> NDArray[np.int64]:
        """Return 1 for each recording (recording,) that is anomalous at a false-alarm rate, else 0.

        Raises `InputError` when the rate is smaller than the healthy recordings support.
        """
        rate = self.false_alarm_rate if false_alarm_rate is None else false_alarm_rate
        self.check_rate(rate)
        p_values = self.p_values(X, sample_rate=sample_rate, sections=sections, domains=domains)
        return (p_values <= rate).astype(np.int64)

    def score_bank(self, bank: MelBank, sections: Sequence[str]) -> NDArray[np.float64]:
        """Return the anomaly scores (clip,) of the clips of `bank`."""
        self._check_fitted()
        vectors, clips = represent(self.recipe_, self.network_, bank)
        return self._comparison.score(vectors, clips, sections)

    def judge(
        self,
        scores: NDArray[np.float64],
        sections: Sequence[str],
        domains: Sequence[str | None] | None = None,
    ) -> NDArray[np.float64]:
        """Return the p-values (clip,) of scores (clip,); see `p_values`."""
        values = np.empty(len(scores))
        for section in set(sections):
            those = np.array([each == section for each in sections])
            asked = None if domains is None else list(np.array(domains, object)[those])
            values[those] = self.calibration(section).p_values(scores[those], asked)
        return values

    def calibration(self, section: str = "") -> Calibration:
        """Return the healthy scores that a clip of `section` is judged by."""
        self._check_fitted()
        of = self._comparison.compared_with(section)
        domains = tuple(np.array(self.memory_.domains, object)[of])
        return Calibration(self.decision_scores_[of], np.flatnonzero(of), domains)

    def check_rate(self, rate: float) -> None:
        """Raise `InputError` if a false-alarm rate is smaller than the recordings support."""
        for section in self.sections:
            self.calibration(section).check(rate)

    @property
    def sections(self) -> list[str]:
        """The sections that clips are compared within; one, empty, when all are one."""
        return sorted({self._comparison.key(section) for section in self.memory_.sections})

    def localize(self, X: Source, *, sample_rate: int | None = None) -> list[Localization]:
        """Return, for each recording, where in time and frequency it is unlike the healthy ones."""
        self._check_fitted()
        found = sounds(X, self.recipe_, sample_rate)
        return [self.localize_bank(self._bank(part), 0) for part in found.parts(1)]

    def localize_bank(self, bank: MelBank, index: int) -> Localization:
        """Return where clip `index` of a bank is unlike the healthy ones."""
        return localize(bank[index], self.bands_, self.recipe_)

    def update(
        self,
        X: Source,
        *,
        sample_rate: int | None = None,
        sections: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
    ) -> Detector:
        """Remember more healthy recordings, of a new operating condition say, without training.

        They join the memory and the calibration; the network stays. Returns the detector itself.
        """
        self._check_fitted()
        more = healthy_sounds(X, self.recipe_, sample_rate).relabelled(sections, domains)
        for part in more.parts(SCORED_AT_ONCE):
            vectors, clips = represent(self.recipe_, self.network_, self._bank(part))
            added = Memory(vectors, clips, tuple(part.sections), tuple(part.domains))
            self.memory_ = self.memory_.with_more(added)
        return self.assemble(self.recipe_, self.network_, self.memory_, self.bands_)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the detector to a `.dgmix` file, whole or not at all."""
        from dgmix.detect.bundle import save_detector

        self._check_fitted()
        save_detector(self, Path(path))

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Detector:
        """Return the detector of a `.dgmix` file; nothing in the file can run.

        Raises `InputError` if the file is missing, damaged, no detector, or of a newer format.
        """
        from dgmix.detect.bundle import load_detector

        return load_detector(Path(path))

    def summary(self) -> dict[str, Any]:
        """Return what the detector learned from and can promise, as plain values."""
        self._check_fitted()
        counts = {name: self.calibration(name).count() for name in self.sections}
        fewest = min(counts.values())
        thresholds = {
            name or "all": self.calibration(name).threshold(self.false_alarm_rate)
            for name, count in counts.items()
            if self.false_alarm_rate >= smallest_rate(count)
        }
        return {
            "recordings": len(self.memory_.sections),
            "sections": dict(sorted(Counter(self.memory_.sections).items())),
            "domains": dict(sorted(Counter(self.memory_.domains).items())),
            "smallest false-alarm rate": smallest_rate(fewest),
            "false-alarm rate": self.false_alarm_rate,
            "threshold": thresholds or "not enough recordings for this false-alarm rate",
            "memory": list(self.memory_.references.shape),
            "weights": sum(p.numel() for p in self.network_.parameters()),
        }

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's
        """Return the constructor's arguments by name, for scikit-learn's `clone` and searches."""
        names = ("recipe", "seed", "false_alarm_rate", "cache", "device")
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> Detector:
        """Change constructor arguments by name and return the detector itself."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"Detector has no parameter {name!r}")
            setattr(self, name, value)
        return self

    def _sounds(self, X: Source, sample_rate: int | None, sections: Sequence[str] | None) -> Sounds:
        self._check_fitted()
        return sounds(X, self.recipe_, sample_rate).relabelled(sections, None)

    def _scores(self, found: Sounds) -> NDArray[np.float64]:
        parts = found.parts(SCORED_AT_ONCE)
        return np.concatenate([self.score_bank(self._bank(p), p.sections) for p in parts])

    def _bank(self, found: Sounds) -> MelBank:
        signals = found.signals(self.recipe_)
        return bank_of_signals(signals, self.recipe_.audio, self.recipe_.features)

    def _check_fitted(self) -> None:
        if not hasattr(self, "memory_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("this Detector has not learned yet; call fit first")
