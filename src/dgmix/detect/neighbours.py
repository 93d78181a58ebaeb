"""Which healthy recording is most like a given one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.views import Vectors, represent
from dgmix.detect.windows import Windows

if TYPE_CHECKING:
    from dgmix.model.network import Network


def nearest_healthy(
    recipe: Recipe,
    network: Network | None,
    clips: MelBank,
    healthy: MelBank,
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Return, for each of `clips`, the number of the nearest one of `healthy`, int64 (clip,).

    In a view each vector of a clip has its distance to the nearest vector of the healthy one, and
    the mean of these counts; of several views it is their mean, each in units of its median.
    `allowed` (clip, healthy) says which pairs to look at; −1 stands where there is none.
    """
    queries = represent(recipe, network, clips)
    references = represent(recipe, network, healthy)
    total = np.zeros((len(clips), len(healthy)))
    for view, known in references.items():
        distances = _distances(queries[view], known)
        total += distances / (np.median(distances) or 1)
    if allowed is not None:
        total[~allowed] = np.inf
    return np.where(np.isfinite(total).any(1), total.argmin(1), -1)


def _distances(queries: Vectors, references: Vectors) -> NDArray[np.float64]:
    """Return the distance (clip, healthy) of all clips in one view."""
    from sklearn.metrics import pairwise_distances

    centre = references.values.mean(0, dtype=np.float64)
    distances = pairwise_distances(queries.values - centre, references.values - centre)
    count = int(queries.clips[-1]) + 1
    firsts = np.searchsorted(references.clips, np.arange(references.clips[-1] + 1))
    to_clips = np.minimum.reduceat(distances, firsts, axis=1)
    return Windows(queries.clips, np.zeros_like(queries.clips), count).mean(to_clips)


def comparable(
    recipe: Recipe, sections: Sequence[str], healthy_sections: Sequence[str]
) -> NDArray[np.bool_]:
    """Return which healthy clips each clip is compared with, bool (clip, healthy).

    Those of its own section, where that is known and the recipe keeps sections apart.
    """
    own, healthy = np.array(sections)[:, None], np.array(healthy_sections)[None, :]
    known = np.isin(own, healthy) & recipe.detect.per_section
    return np.asarray((own == healthy) | ~known)
