"""Detector files of older formats, in the form of today's.

Their calibration scores are computed anew: what they can promise follows from their recordings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.quality import MEASURES
from dgmix.detect.views import LEARNED

Tensors = dict[str, NDArray[Any]]
RENAMED = {
    "memory.references": f"memory.{LEARNED}.values",
    "memory.clips": f"memory.{LEARNED}.clips",
}
BANDS = ("bands.mean", "bands.std", "bands.rise", "bands.fall", "bands.peak")


def upgraded(tensors: Tensors, about: dict[str, Any]) -> tuple[Tensors, dict[str, Any]]:
    """Return tensors and description of a file of an older format as those of today's.

    Until format 5 nothing was measured of sensitivity, until format 4 nothing of the quality of
    recordings. Until format 3 a network was kept that no view needs, a recording was known by its
    features, a condition was a domain, and updates were not listed. Format 1 knew one view only,
    the learned one. What channels are like was not known before format 6, and format 7 has the
    names of given numbers.
    """
    about = {"channels": {}, "feature_names": [], **about}
    if about["format"] > 5:
        return tensors, about
    about = {"sensitivity": {}, **about}
    if about["format"] > 4:
        return tensors, about
    unknown = np.full((len(about["sections"]), len(MEASURES)), np.nan)
    tensors = {**tensors, "healthy.measures": unknown}
    if about["format"] > 3:
        return tensors, about
    learned = LEARNED in about["recipe"]["detect"].get("views", [LEARNED])
    kept = {
        RENAMED.get(name, name): tensor
        for name, tensor in tensors.items()
        if name not in ("calibration", "calibration.together")
        and (learned or not name.startswith("network."))
    }
    count = len(about["sections"])
    bands = {name: kept[name][None] for name in BANDS}
    digests = [f"{number & (1 << 64) - 1:016x}" for number in kept["healthy.digests"].tolist()]
    columns = {"recordings": digests, "conditions": list(about["domains"]), "updates": []}
    return {**kept, **bands, "bands.count": np.array([count])}, {**about, **columns}
