"""A scorer for each domain, the nearest of which counts, and as many references in each.

The minimum over domains is the selective Mahalanobis score of the DCASE Task 2 baseline (Harada,
Niizumi, Ohishi, Takeuchi, Yasuda, "First-Shot Anomaly Sound Detection for Machine Condition
Monitoring: A Domain Generalization Baseline", EUSIPCO 2023, arXiv 2303.00455); standardising each
domain before it is from Saengthong, Shinozaki, arXiv 2409.05035, with a mean only, since of few
target clips give no deviation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.balance import BALANCES

if TYPE_CHECKING:
    from dgmix.detect.scorers.protocols import Scorer

ALL = ""
FOLDS = 5
Floats = NDArray[np.float64]


class DomainWise:
    """Scores against references that are balanced between domains, per domain where wanted.

    A domain's scores are divided by the mean score of its own clips when a fifth of them is held
    out, so that 1 is as far as its healthy clips go; the score is the least over the domains.

    `build` makes the scorer of a domain; `domains` text (reference,) and `clips` int64 (reference,)
    say which domain and clip the references are of that `fit` will be given.
    """

    def __init__(
        self,
        settings: DetectSettings,
        build: Callable[[DetectSettings], Scorer],
        domains: NDArray[np.str_],
        clips: NDArray[np.int64],
    ) -> None:
        self.settings, self.build = settings, build
        self.domains, self.clips = domains, clips

    def fit(self, references: NDArray[np.floating]) -> DomainWise:
        """Learn each domain from its references among (reference, dim)."""
        self._references = np.asarray(references, np.float64)
        self._order = np.lexsort((*self._references.T, self.domains))
        self._scorers = self._learn(np.ones(len(references), bool))
        self._scales = self._measure() if self.settings.per_domain else {ALL: 1.0}
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the least score (query,) over the domains, in units of the domain."""
        scores = [
            scorer.score(queries) / self._scales[name] for name, scorer in self._scorers.items()
        ]
        return np.asarray(np.min(scores, axis=0), np.float64)

    def _learn(self, kept: NDArray[np.bool_]) -> dict[str, Scorer]:
        """Return the scorer of each domain, or one of all, of the references (reference,) kept."""
        order = self._order[kept[self._order]]
        references, domains = self._references[order], self.domains[order]
        parts = {str(name): references[domains == name] for name in np.unique(domains)}
        parts = BALANCES[self.settings.balance](parts, self.settings.balance_size)
        if not self.settings.per_domain:
            parts = {ALL: np.concatenate(list(parts.values()))}
        return {name: self.build(self.settings).fit(part) for name, part in parts.items()}

    def _measure(self) -> dict[str, float]:
        """Return each domain's mean score of its clips held out; of a single clip the largest."""
        folds = self._folds()
        scores: dict[str, list[float]] = {name: [] for name in self._scorers}
        for fold in np.unique(folds):
            scorers = self._learn(folds != fold) if (folds != fold).any() else {}
            for name, scorer in scorers.items():
                held = (folds == fold) & (self.domains == name)
                scores[name] += scorer.score(self._references[held]).tolist()
        means = {name: float(np.mean(each)) for name, each in scores.items() if each}
        usual = max(means.values(), default=0.0) or 1.0
        return {name: means.get(name) or usual for name in self._scorers}

    def _folds(self) -> NDArray[np.int64]:
        """Return one of five folds (reference,) of each domain's clips, whatever their order."""
        folds = np.empty(len(self._order), np.int64)
        for name in np.unique(self.domains):
            members = self._order[self.domains[self._order] == name]
            clips = list(dict.fromkeys(self.clips[members].tolist()))
            turn = {clip: number % FOLDS for number, clip in enumerate(clips)}
            folds[members] = [turn[clip] for clip in self.clips[members].tolist()]
        return folds
