"""One detector from healthy recordings: fit, score, verdict, where, update, save."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe, load_recipe
from dgmix.detect.healthy import Healthy
from dgmix.detect.localize import BandStatistics, Localization, localize
from dgmix.detect.memory import Comparison, Memory, by_section
from dgmix.detect.recordings import Sounds, Source, healthy_sounds, one_each, readable, sounds
from dgmix.detect.threshold import Calibration, each_domain, smallest_rate
from dgmix.detect.verdicts import Judgement
from dgmix.detect.views import network_for, represent
from dgmix.errors import InputError
from dgmix.model.crops import TrainingCrops
from dgmix.model.network import Network
from dgmix.model.train import Run
from dgmix.progress import Advance, progress, silent


class Detector(BaseEstimator):  # type: ignore[misc]
    """Tells from sound how anomalous a recording is, having heard healthy ones only.

    Names and signs are PyOD's: a higher score is more anomalous, `predict` gives 1 for an anomaly
    and 0 for a healthy recording. It is an estimator as scikit-learn has them (docs/scikit-learn.md
    tells where it differs).

    `recipe` is one that ships with dgmix, a YAML file or a `Recipe`; `seed` decides everything
    random. `false_alarm_rate` is what verdicts are made at where the recordings support it, and
    else the smallest rate that they do. `cache` is the folder for the features of files, the
    user's cache folder by default; `device` is where the network is trained, and stays.

    Recordings are given as a folder, a CSV, a list of files, or arrays (sample,) with their
    `sample_rate`. What `fit` finds is in `recipe_`, `network_`, `memory_`, `bands_`, `healthy_`
    and `decision_scores_` (recording,): what each healthy one scores against the others.
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
        recipe.encoder.weights_file()  # said before anything is decoded
        found = healthy_sounds(X, recipe, sample_rate).relabelled(sections, domains)
        bank = found.bank(recipe, self.cache, os.cpu_count() or 1)
        crops = TrainingCrops.of(bank, found.sections, found.attributes, recipe.finetune.classes)
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder), checkpoint_seconds=float("inf"), label="learning")
            network = network_for(recipe, crops, self.seed, run, self.device)
        with progress("remembering", len(bank)) as advance:
            return self.learn(recipe, network, bank, found.sections, found.domains, advance)

    def learn(
        self,
        recipe: Recipe,
        network: Network,
        bank: MelBank,
        sections: Sequence[str],
        domains: Sequence[str],
        advance: Advance = silent,
    ) -> Detector:
        """Take a trained network, remember the healthy clips of `bank`, and return itself."""
        views = represent(recipe, network, bank, advance)
        memory = Memory(views, tuple(sections), tuple(domains))
        healthy = Healthy.of(bank, recipe, trained=len(bank))
        return self.assemble(recipe, network, memory, BandStatistics.of(bank, recipe), healthy)

    def assemble(
        self,
        recipe: Recipe,
        network: Network,
        memory: Memory,
        bands: BandStatistics,
        healthy: Healthy,
        scores: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> Detector:
        """Take over everything that `fit` would find, and return itself.

        `scores` are each healthy clip's against the others, (view, clip), of its section and of
        all sections; they are computed where they are not given.
        """
        comparison = Comparison(recipe.detect, memory)
        if scores is None:
            own = comparison.calibrate(healthy.recordings)
            one = comparison.compared_with(memory.sections[0]).all()
            scores = own, own if one else comparison.calibrate(healthy.recordings, together=True)
        self.recipe_, self.network_, self.memory_, self.bands_ = recipe, network, memory, bands
        self.healthy_, self._comparison = healthy, comparison
        self.view_scores_, self.pooled_view_scores_ = scores
        self.decision_scores_ = np.empty(len(memory.sections))
        for section in self.sections:
            of = comparison.compared_with(section)
            self.decision_scores_[of] = self.calibration(section).scores
        return self

    def seeing(self, views: Sequence[str]) -> Detector:
        """Return a detector like this one that compares only some of its views of a clip."""
        chosen = [list(self.memory_.views).index(view) for view in views]
        settings = self.recipe_.detect.model_copy(update={"views": list(views)})
        memory = replace(self.memory_, views={view: self.memory_.views[view] for view in views})
        return Detector(**self.get_params()).assemble(
            self.recipe_.model_copy(update={"detect": settings}),
            self.network_,
            memory,
            self.bands_,
            self.healthy_,
            (self.view_scores_[chosen], self.pooled_view_scores_[chosen]),
        )

    def score_samples(
        self, X: Source, *, sample_rate: int | None = None, sections: Sequence[str] | None = None
    ) -> NDArray[np.float64]:
        """Return the anomaly score (recording,) of each recording; higher is more anomalous.

        A recording of a section that the detector knows is compared with that section only.
        Raises `InputError` for the first recording that cannot be read.
        """
        found = self._sounds(X, sample_rate, sections)
        return self.fuse(self._views(found), found.sections)

    def decision_function(
        self, X: Source, *, sample_rate: int | None = None, sections: Sequence[str] | None = None
    ) -> NDArray[np.float64]:
        """Return what `score_samples` returns: PyOD's name for it."""
        return self.score_samples(X, sample_rate=sample_rate, sections=sections)

    def p_values(
        self,
        X: Source,
        *,
        sample_rate: int | None = None,
        sections: Sequence[str] | None = None,
        domains: Sequence[str] | None = None,
    ) -> NDArray[np.float64]:
        """Return the conformal p-value (recording,) of each recording: small is anomalous.

        Of healthy recordings made like the training ones, at most a part α has p ≤ α. Where no
        operating condition is named (`domains`), it is the largest over those learned from.
        """
        found = self._sounds(X, sample_rate, sections)
        one_each("domains", domains, len(found))
        return self.judge(self._views(found), found.sections, domains)

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

        Raises `InputError` when the rate is given and smaller than the healthy recordings support.
        """
        found = self._sounds(X, sample_rate, sections)
        one_each("domains", domains, len(found))
        rate = self.rate(false_alarm_rate, found.sections, domains)
        p_values = self.judge(self._views(found), found.sections, domains)
        return (p_values <= rate).astype(np.int64)

    def judgements(
        self, X: Source, *, sample_rate: int | None = None, domain: str | None = None
    ) -> Iterator[Judgement]:
        """Yield what the detector says of each recording, in order, a few at a time.

        However many recordings there are, few are in memory. One that cannot be read does not stop
        the others. `domain` is the operating condition of all of them, where it is known.
        """
        for part, bank in self._sounds(X, sample_rate, None).banks(self.recipe_):
            if isinstance(bank, InputError):
                yield Judgement(part.names[0], error=bank)
            else:
                yield from self.heard(bank, part, domain)

    def score_bank(self, bank: MelBank, sections: Sequence[str]) -> NDArray[np.float64]:
        """Return the anomaly scores (clip,) of the clips of `bank`."""
        return self.fuse(self.score_views(bank, sections), sections)

    def heard(self, bank: MelBank, part: Sounds, domain: str | None = None) -> list[Judgement]:
        """Return what the detector says of recordings with features `bank`, all of one domain."""
        found = self.score_views(bank, part.sections)
        scores = self.fuse(found, part.sections).tolist()
        p_values = self.judge(found, part.sections, [domain] * len(bank)).tolist()
        known = self.healthy_.knows(bank).tolist()
        views = self.most_unusual(found, part.sections)
        return list(map(Judgement, part.names, scores, p_values, known, views))

    def score_views(self, bank: MelBank, sections: Sequence[str]) -> NDArray[np.float64]:
        """Return the scores (view, clip) of the clips of `bank`, each in the units of its view."""
        self._check_fitted()
        return self._comparison.score(represent(self.recipe_, self.network_, bank), sections)

    def fuse(self, found: NDArray[np.float64], sections: Sequence[str]) -> NDArray[np.float64]:
        """Return the scores (clip,) of clips with scores (view, clip)."""
        return self._asked(sections, lambda of, its: of.fused(found[:, its]))

    def most_unusual(self, found: NDArray[np.float64], sections: Sequence[str]) -> list[str]:
        """Return the view, by name, that gives each clip of scores (view, clip) its fused score."""
        views = self._asked(sections, lambda of, its: of.most_unusual(found[:, its]))
        return [self.recipe_.detect.views[int(view)] for view in views]

    def judge(
        self,
        found: NDArray[np.float64],
        sections: Sequence[str],
        domains: Sequence[str | None] | None = None,
    ) -> NDArray[np.float64]:
        """Return the p-values (clip,) of clips with scores (view, clip); see `p_values`."""
        told = np.array([None] * len(sections) if domains is None else domains, object)
        return self._asked(sections, lambda of, its: of.p_values(found[:, its], list(told[its])))

    def _asked(
        self, sections: Sequence[str], ask: Callable[[Calibration, NDArray[np.bool_]], Any]
    ) -> NDArray[np.float64]:
        """Return what the calibration of its section says of each clip (clip,)."""
        said = np.empty(len(sections))
        for section, those in by_section(sections):
            said[those] = ask(self.calibration(section), those)
        return said

    def calibration(self, section: str = "") -> Calibration:
        """Return the healthy scores that a clip of `section` is judged by."""
        self._check_fitted()
        of = self._comparison.compared_with(section)
        scores = self.view_scores_ if self._comparison.key(section) else self.pooled_view_scores_
        domains = tuple(np.array(self.memory_.domains, object)[of])
        return Calibration(scores[:, of], self.healthy_.recordings[of], domains)

    def rate(
        self,
        asked: float | None = None,
        sections: Iterable[str] | None = None,
        domains: Iterable[str | None] | None = None,
    ) -> float:
        """Return the false-alarm rate that verdicts are made at.

        It is `asked`, or by default the detector's own or, where that is not supported, the
        smallest that is. Raises `InputError` if `asked` is smaller than the healthy recordings of
        some of `sections` (of any, by default) and `domains` support.
        """
        wanted = self.false_alarm_rate if asked is None else asked
        if asked is None and 0 < wanted < 1:
            wanted = max(wanted, self.smallest_rate(sections, domains))
        for calibration in self._calibrations(sections):
            for domain in each_domain(domains):
                calibration.check(wanted, domain)
        return wanted

    def smallest_rate(
        self,
        sections: Iterable[str] | None = None,
        domains: Iterable[str | None] | None = None,
    ) -> float:
        """Return the smallest false-alarm rate that clips of such sections and domains allow."""
        fewest = min(
            calibration.count(domain)
            for calibration in self._calibrations(sections)
            for domain in each_domain(domains)
        )
        return smallest_rate(fewest)

    @property
    def sections(self) -> list[str]:
        """The sections that clips are compared within; one, empty, when all are one."""
        return sorted({self._comparison.key(section) for section in self.memory_.sections})

    @property
    def threshold_(self) -> float:
        """The score above which a clip of any section is an anomaly, at the rate of verdicts.

        Where several views agree that a clip is unusual, it may be one below it: `predict` tells.
        """
        rate = self.rate()
        return max(calibration.threshold(rate) for calibration in self._calibrations(None))

    @property
    def labels_(self) -> NDArray[np.int64]:
        """Which healthy recordings (recording,) score above `threshold_`, 1, or not, 0."""
        return (self.decision_scores_ > self.threshold_).astype(np.int64)

    def localize(self, X: Source, *, sample_rate: int | None = None) -> list[Localization]:
        """Return, for each recording, where in time and frequency it is unlike the healthy ones."""
        banks = self._sounds(X, sample_rate, None).banks(self.recipe_)
        return [
            self.localize_bank(bank, index)
            for _, bank in readable(banks)
            for index in range(len(bank))
        ]

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

        They join the memory and the calibration; the network stays. Recordings that the detector
        knows already are left out. Returns the detector itself, as it was if something fails.
        """
        self._check_fitted()
        more = healthy_sounds(X, self.recipe_, sample_rate).relabelled(sections, domains)
        memory, bands, healthy = self.memory_, self.bands_, self.healthy_
        for part, bank in readable(more.banks(self.recipe_)):
            part.refuse_silent(bank)
            new = np.flatnonzero(~healthy.knows(bank)).tolist()
            if new:
                bank = MelBank([bank[i].astype(np.float16) for i in new], bank.n_mels)
                names = [tuple(each[i] for i in new) for each in (part.sections, part.domains)]
                views = represent(self.recipe_, self.network_, bank)
                memory = memory.with_more(Memory(views, *names))
                bands = bands.merged(BandStatistics.of(bank, self.recipe_))
                healthy = healthy.with_more(Healthy.of(bank, self.recipe_))
        return self.assemble(self.recipe_, self.network_, memory, bands, healthy)

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
        from dgmix.detect.summary import summary

        self._check_fitted()
        return summary(self)

    def _calibrations(self, sections: Iterable[str] | None) -> list[Calibration]:
        self._check_fitted()
        keys = self.sections if sections is None else {self._comparison.key(s) for s in sections}
        return [self.calibration(key) for key in keys]

    def _sounds(self, X: Source, sample_rate: int | None, sections: Sequence[str] | None) -> Sounds:
        self._check_fitted()
        return sounds(X, self.recipe_, sample_rate).relabelled(sections, None)

    def _views(self, found: Sounds) -> NDArray[np.float64]:
        banks = readable(found.banks(self.recipe_))
        return np.concatenate([self.score_views(bank, part.sections) for part, bank in banks], 1)

    def _check_fitted(self) -> None:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self, "memory_", msg="this Detector has not learned yet; call fit first")
