"""Scores of vectors that describe clips, without a detector: for baselines and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers import build_scorer


def nearest_scores(
    training: NDArray[np.floating],
    training_sections: Sequence[str],
    test: NDArray[np.floating],
    test_sections: Sequence[str],
    settings: DetectSettings | None = None,
    training_domains: Sequence[str] | None = None,
) -> NDArray[np.float64]:
    """Return the scores (clip,) of test clips (clip, dim), one vector each, by training clips.

    A clip is compared with its own section, or with all where it is of another. The scorer is that
    of `settings`, by default the distance to the nearest clip; it may go by `training_domains`.
    """
    settings = settings or DetectSettings()
    known, sections = np.array(training_sections, str), np.array(test_sections, str)
    scores = np.empty(len(test))
    for section in np.unique(sections):
        those = known == section if settings.per_section and section in known else known == known
        domains = None if training_domains is None else np.array(training_domains, str)[those]
        scorer = build_scorer(settings, domains).fit(training[those])
        scores[sections == section] = scorer.score(test[sections == section])
    return scores
