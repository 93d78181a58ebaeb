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
from dgmix.audio.channels import Channels
from dgmix.audio.layout import Layout, differences, silent_now
from dgmix.audio.signals import MEAN, Signal, signals_of
from dgmix.config import Recipe
from dgmix.detect.band import lacking
from dgmix.detect.calibration import Calibration, Scores
from dgmix.detect.compare import Comparison, compare_with
from dgmix.detect.conformal import check_rate, groups_needed, smallest_rate
from dgmix.detect.judgement import Judgement, Promise
from dgmix.detect.localize import BandStatistics, Localization, localize
from dgmix.detect.memory import Memory, Update
from dgmix.detect.quality import Defect, Limits, defects
from dgmix.detect.sensitivity import Sensitivity
from dgmix.detect.views import Vectors, deciding, names_of, represent, signal_of, view_of
from dgmix.errors import InputError, choices

if TYPE_CHECKING:
    from dgmix.detect.recordings import Sounds
    from dgmix.model.network import Network

ALL = ""
MOST_DISTANCES = 1 << 20  # of clips from healthy ones, at a time
NO_NEW_CONDITIONS = (
    "nothing is promised of new conditions: this needs a scorer that estimates nothing, and "
    "healthy recordings of several named conditions "
    "(`dgmix update DETECTOR FOLDER --condition NAME`)"
)
Conditions = Iterable[str | None]
Numbers = NDArray[np.int64]
Missing = frozenset[int]
Key = tuple[str, Missing]


@dataclass(frozen=True, eq=False, repr=False)
class FittedDetector:
    """Settings, network and healthy clips, and all that follows from them.

    There is a `network` where a view is learned; `bands` are the statistics of the clips trained
    on, of each signal, then those of each update; `trained`: on how many clips, the first ones, the
    network was trained; `seed`: of everything random; `false_alarm_rate`: the one that verdicts
    are made at where the recordings support it; `sensitivity`: which planted faults it finds, and
    `layout`: what the channels of the healthy recordings are like, where that was measured;
    `feature_names`: of the numbers of vectors that were given, where they have names.
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
    layout: Layout | None = None
    feature_names: tuple[str, ...] = ()

    def __repr__(self) -> str:
        views = ", ".join(self.memory.views)
        return f"FittedDetector({len(self.memory.clips)} healthy recordings in {views})"

    @cached_property
    def sections(self) -> list[str]:
        """The sections that clips are compared within; one, empty, when all are one."""
        return self.memory.sections if self.recipe.detect.per_section else [ALL]

    @cached_property
    def signals(self) -> tuple[Signal, ...]:
        """The signals of a recording that are compared."""
        return signals_of(self.recipe.audio)

    def place_of(self, signal: str) -> int:
        """Return the number of a signal among those compared, by its name; "" is the first."""
        names = list(map(str, self.signals))
        return names.index(signal) if signal in names else 0

    @cached_property
    def band_statistics(self) -> tuple[BandStatistics, ...]:
        """The levels of each signal in all healthy clips; none where they are not known."""
        parts = [self.bands[place :: len(self.signals)] for place in range(len(self.signals))]
        return tuple(reduce(BandStatistics.merged, each) for each in parts if each)

    def statistics_of(self, signal: str) -> BandStatistics:
        """Return the levels of a signal in all healthy clips; "" is the first signal."""
        return self.band_statistics[self.place_of(signal)]

    @cached_property
    def views(self) -> list[str]:
        """The views that clips are compared in, each of all signals."""
        return list(dict.fromkeys(map(view_of, self.memory.views)))

    @cached_property
    def _compared(self) -> dict[Key, tuple[Comparison, Calibration, tuple[str, ...]]]:
        return {}

    @cached_property
    def _limits(self) -> dict[str, Limits]:
        return {}

    def key(self, section: str) -> str:
        """Return the section that clips of `section` are compared within, "" for all clips."""
        return section if section in self.sections else ALL

    def _within(self, key: str) -> NDArray[np.bool_]:
        """Return which healthy clips (clip,) are compared within a section, "" for all."""
        return np.array([key in (ALL, each) for each in self.memory.clips.sections], bool)

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
            scores[self._within(section)] = self.healthy_scores(section)
        return scores

    def comparison(self, section: str = ALL) -> Comparison:
        """Return the healthy clips that clips of `section` are compared with."""
        return self._comparison(section)[0]

    def limits(self, section: str = ALL) -> Limits:
        """Return how far the quality of the healthy clips of a section goes."""
        key = self.key(section)
        if key not in self._limits:
            self._limits[key] = Limits.of(self.memory.clips.measures[self._within(key)])
        return self._limits[key]

    def healthy_scores(self, section: str = ALL) -> NDArray[np.float64]:
        """Return the score (clip,) of each healthy clip of a section against the others.

        Infinite for those that do not calibrate.
        """
        comparison, calibration, conditions = self._comparison(section)
        scores = np.full(len(conditions), np.inf)
        scores[comparison.calibrating] = calibration.known.scores
        return scores

    def _comparison(
        self, section: str, missing: Missing = frozenset()
    ) -> tuple[Comparison, Calibration, tuple[str, ...]]:
        """Return what compares clips of a section, where these channels are missing."""
        key = self.key(section), missing
        if key not in self._compared:
            of = self._within(key[0])
            memory = self.memory if of.all() else self.memory.select(np.flatnonzero(of))
            if missing:
                memory = replace(memory, views=self._without(missing, memory.views))
            comparison = compare_with(self.recipe.detect, memory, self.recipe.plugins)
            clips = memory.clips
            calibration = Calibration(comparison, clips.recordings, clips.conditions)
            self._compared[key] = comparison, calibration, clips.conditions
        return self._compared[key]

    def _without(self, missing: Missing, views: Mapping[str, Vectors]) -> dict[str, Vectors]:
        """Return the views of signals that need none of these channels."""
        single = len(self.signals) == 1
        needed = [each for each in self.signals if not missing & {each.channel, each.reference}]
        left = {"" if single else str(each) for each in needed}
        return {name: view for name, view in views.items() if signal_of(name) in left}

    def _missing(self, channels: Channels | None) -> Missing:
        """Return which channels of a recording are not compared: silent as they never were.

        A microphone that is silent is no fault of the machine, and its channel decides nothing;
        where nothing else is compared, the recording is unusable.
        """
        if self.layout is None or channels is None or self.signals[0].channel == MEAN:
            return frozenset()
        compared = {number for each in self.signals for number in (each.channel, each.reference)}
        gone = silent_now(self.layout, channels) & compared
        return gone if self._without(gone, self.memory.views) else frozenset()

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
        missing = [self._missing(each) for each in bank.channels]
        judged = self.judge_views(vectors, names, sections, conditions, learned, missing)
        signals = bank.split(len(self.signals))
        return [
            replace(each, quality=quality, defects=self._defects(bank, signals, clip, each))
            for clip, (each, quality) in enumerate(zip(judged, bank.qualities, strict=True))
        ]

    def judge_views(
        self,
        vectors: Mapping[str, Vectors],
        names: Sequence[str],
        sections: Sequence[str],
        conditions: Sequence[str | None] | None,
        learned: NDArray[np.bool_],
        missing: Sequence[Missing] | None = None,
    ) -> list[Judgement]:
        """Return the judgements of clips that are described in every view, in order.

        `learned` bool (clip,): which are among the healthy ones; `missing` (clip,): channels that
        are not compared. Their quality is not judged.
        """
        named = np.array([None] * len(names) if conditions is None else conditions, object)
        judgements: list[Judgement | None] = [None] * len(names)
        without = missing or [frozenset()] * len(names)
        keys = [(self.key(of), gone) for of, gone in zip(sections, without, strict=True)]
        for (key, gone), those in self._parts(keys):
            comparison, calibration, healthy = self._comparison(key, gone)
            queries = {name: vectors[name].select(those) for name in comparison.rows}
            distances = comparison.measure(queries, len(those))
            scores = calibration.judge(distances, list(named[those]))
            for row, clip in enumerate(those.tolist()):
                judgement = self._judgement(names[clip], key, scores, row, comparison.rows)
                judgements[clip] = replace(
                    judgement,
                    condition=healthy[distances.nearest[row]],
                    learned=bool(learned[clip]),
                    missing=tuple(sorted(gone)),
                )
        return [each for each in judgements if each is not None]

    def _parts(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Numbers]]:
        """Yield each key and the numbers of clips that have it, few enough to compare at once."""
        for key in sorted(set(keys), key=lambda each: (each[0], sorted(each[1]))):
            those = np.flatnonzero([each == key for each in keys])
            comparison = self._comparison(*key)[0]
            size = max(1, MOST_DISTANCES // (len(comparison.rows) * len(comparison.calibrating)))
            yield from ((key, those[first : first + size]) for first in range(0, len(those), size))

    def _defects(
        self, bank: MelBank, signals: Sequence[MelBank], clip: int, judgement: Judgement
    ) -> tuple[Defect, ...]:
        measured = defects(bank.qualities[clip], self.limits(judgement.section))
        compared = (
            each
            for each in zip(self.signals, signals, self.band_statistics, strict=False)
            if each[0].channel not in judgement.missing and not each[0].reference
        )
        lack = lacking(compared, clip, self.recipe)
        return (*measured, *self._changes(bank.channels[clip]), *lack)

    def _judgement(
        self, name: str, section: str, scores: Scores, row: int, rows: Sequence[str]
    ) -> Judgement:
        view = self.views[int(scores.by_view[row].argmax())]
        return Judgement(
            name,
            float(scores.score[row]),
            float(scores.p_known[row]),
            float(scores.score_new[row]),
            float(scores.p_new[row]),
            section,
            view=view,
            view_scores=dict(zip(self.views, scores.by_view[row].tolist(), strict=True)),
            signal=deciding(view, rows, scores.by_row[row]),
        )

    def _changes(self, channels: Channels | None) -> Iterator[Defect]:
        """Yield how a recording's channels differ from those learned from."""
        if self.layout is None:
            return
        averaged = any(each.channel == MEAN for each in self.signals)
        yield from map(Defect, differences(self.layout, channels, averaged))
        gone = silent_now(self.layout, channels)
        if gone and not averaged and not self._without(gone, self.memory.views):
            numbers = " and ".join(map(str, sorted(gone)))
            yield Defect(f"nothing but channel {numbers} is compared", unusable=True)

    def places(self, bank: MelBank, judgements: Sequence[Judgement]) -> list[Localization]:
        """Return where judged clips of a bank are unusual, in the signal that decides."""
        signals, recipe = bank.split(len(self.signals)), self.recipe
        return [
            localize(
                signals[self.place_of(each.signal)][k], self.statistics_of(each.signal), recipe
            )
            for k, each in enumerate(judgements)
        ]

    def judge_recordings(
        self, recordings: Sounds, conditions: Sequence[str | None] | None = None
    ) -> Iterator[Judgement]:
        """Yield the judgement of each recording, in order, a few at a time.

        However many there are, few are in memory. One that cannot be read does not stop the others.
        """
        from dgmix.workers import single_threaded

        first = 0
        for part, bank in recordings.banks(self.recipe):
            named = None if conditions is None else conditions[first : first + len(part)]
            first += len(part)
            if isinstance(bank, InputError):
                yield Judgement(part.names[0], error=bank)
            else:
                with single_threaded():
                    judgements = self.judge(bank, part.names, part.sections, named)
                yield from judgements

    def count(
        self, promise: Promise, sections: Iterable[str] = (), condition: str | None = None
    ) -> int:
        """Return the number of groups that a promise rests on, of the section that has the fewest.

        Groups are recordings, or of new conditions conditions: 0 where nothing is promised of
        these. `sections` are those that count, all by default; `condition` counts the recordings
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
        recipe = self.recipe.model_copy(update={"detect": settings})
        views = {name: self.memory.views[name] for name in names_of(recipe)}
        return replace(self, recipe=recipe, memory=replace(self.memory, views=views))
