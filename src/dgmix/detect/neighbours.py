"""Which healthy recording is most like a given one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.embed import Windows
from dgmix.detect.memory import represent
from dgmix.model.network import Network


def nearest_healthy(
    recipe: Recipe,
    network: Network,
    clips: MelBank,
    healthy: MelBank,
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Return, for each of `clips`, the number of the nearest one of `healthy`, int64 (clip,).

    The distance is the one that scores are made of: each vector of a clip has its distance to the
    nearest vector of the healthy one, and the mean of these counts. `allowed` (clip, healthy)
    says which pairs to look at; −1 stands where there is none.
    """
    from sklearn.metrics import pairwise_distances

    queries, of = represent(recipe, network, clips)
    references, healthy_of = represent(recipe, network, healthy)
    centre = references.mean(0, dtype=np.float64)
    distances = pairwise_distances(queries - centre, references - centre)
    firsts = np.searchsorted(healthy_of, np.arange(len(healthy)))
    to_clips = np.minimum.reduceat(distances, firsts, axis=1)
    mean = Windows(of, np.zeros_like(of), len(clips)).mean(to_clips)
    if allowed is not None:
        mean[~allowed] = np.inf
    return np.where(np.isfinite(mean).any(1), mean.argmin(1), -1)


def comparable(
    recipe: Recipe, sections: Sequence[str], healthy_sections: Sequence[str]
) -> NDArray[np.bool_]:
    """Return which healthy clips each clip is compared with, bool (clip, healthy).

    Those of its own section, where that is known and the recipe keeps sections apart.
    """
    own, healthy = np.array(sections)[:, None], np.array(healthy_sections)[None, :]
    known = np.isin(own, healthy) & recipe.detect.per_section
    return np.asarray((own == healthy) | ~known)
