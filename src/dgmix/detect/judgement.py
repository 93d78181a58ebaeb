"""What a detector finds of one recording, and the verdict that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dgmix.audio.quality import Quality
from dgmix.deprecations import FormerNames
from dgmix.detect.conformal import ROUNDING
from dgmix.detect.quality import Defect, unusable
from dgmix.errors import InputError

Promise = Literal["known", "new", "both"]
NORMAL, NEW_CONDITION, ANOMALY = "normal", "new condition?", "ANOMALY"
UNUSABLE, UNREADABLE = "unusable", "unreadable"


@dataclass(frozen=True, slots=True)
class Judgement(FormerNames):
    """What a detector finds of one recording.

    `score` and `p_known`: how unusual it is beside the healthy recordings; `score_new` and `p_new`:
    beside the way the healthy conditions differ. Within what it is compared with, a higher score
    has a smaller or equal p-value. `section`: the section that it is compared with, "" for all;
    `condition`: the healthy condition that it is most like; `view`: the view in which it is least
    like the healthy ones, and `signal` the channel in which that shows most, where several are
    compared ("2", or "1-2": channel 1 without what channel 2 picks up too); `view_scores`: how
    unusual it is in each view; `learned`: the detector learned from this very recording; `missing`:
    channels that were not compared, being silent; `quality`: its measures, where there are any, and
    `defects`: what is wrong with the recording itself. Where it cannot be read, `error` is the
    reason, and there are no numbers.
    """

    name: str
    score: float = float("nan")
    p_known: float = float("nan")
    score_new: float = float("nan")
    p_new: float = float("nan")
    section: str = ""
    condition: str = ""
    view: str = ""
    view_scores: Mapping[str, float] = field(default_factory=dict)
    learned: bool = False
    signal: str = ""
    missing: tuple[int, ...] = ()
    error: InputError | None = None
    quality: Quality | None = None
    defects: tuple[Defect, ...] = ()

    @property
    def unusable(self) -> str:
        """Why it says nothing of a machine, or nothing where it does."""
        return unusable(self.defects)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the recording, but leaves it usable."""
        return tuple(each.text for each in self.defects if not each.unusable)

    def p_value(self, promise: Promise) -> float:
        """Return the p-value that verdicts under a promise rest on."""
        if promise == "both":
            return max(self.p_known, self.p_new)
        return self.p_new if promise == "new" else self.p_known

    def score_under(self, promise: Promise) -> float:
        """Return the score that is shown under a promise."""
        return self.score_new if promise == "new" else self.score

    def anomalous(self, rate: float, promise: Promise = "known") -> bool:
        """Return whether the p-value is at most a false-alarm rate, whatever the quality."""
        return self.p_value(promise) <= rate + ROUNDING

    def verdict(self, rate: float, promise: Promise = "known") -> str:
        """Return the verdict at a false-alarm rate under a promise.

        An anomaly has a p-value of at most `rate`. Under both promises, a recording that is unlike
        the healthy ones, but no more than their conditions differ, may be of a new condition. An
        unusable recording is neither, whatever its p-value.
        """
        if self.error:
            return UNREADABLE
        if self.unusable:
            return UNUSABLE
        if self.anomalous(rate, promise):
            return ANOMALY
        unusual = promise == "both" and self.p_known <= rate + ROUNDING
        return NEW_CONDITION if unusual else NORMAL
