"""What is wrong with a recording itself, beside the healthy ones.

A check looks at the measures of a recording and of the healthy ones. A new check is a function and
its name in `CHECKS`. Whether a recording is usable depends on these measures alone, never on its
score (docs/decisions/0028-quality.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.quality import MEASURES, SILENCE, Quality

QUIET, MUCH_QUIETER, LOUD = 10.0, 30.0, 10.0  # dB beyond the healthy recordings
SHORT, TOO_SHORT, LONG = 0.9, 0.75, 2.0  # of the healthy recordings' length
LONG_ENOUGH = 30.0  # seconds, that are never too short
UNUSUAL_SHARE = 1.5  # times the greatest share of a healthy recording
MOST_LOST, MOST_CLIPPED = 0.01, 0.25  # more of the samples than in the healthy recordings
CLICK, UNUSUAL_CLICK = 12.0, 6.0  # dB, and dB more than in the healthy recordings
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Defect:
    """What is wrong with a recording; where it is `unusable`, it says nothing of the machine."""

    text: str
    unusable: bool = False


SILENT = Defect("silent: is the machine stopped, or the microphone dead?", unusable=True)


@dataclass(frozen=True, eq=False)
class Limits:
    """How far the measures of some healthy recordings go, float64 (measure,): the least, the median
    and the greatest; not a number where they were not measured. `of_most` where they are those of
    most of the recordings instead of all."""

    lowest: Floats
    middle: Floats
    highest: Floats
    of_most: bool = False

    @classmethod
    def of(cls, measures: Floats) -> Limits:
        """Return the limits of measures (recording, measure)."""
        known = measures[~np.isnan(measures).any(1)]
        if not len(known):
            return cls(*np.full((3, len(MEASURES)), np.nan))
        return cls(known.min(0), np.median(known, 0), known.max(0))

    @classmethod
    def usual(cls, measures: Floats) -> Limits:
        """Return the limits of most of these measures (recording, measure): eight of ten."""
        known = measures[~np.isnan(measures).any(1)]
        low, high = np.quantile(known, [0.1, 0.9], 0) if len(known) else (np.nan, np.nan)
        return replace(cls.of(np.clip(known, low, high)), of_most=True)

    def least(self, name: str) -> float:
        """Return the least value of a measure."""
        return float(self.lowest[MEASURES.index(name)])

    def median(self, name: str) -> float:
        """Return the median of a measure."""
        return float(self.middle[MEASURES.index(name)])

    def most(self, name: str) -> float:
        """Return the greatest value of a measure."""
        return float(self.highest[MEASURES.index(name)])


def measures_of(qualities: Iterable[Quality | None]) -> Floats:
    """Return the measures of recordings, float64 (recording, measure), not a number if unknown."""
    unknown = dict.fromkeys(MEASURES, np.nan)
    rows = [list((unknown if each is None else each.values()).values()) for each in qualities]
    return np.array(rows, np.float64).reshape(-1, len(MEASURES))


def quality_in(row: Floats) -> Quality | None:
    """Return the quality that a row (measure,) of measures holds, None where it is unknown."""
    values = dict(zip(MEASURES, row.tolist(), strict=True))
    return None if np.isnan(row).any() else Quality.of(values)


def defects(quality: Quality | None, healthy: Limits) -> tuple[Defect, ...]:
    """Return what is wrong with a recording beside healthy ones; nothing where it is unknown."""
    if quality is None:
        return ()
    if _silent(quality, healthy):
        return (SILENT,)
    return tuple(defect for check in CHECKS if (defect := check(quality, healthy)))


def unusable(defects: Sequence[Defect]) -> str:
    """Return why a recording with these defects cannot be judged, or nothing where it can."""
    return "; ".join(each.text for each in defects if each.unusable)


def _silent(quality: Quality, healthy: Limits) -> bool:
    """Return whether it is silent, and the healthy recordings are not, if known."""
    as_quiet = healthy.least("level") - quality.level < MUCH_QUIETER
    return quality.level <= 20 * np.log10(SILENCE) and not as_quiet


def _level(quality: Quality, healthy: Limits) -> Defect | None:
    below, above = healthy.least("level") - quality.level, quality.level - healthy.most("level")
    if below >= QUIET:
        others = "most others" if healthy.of_most else "the quietest healthy recording"
        return Defect(
            f"{below:.0f} dB quieter than {others}: is the machine stopped, or was the gain or the "
            "microphone changed?",
            below >= MUCH_QUIETER,
        )
    if above >= LOUD:
        others = "most others" if healthy.of_most else "the loudest healthy recording"
        return Defect(f"{above:.0f} dB louder than {others}")
    return None


def _length(quality: Quality, healthy: Limits) -> Defect | None:
    """Return the defect of a recording of another length.

    Where the healthy ones differ in length, shorter ones are usable too, by as much as they differ,
    and of long ones half a minute is enough.
    """
    least, most = healthy.least("seconds"), healthy.most("seconds")
    others = "most others" if healthy.of_most else "the healthy recordings"
    own = f"{_duration(quality.seconds)} long, and {others}"
    shortest = TOO_SHORT * least * least / healthy.median("seconds")
    if quality.seconds < min(shortest, LONG_ENOUGH):
        return Defect(f"too short: {own} {_duration(least)} or more", unusable=True)
    if quality.seconds < SHORT * least:
        effect = "it may hide anomalies" if healthy.of_most else "false alarms are more frequent"
        return Defect(f"{own} {_duration(least)} or more: {effect}")
    if quality.seconds > LONG * most:
        effect = "" if healthy.of_most else ": false alarms may be more or less frequent"
        return Defect(f"{own} {_duration(most)} or less{effect}")
    return None


def _dropouts(quality: Quality, healthy: Limits) -> Defect | None:
    text = f"dropouts: {_percent(quality.dropouts)} of it is zeros"
    return _share("dropouts", quality, healthy, MOST_LOST, text)


def _ending(quality: Quality, healthy: Limits) -> Defect | None:
    seconds = quality.ending * quality.seconds
    text = f"its last {_duration(float(f'{seconds:.2g}'))} are zeros: is it still being copied?"
    return _share("ending", quality, healthy, MOST_LOST, text)


def _frozen(quality: Quality, healthy: Limits) -> Defect | None:
    text = f"frozen: {_percent(quality.frozen)} of it repeats one value"
    return _share("frozen", quality, healthy, MOST_LOST, text)


def _clipped(quality: Quality, healthy: Limits) -> Defect | None:
    text = f"clipped: {_percent(quality.clipped)} of it; lower the gain"
    return _share("clipped", quality, healthy, MOST_CLIPPED, text)


def _click(quality: Quality, healthy: Limits) -> Defect | None:
    usual = healthy.most("click")
    if quality.click < CLICK or quality.click < usual + UNUSUAL_CLICK:
        return None
    return Defect(
        f"one click at {quality.click_at:.1f} s, {quality.click:.0f} dB above the rest: was the "
        "microphone touched?"
    )


def _share(name: str, quality: Quality, healthy: Limits, most: float, text: str) -> Defect | None:
    """Return the defect of a recording whose share of lost samples is greater than usual."""
    usual, own = healthy.most(name), getattr(quality, name)
    usual = 0.0 if np.isnan(usual) else usual
    if own <= UNUSUAL_SHARE * usual:
        return None
    return Defect(text, own > usual + most)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _percent(share: float) -> str:
    return f"{float(f'{100 * share:.2g}'):g} %"


Check = Callable[[Quality, Limits], Defect | None]
CHECKS: tuple[Check, ...] = (_level, _length, _dropouts, _ending, _frozen, _clipped, _click)
