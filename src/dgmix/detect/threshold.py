"""Verdicts: p-values and thresholds from the scores of healthy recordings, and how sure they are.

The calibration scores are those of the training recordings, each against all the others. The same
scores give a valid p-value for a new recording, which is compared with all of them, whenever more
healthy references never raise a score, as with distances to nearest neighbours (docs/decisions/
0005-verdicts.md has the proof). "Valid" means: of healthy recordings made like the training ones
(exchangeable with them), at most a part α has a p-value of at most α, averaged over fits; what a
single fit may realise is told by `rate_interval`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.fusion import as_unusual, excused, fused, left_out, most_unusual
from dgmix.errors import DgmixError, InputError

NOT_A_NUMBER = "an anomaly score is not a number; look for damaged recordings"
VALUES_AT_ONCE = 1 << 22
Floats = NDArray[np.float64]


def conformal_p_values(
    scores: Floats, calibration: Floats, recordings: NDArray[np.int64] | None = None
) -> Floats:
    """Return the conformal p-value (query,) of each score: small where few healthy ones reach it.

    `calibration` (reference,) holds the healthy scores and `recordings` (reference,) which
    recording each is of. All pieces of a recording count together as one:

        p(s) = (1 + Σ over recordings of the part of its pieces that score ≥ s) / (recordings + 1)

    (Vovk, Gammerman, Shafer 2005, section 2.2; for pieces: Lee, Barber, Willett 2023, arXiv
    2306.06342, section 3). Ties count for the healthy side. Values lie in (0, 1].

    Raises `DgmixError` if a score is not a number.
    """
    if np.isnan(scores).any() or np.isnan(calibration).any():
        raise DgmixError(NOT_A_NUMBER)
    weights = _weights(len(calibration), recordings)
    order = np.argsort(calibration)
    tail = np.append(np.cumsum(weights[order][::-1])[::-1], 0)
    reached = tail[np.searchsorted(calibration[order], scores, side="left")]
    return np.asarray((1 + np.round(reached, 9)) / (1 + np.round(weights.sum())), np.float64)


def threshold(
    calibration: Floats, rate: float, recordings: NDArray[np.int64] | None = None
) -> float:
    """Return the score above which, and only above which, the p-value is at most `rate`.

    Infinity where no score is extreme enough. Arguments are those of `conformal_p_values`.
    """
    candidates = np.append(calibration, np.inf)
    kept = conformal_p_values(candidates, calibration, recordings) > rate
    return float(candidates[kept].max(initial=-np.inf))


def each_domain(domains: Iterable[str | None] | None) -> set[str | None]:
    """Return the domains that are asked about, each once: None where none is told."""
    return {None} if domains is None else set(domains) or {None}


def smallest_rate(recordings: int) -> float:
    """Return the smallest p-value, and so the smallest false-alarm rate, of so many recordings."""
    return 1 / (recordings + 1)


def recordings_needed(rate: float) -> int:
    """Return how many healthy recordings a false-alarm rate between 0 and 1 needs."""
    return math.ceil(1 / rate - 1e-9) - 1


def check_rate(rate: float, recordings: int, of: str = "", instead: str = "") -> None:
    """Raise `InputError` if `rate` is no rate, or too small for the number of recordings.

    `of` says in the sentence what the recordings are of (" of domain target"), `instead` what
    else can be done.
    """
    if not 0 < rate < 1:
        raise InputError(f"false-alarm rate {rate}: choose one between 0 and 1, for example 0.05")
    needed = recordings_needed(rate)
    if recordings < needed:
        raise InputError(
            f"a false-alarm rate of {rate:g} needs {needed} healthy recordings{of}, and there are "
            f"{recordings}; record {needed - recordings} more or choose a rate of at least "
            f"{rounded_up(smallest_rate(recordings)):g}{instead}"
        )


def rate_interval(
    recordings: int, rate: float, confidence: float = 0.95, design_effect: float = 2.0
) -> tuple[float, float]:
    """Return the interval in which the false-alarm rate of one fit lies with this probability.

    With n independent calibration scores the rate that a fit realises is distributed as
    Beta(m, n + 1 − m), m = ⌊rate · (n + 1)⌋ (Vovk 2012, arXiv 1209.2673). Leave-one-out scores
    are not independent: two recordings that are each other's nearest share one distance. So the
    n + 1 are counted as (n + 1) / `design_effect`; give 1 for recordings set apart for
    calibration. Leave-one-out has no distribution-free guarantee of this kind (Bian, Barber 2023,
    arXiv 2205.03647); that 2 is enough is measured (benchmarks/calibration.py).
    """
    from scipy.special import betaincinv  # type: ignore[import-untyped]

    check_rate(rate, recordings)
    alarms = math.floor(rate * (recordings + 1) + 1e-9)
    a, b = alarms / design_effect, (recordings + 1 - alarms) / design_effect
    tail = (1 - confidence) / 2
    return float(betaincinv(a, b, tail)), float(betaincinv(a, b, 1 - tail))


@dataclass(frozen=True, eq=False)
class Calibration:
    """The leave-one-recording-out scores of the healthy pieces that a clip is compared with.

    `healthy` float64 (view, piece), or (piece,) of one view; `recordings` int64 (piece,): which
    recording a piece is of; `domains` (piece,): the operating condition of each.

    Each domain calibrates itself (Mondrian conformal prediction: Vovk, Gammerman, Shafer 2005,
    section 4.5). A clip of a known domain has that domain's p-value. One whose domain is unknown
    has the largest of them, which is valid whichever of the domains it is of; it can be no smaller
    than the domain with the fewest recordings allows. `pooled` forgets the domains.
    """

    healthy: Floats
    recordings: NDArray[np.int64]
    domains: tuple[str, ...]

    @property
    def scores(self) -> Floats:
        """The healthy pieces' scores (piece,), each as if it were not among the healthy."""
        return left_out(np.atleast_2d(self.healthy), self.weights)

    @property
    def weights(self) -> Floats:
        """One over the number of pieces of each piece's recording, (piece,)."""
        return _weights(len(self.recordings), self.recordings)

    @property
    def names(self) -> list[str]:
        """The domains, sorted."""
        return sorted(set(self.domains))

    def pooled(self) -> Calibration:
        """Return the same scores as of one domain.

        Its rate holds on average over clips that come from the domains as often as the training
        recordings do; a rare domain may have nothing but false alarms.
        """
        return replace(self, domains=("",) * len(self.domains))

    def count(self, domain: str | None = None) -> int:
        """Return the number of recordings of a domain; for None, of the one with the fewest.

        Raises `InputError` for a domain without recordings.
        """
        return min(len(np.unique(self.recordings[of])) for of in self._chosen(domain))

    def fused(self, scores: Floats) -> Floats:
        """Return one score (query,) of scores (view, query), in units of the healthy pieces."""
        return fused(scores, np.atleast_2d(self.healthy), self.weights)

    def most_unusual(self, scores: Floats) -> NDArray[np.int64]:
        """Return the number of the view (query,) in which each query is least like the healthy."""
        return most_unusual(scores, np.atleast_2d(self.healthy), self.weights)

    def p_values(self, scores: Floats, domains: Sequence[str | None] | None = None) -> Floats:
        """Return the p-value (query,) of scores (view, query), or (query,) of one view.

        Each is by the domain of the query where it is known. Raises `InputError` for a domain
        without recordings.
        """
        scores = np.atleast_2d(scores)
        asked = [None] * scores.shape[1] if domains is None else list(domains)
        values = np.empty(len(asked))
        for domain in set(asked):
            those = np.array([each == domain for each in asked], bool)
            values[those] = np.max(
                [self._p_values(scores[:, those], of) for of in self._chosen(domain)], axis=0
            )
        return values

    def threshold(self, rate: float, domain: str | None = None) -> float:
        """Return the score above which the p-value is at most `rate`.

        Of one view, only above it; where several views agree, a clip may be an anomaly below it.
        Raises what `check` raises.
        """
        self.check(rate, domain)
        scores = excused(np.atleast_2d(self.healthy), self.weights)
        return max(threshold(scores[of], rate, self.recordings[of]) for of in self._chosen(domain))

    def check(self, rate: float, domain: str | None = None) -> None:
        """Raise `InputError` if a rate is not supported for clips of a domain, or of any (None)."""
        fewest = domain or min(self.names, key=self.count)
        several = len(self.names) > 1
        helps = several and 0 < rate < 1 and self.pooled().count() >= recordings_needed(rate)
        check_rate(
            rate,
            self.count(domain),
            f" of domain {fewest}" if several else "",
            ", or calibrate all domains together" if helps else "",
        )

    def _p_values(self, scores: Floats, of: NDArray[np.bool_]) -> Floats:
        """Return the p-value (query,) of scores (view, query) by the pieces chosen by `of`."""
        healthy, recordings = np.atleast_2d(self.healthy), self.recordings
        if len(healthy) == 1:
            return conformal_p_values(scores[0], healthy[0, of], recordings[of])
        if np.isnan(scores).any() or np.isnan(healthy).any():
            raise DgmixError(NOT_A_NUMBER)
        weights = self.weights
        size = max(1, VALUES_AT_ONCE // len(weights))
        reached = [
            as_unusual(scores[:, first : first + size], healthy, weights)[:, of] @ weights[of]
            for first in range(0, scores.shape[1], size)
        ]
        total = np.round(weights[of].sum())
        return np.asarray((1 + np.round(np.concatenate([[], *reached]), 9)) / (total + 1))

    def _chosen(self, domain: str | None) -> list[NDArray[np.bool_]]:
        """Return which pieces (piece,) are of the domain, or for None of each domain."""
        if domain is not None and domain not in self.names:
            raise InputError(
                f"domain {domain}: no healthy recordings of it; there are {', '.join(self.names)}"
            )
        of = np.array(self.domains)
        return [of == name for name in ([domain] if domain is not None else self.names)]


def _weights(pieces: int, recordings: NDArray[np.int64] | None) -> Floats:
    """Return the weight of each piece, one over the number of pieces of its recording."""
    if recordings is None:
        return np.ones(pieces)
    _, of, sizes = np.unique(recordings, return_inverse=True, return_counts=True)
    return np.asarray(1 / sizes[of], np.float64)


def rounded_up(rate: float) -> float:
    """Return a rate in three digits, never below what it is."""
    unit = 10.0 ** (math.floor(math.log10(rate)) - 2)
    return float(f"{math.ceil(rate / unit - 1e-9) * unit:.3g}")
