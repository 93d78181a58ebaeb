"""Figures of one recording and of the scores of several, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.mel_scale import SCALES
from dgmix.config import FeatureSettings
from dgmix.detect.judgement import ANOMALY, NEW_CONDITION, NORMAL, UNUSABLE, Judgement, Promise
from dgmix.detect.localize import Localization
from dgmix.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {NORMAL: "#3b6ea5", NEW_CONDITION: "#a0529c", ANOMALY: "#c8321e", UNUSABLE: "#888888"}
MOST_COLUMNS = 2000
DYNAMIC_RANGE = 80.0
Floats = NDArray[np.float32]


def plot_scores(
    judgements: Sequence[Judgement], verdicts: Sequence[str], promise: Promise, title: str
) -> Figure:
    """Return a figure of scores, a point for each recording that could be read, by verdict."""
    figure = _figure(8, 3.5)
    axes = figure.add_subplot(xlabel="recording", ylabel="anomaly score", title=title)
    for verdict, colour in COLOURS.items():
        places = [place for place, each in enumerate(verdicts) if each == verdict]
        if places:
            scores = [judgements[place].score_under(promise) for place in places]
            axes.plot(places, scores, "o", color=colour, markersize=4, label=verdict)
    if axes.lines:
        axes.legend()
    return figure


def plot_recording(
    levels: Floats, place: Localization, features: FeatureSettings, title: str
) -> Figure:
    """Return a figure of a recording: its levels (frame, mel) in decibels, and where it is unlike
    the healthy ones, over time and frequency."""
    figure = _figure(9, 6)
    upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
    upper.set_title(title)
    loudest = float(levels.max())
    _draw(upper, levels, place, features, "level (dB)", (loudest - DYNAMIC_RANGE, loudest))
    most = max(float(place.surprise.max()), 1.0)
    _draw(lower, place.surprise, place, features, "surprise (1: the most in healthy)", (0.0, most))
    lower.set_xlabel("seconds")
    return figure


def _draw(
    axes: Axes,
    values: Floats,
    place: Localization,
    features: FeatureSettings,
    label: str,
    limits: tuple[float, float],
) -> None:
    """Draw values (frame, mel), the largest of neighbouring frames where there are very many."""
    firsts = np.arange(0, len(values), -(-len(values) // MOST_COLUMNS))
    shown = np.maximum.reduceat(values, firsts, axis=0)
    mesh = axes.pcolormesh(place.seconds[firsts], place.hertz, shown.T, shading="nearest")
    mesh.set_clim(*limits)
    axes.set_yscale("function", functions=SCALES[features.mel_scale])
    axes.set_ylabel("Hz")
    axes.figure.colorbar(mesh, ax=axes, label=label)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError("plotting needs matplotlib: pip install 'dgmix[plot]'") from error
    return Figure(figsize=(width, height), layout="constrained")
