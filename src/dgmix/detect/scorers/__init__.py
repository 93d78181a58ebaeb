"""Scorers: how far a clip is from the healthy ones.

A `JointScorer` goes by distances only, so that its p-values are exact; a `Scorer` estimates
something from the healthy clips. To add one, write a file with a class that satisfies either, and
name it in `dgmix.plugins.OWN`; the contract test over all scorers picks it up. A class with
`by_domains` is made of the settings and of the domains of its references. Scorers from outside are
plugged in (docs/plugins.md).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.bands import BandWise, JointBandWise
from dgmix.detect.scorers.domains import DomainWise
from dgmix.detect.scorers.protocols import JointScorer as JointScorer
from dgmix.detect.scorers.protocols import Scorer as Scorer
from dgmix.detect.scorers.whitening import Whitened
from dgmix.detect.views import Vectors
from dgmix.errors import InputError
from dgmix.plugins import NONE, Own, Plugins, made

Groups = NDArray[np.int64]
Domains = NDArray[np.str_]


SCORERS: Mapping[str, Any] = Own("scorers")


def is_joint(settings: DetectSettings, plugins: Plugins = NONE) -> bool:
    """Return whether the scorer that the settings name goes by distances only."""
    return goes_by_distances(plugins.find("scorers", settings.scorer))


def goes_by_distances(given: Any) -> bool:
    """Return whether what a scorer is plugged in as is a `JointScorer`."""
    return hasattr(given, "measure")


def estimating(given: Any) -> Any | None:
    """Return the `Scorer` of what a scorer is plugged in as, or None where it is a joint one only.

    A joint one names that which takes its place, where there is such a one, as `estimating`.
    """
    return getattr(given, "estimating", None) if goes_by_distances(given) else given


def estimates(settings: DetectSettings, plugins: Plugins = NONE) -> bool:
    """Return whether more than the distance of two clips decides a score."""
    changed = settings.whiten or settings.per_domain or settings.balance != "none"
    return changed or not is_joint(settings, plugins)


def build_joint_scorer(
    settings: DetectSettings, view: Vectors, groupings: Sequence[Groups], plugins: Plugins = NONE
) -> JointScorer:
    """Return the scorer of one part of a view that the settings name, fitted to healthy clips.

    `groupings` (clip,) each say which clips count as one.
    """
    joint = plugins.find("scorers", settings.scorer)

    def build(part: Vectors) -> JointScorer:
        scorer: JointScorer = joint(settings, part, groupings)
        return scorer

    return build(view) if settings.bands == 1 else JointBandWise(build, view, settings.bands)


def build_scorer(
    settings: DetectSettings,
    domains: Domains | None = None,
    clips: Groups | None = None,
    plugins: Plugins = NONE,
) -> Scorer:
    """Return the unfitted scorer that the settings name.

    `domains` text (reference,) and `clips` int64 (reference,; each its own by default) say what
    the references are of that it will be fitted to; they matter where the settings score or
    balance per domain and there are several. Raises `InputError` for a scorer that goes by
    distances only, and cannot be fitted.
    """
    apart = settings.per_domain or settings.balance != "none"
    if domains is None or not apart or len(np.unique(domains)) < 2:
        return _of_all(settings, domains, plugins)
    clips = np.arange(len(domains)) if clips is None else clips
    return DomainWise(settings, partial(_of_all, plugins=plugins), domains, clips)


def _of_all(
    settings: DetectSettings, domains: Domains | None = None, plugins: Plugins = NONE
) -> Scorer:
    """Return the scorer of references that are compared with together."""
    build = partial(_plain, settings, domains, plugins)
    if settings.whiten:
        return Whitened(build)
    return build() if settings.bands == 1 else BandWise(build, settings.bands)


def _plain(settings: DetectSettings, domains: Domains | None, plugins: Plugins) -> Scorer:
    """Return a scorer by itself: made by a class from the settings, or a copy of an object."""
    given = estimating(plugins.find("scorers", settings.scorer))
    if given is None:
        raise InputError(
            f"scorer {settings.scorer} goes by distances only, so without whiten, per_domain and "
            "balance"
        )
    arguments = [settings, domains] if getattr(given, "by_domains", False) else [settings]
    if not isinstance(given, type):
        return copy.deepcopy(given)  # type: ignore[no-any-return]
    return made("scorers", settings.scorer, given, *arguments)  # type: ignore[no-any-return]
