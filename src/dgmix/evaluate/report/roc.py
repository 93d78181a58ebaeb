"""Receiver operating characteristics, averaged over the sections of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_POINTS = 201


@dataclass(frozen=True)
class Roc:
    """A curve from (0, 0) to (1, 1): `rates` of false alarms and of detections, both (point,)."""

    false_alarms: Floats
    detections: Floats

    @property
    def area(self) -> float:
        """The area under the curve: the AUC."""
        heights = (self.detections[1:] + self.detections[:-1]) / 2
        return float(np.diff(self.false_alarms) @ heights)


def roc(normal: Floats, anomaly: Floats) -> Roc:
    """Return the curve of `normal` scores, float64 (clip,), against `anomaly` scores (other clip,).

    Higher means more anomalous; a tie between both kinds makes a slanted piece, so that the area
    is the AUC with ties counted half. Neither may be empty.
    """
    thresholds = np.unique(np.concatenate([normal, anomaly]))
    return Roc(_share_at_or_above(thresholds, normal), _share_at_or_above(thresholds, anomaly))


def average(curves: Sequence[Roc]) -> Roc:
    """Return the vertical average: the mean detection rate at every false-alarm rate.

    Its area is the arithmetic mean of the curves' areas as long as they have no more than
    `MOST_POINTS` different false-alarm rates between them; otherwise it is that to within a
    hundredth or so. Source: Fawcett, An introduction to ROC analysis (2006), §9.1.
    """
    rates = np.unique(np.concatenate([curve.false_alarms for curve in curves]).round(12))
    if len(rates) > MOST_POINTS:
        rates = np.linspace(0.0, 1.0, MOST_POINTS)
    below = np.mean([_limit(curve, rates, upper=False) for curve in curves], axis=0)
    above = np.mean([_limit(curve, rates, upper=True) for curve in curves], axis=0)
    return Roc(np.repeat(rates, 2), np.stack([below, above], axis=1).ravel())


def _share_at_or_above(thresholds: Floats, scores: Floats) -> Floats:
    """Return the share of `scores` at or above each threshold, from the highest threshold down."""
    above = len(scores) - np.searchsorted(np.sort(scores), thresholds[::-1], side="left")
    return np.concatenate([[0.0], above / len(scores)])


def _limit(curve: Roc, rates: Floats, upper: bool) -> Floats:
    """Return the curve's height at `rates`: where it rises vertically, the upper or lower end."""
    rate, height = curve.false_alarms.round(12), curve.detections
    first = np.searchsorted(rate, rates, side="left")
    last = np.searchsorted(rate, rates, side="right") - 1
    between = np.interp(rates, rate, height)
    exact = last >= first
    return np.where(exact, height[np.where(exact, last if upper else first, 0)], between)
