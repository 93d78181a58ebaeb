"""PyOD's audio detector, as it is, on the trials of `choose_default.py`.

`EmbeddingOD.for_audio("balanced")` of PyOD 3.6.7 (Zhao, Nasrullah & Li, JMLR 2019): 74 statistics
of MFCC, chroma and spectrum by librosa, standardised, the 5th nearest clip. It is no dependency of
dgmix: `pip install pyod[audio]==3.6.7` where the row is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from choose_sets import Floats, TestSet, Trial


def omegas(on: TestSet, paths: Sequence[Path]) -> list[float]:
    """Return Ω in % of each repeat of a set of real recordings, `paths` (clip,)."""
    from pyod.utils.encoders import resolve_encoder

    encoder = resolve_encoder("audio-mfcc")
    vectors = np.vstack([encoder.encode([str(path)], show_progress=False) for path in paths])
    scores = [[trial_scores(vectors, trial) for trial in trials] for trials in on.repeats]
    return on.omegas(lambda repeat, trial: scores[repeat][trial])


def trial_scores(vectors: Floats, trial: Trial) -> Floats:
    """Return the scores (query,) by a detector of the healthy clips' vectors (clip, 74)."""
    from pyod.models.embedding import EmbeddingOD

    def looked_up(numbers: Sequence[int], **_: Any) -> Floats:
        return vectors[np.asarray(numbers, dtype=int)]

    detector = EmbeddingOD.for_audio("balanced", encoder=looked_up)
    detector.fit(trial.healthy.tolist())
    return np.asarray(detector.decision_function(trial.queries.tolist()), np.float64)
