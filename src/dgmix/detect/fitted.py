"""A detector that has learned: one immutable value, from which every verdict follows.

A recording goes through once: it is described in several views (views.py), compared with the
healthy ones (compare.py), its distances are fused and calibrated (fusion.py, conformal.py,
calibration.py), and it is judged (judgement.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.band import lacking
from dgmix.detect.calibration import Calibration, Scores
from dgmix.detect.compare import Comparison, compare_with
from dgmix.detect.conformal import check_rate, groups_needed, smallest_rate
from dgmix.detect.judgement import Judgement, Promise
from dgmix.detect.localize import BandStatistics
from dgmix.detect.memory import Memory
from dgmix.detect.quality import Defect, Limits, defects
from dgmix.detect.recordings import Sounds
from dgmix.detect.sensitivity import Sensitivity
from dgmix.detect.views import Vectors, represent
from dgmix.errors import InputError, choices

if TYPE_CHECKING:
    from dgmix.model.network import Network

ALL = ""
NO_NEW_CONDITIONS = (
    "nothing is promised of new conditions: this needs a scorer that estimates nothing, and "
    "healthy recordings of several named conditions "
    "(`dgmix update DETECTOR FOLDER --condition NAME`)"
)
Conditions = Iterable[str | None]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Update:
    """Healthy recordings that joined after training.

    `time`: when, UTC in ISO 8601; `added`: how many clips; `left_out`: how many were not taken
    because they look like faults; `conditions`: theirs.
    """

    time: str
    added: int
    left_out: int
    conditions: tuple[str, ...]


@dataclass(frozen=True, eq=False, repr=False)
class FittedDetector:
    """Settings, network and healthy clips, and all that follows from them.

    There is a `network` where a view is learned; `bands` are the statistics of the clips trained
    on, then those of each update; `trained`: on how many clips, the first ones, the network was
    trained; `seed`: of everything random; `false_alarm_rate`: the one that verdicts are made at
    where the recordings support it; `sensitivity`: which planted faults it finds, where that was
    measured.
    """

    recipe: Recipe
    network: Network | None
    memory: Memory
    bands: tuple[BandStatistics, ...]
    trained: int
    seed: int = 0
    false_alarm_rate: float = 0.05
    updates: tuple[Update, ...] = ()
    sensitivity: Sensitivity | None = None

    def __repr__(self) -> str:
        views = ", ".join(self.memory.views)
        return f"FittedDetector({len(self.memory.clips)} healthy recordings in {views})"

    @cached_property
    def sections(self) -> list[str]:
        """The sections that clips are compared within; one, empty, when all are one."""
        return self.memory.sections if self.recipe.detect.per_section else [ALL]

    @cached_property
    def band_statistics(self) -> BandStatistics:
        """The levels of all healthy clips."""
        return reduce(BandStatistics.merged, self.bands)

    @cached_property
    def views(self) -> list[str]:
        """The views that clips are compared in."""
        return list(self.memory.views)

    @cached_property
    def _compared(self) -> dict[str, tuple[Comparison, Calibration, tuple[str, ...]]]:
        return {}

    @cached_property
    def _limits(self) -> dict[str, Limits]:
        return {}

    def key(self, section: str) -> str:
        """Return the section that clips of `section` are compared within, "" for all clips."""
        return section if section in self.sections else ALL

    def check_section(self, section: str) -> None:
        """Raise `InputError` for a section, other than "" for all, that the detector does not
        know."""
        if section and section not in self.memory.sections:
            known = choices(section, self.memory.sections)
            raise InputError(f"section {section}: the detector does not know it{known}")

    def calibration(self, section: str = ALL) -> Calibration:
        """Return the healthy scores that clips of `section` are judged by."""
        return self._comparison(section)[1]

    @cached_property
    def decision_scores(self) -> NDArray[np.float64]:
        """The score (clip,) of each healthy clip against the others of its section.

        Infinite for those that do not calibrate.
        """
        scores = np.empty(len(self.memory.clips))
        for section in self.sections:
            of = np.array([section in (ALL, each) for each in self.memory.clips.sections])
            scores[of] = self.healthy_scores(section)
        return scores

    def comparison(self, section: str = ALL) -> Comparison:
        """Return the healthy clips that clips of `section` are compared with."""
        return self._comparison(section)[0]

    def limits(self, section: str = ALL) -> Limits:
        """Return how far the quality of the healthy clips of a section goes."""
        key = self.key(section)
        if key not in self._limits:
            of = [key in (ALL, each) for each in self.memory.clips.sections]
            self._limits[key] = Limits.of(self.memory.clips.measures[np.array(of, bool)])
        return self._limits[key]

    def healthy_scores(self, section: str = ALL) -> NDArray[np.float64]:
        """Return the score (clip,) of each healthy clip of a section against the others.

        Infinite for those that do not calibrate.
        """
        comparison, calibration, conditions = self._comparison(section)
        scores = np.full(len(conditions), np.inf)
        scores[comparison.calibrating] = calibration.known.scores
        return scores

    def _comparison(self, section: str) -> tuple[Comparison, Calibration, tuple[str, ...]]:
        key = self.key(section)
        if key not in self._compared:
            of = np.array([key in (ALL, each) for each in self.memory.clips.sections])
            memory = self.memory if of.all() else self.memory.select(np.flatnonzero(of))
            comparison = compare_with(self.recipe.detect, memory, self.recipe.plugins)
            clips = memory.clips
            calibration = Calibration(comparison, clips.recordings, clips.conditions)
            self._compared[key] = comparison, calibration, clips.conditions
        return self._compared[key]

    def judge(
        self,
        bank: MelBank,
        names: Sequence[str],
        sections: Sequence[str],
        conditions: Sequence[str | None] | None = None,
    ) -> list[Judgement]:
        """Return the judgements of clips with features `bank`, in order.

        `names`, `sections` and `conditions` are one a clip; a condition is None where it is
        unknown.
        """
        vectors = represent(self.recipe, self.network, bank)
        learned = self.memory.clips.include(bank)
        judged = self.judge_views(vectors, names, sections, conditions, learned)
        return [
            replace(each, quality=quality, defects=self._defects(bank, clip, each.section))
            for clip, (each, quality) in enumerate(zip(judged, bank.qualities, strict=True))
        ]

    def judge_views(
        self,
        vectors: Mapping[str, Vectors],
        names: Sequence[str],
        sections: Sequence[str],
        conditions: Sequence[str | None] | None,
        learned: NDArray[np.bool_],
    ) -> list[Judgement]:
        """Return the judgements of clips that are described in every view, in order.

        `learned` bool (clip,): which are among the healthy ones. Nothing is said of their quality.
        """
        named = np.array([None] * len(names) if conditions is None else conditions, object)
        judgements: list[Judgement | None] = [None] * len(names)
        for key, those in _by_key([self.key(section) for section in sections]):
            comparison, calibration, healthy = self._comparison(key)
            queries = {name: view.select(those) for name, view in vectors.items()}
            distances = comparison.measure(queries, len(those))
            scores = calibration.judge(distances, list(named[those]))
            for row, clip in enumerate(those.tolist()):
                judgement = self._judgement(names[clip], key, scores, row)
                judgements[clip] = replace(
                    judgement,
                    condition=healthy[distances.nearest[row]],
                    learned=bool(learned[clip]),
                )
        return [each for each in judgements if each is not None]

    def _defects(self, bank: MelBank, clip: int, section: str) -> tuple[Defect, ...]:
        found = defects(bank.qualities[clip], self.limits(section))
        if not self.bands:
            return found
        return (*found, *lacking(bank, clip, self.band_statistics, self.recipe))

    def _judgement(self, name: str, section: str, scores: Scores, row: int) -> Judgement:
        return Judgement(
            name,
            float(scores.score[row]),
            float(scores.p_known[row]),
            float(scores.score_new[row]),
            float(scores.p_new[row]),
            section,
            view=self.views[int(scores.by_view[row].argmax())],
            view_scores=dict(zip(self.views, scores.by_view[row].tolist(), strict=True)),
        )

    def judge_recordings(
        self, recordings: Sounds, conditions: Sequence[str | None] | None = None
    ) -> Iterator[Judgement]:
        """Yield the judgement of each recording, in order, a few at a time.

        However many there are, few are in memory. One that cannot be read does not stop the others.
        """
        from threadpoolctl import threadpool_limits

        first = 0
        for part, bank in recordings.banks(self.recipe):
            named = None if conditions is None else conditions[first : first + len(part)]
            first += len(part)
            if isinstance(bank, InputError):
                yield Judgement(part.names[0], error=bank)
            else:
                with threadpool_limits(1, "blas"):
                    judgements = self.judge(bank, part.names, part.sections, named)
                yield from judgements

    def count(
        self, promise: Promise, sections: Iterable[str] = (), condition: str | None = None
    ) -> int:
        """Return the number of groups that a promise rests on, of the section that has the fewest.

        Groups are recordings, or of new conditions conditions: 0 where nothing is promised of
        these. `sections` are those asked about, all by default; `condition` counts the recordings
        of one condition.
        """
        keys = {self.key(section) for section in sections} or set(self.sections)
        calibrations = [self.calibration(key) for key in keys]
        if promise == "new":
            return min(each.new.count if each.covers_new else 0 for each in calibrations)
        return min(each.count(condition) for each in calibrations)

    def rate(
        self,
        wanted: float | None = None,
        sections: Iterable[str] = (),
        promise: Promise = "known",
        condition: str | None = None,
    ) -> float:
        """Return the false-alarm rate that verdicts are made at.

        It is `wanted`, or by default the detector's own or, where that is not supported, the
        smallest that is. Raises `InputError` if `wanted` is smaller than what the healthy clips of
        some of `sections` (all by default) support, and where they support no promise for new
        conditions.
        """
        promises: tuple[Promise, ...] = ("known", "new") if promise == "both" else (promise,)
        counts = {each: self.count(each, sections, condition) for each in promises}
        if counts.get("new") == 0:
            raise InputError(NO_NEW_CONDITIONS)
        if wanted is None:
            fewest = max(1, min(counts.values()))
            return max(self.false_alarm_rate, smallest_rate(fewest))
        of = f" of condition {condition}" if condition else ""
        groups = {"known": f"healthy recordings{of}", "new": "healthy conditions"}
        for each, count in counts.items():
            check_rate(wanted, count, groups[each])
        return wanted

    def promise(
        self, rate: float | None, sections: Iterable[str] = (), condition: str | None = None
    ) -> Promise:
        """Return the promise that verdicts are made under where none is chosen.

        A recording of a condition that the detector knows is judged by that; one of another named
        condition as of a new one; else under both promises where the conditions support the rate.
        """
        if condition is not None:
            return "known" if condition in self.memory.clips.conditions else "new"
        rate = self.rate(rate, sections)
        return "both" if self.count("new", sections) >= groups_needed(rate) else "known"

    def with_views(self, names: Sequence[str]) -> FittedDetector:
        """Return a detector like this one that compares only some of its views of a clip."""
        settings = self.recipe.detect.model_copy(update={"views": list(names)})
        return replace(
            self,
            recipe=self.recipe.model_copy(update={"detect": settings}),
            memory=replace(self.memory, views={name: self.memory.views[name] for name in names}),
        )


def _by_key(keys: Sequence[str]) -> Iterator[tuple[str, Numbers]]:
    """Yield each key and the numbers of the clips that have it."""
    names = np.array(keys, str)
    for key in sorted(set(keys)):
        yield key, np.flatnonzero(names == key)
