"""Many recordings judged one after the other, here or on a Ray cluster, and what follows of the
set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import IO, TYPE_CHECKING, TypeAlias

import numpy as np

from dgmix.data.vectors import VectorTable
from dgmix.detect.conformal import batch_p_value
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.forms import Form, Terms
from dgmix.detect.given_vectors import judge_vectors
from dgmix.detect.judgement import (
    ANOMALY,
    NEW_CONDITION,
    NORMAL,
    UNREADABLE,
    UNUSABLE,
    Judgement,
    Promise,
)
from dgmix.detect.recordings import SHARD, Sounds
from dgmix.detect.summary import counted, percent, shown
from dgmix.errors import DgmixError, InputError, first_few
from dgmix.progress import Advance, progress, silent
from dgmix.workers import results_in_order

if TYPE_CHECKING:
    from dgmix.cluster import Files, Shared

Recordings: TypeAlias = Sounds | VectorTable


def score_recordings(
    fitted: FittedDetector,
    recordings: Recordings,
    form: Form,
    *,
    false_alarm_rate: float | None = None,
    promise: Promise | None = None,
    condition: str | None = None,
    by_score: bool = False,
    summary_on: IO[str] | None = None,
    quiet: bool = False,
    ray: str | None = None,
) -> None:
    """Judge recordings, write them in a form as they come, then a summary.

    `by_score` writes them at the end, the highest score first. The summary goes to `summary_on`,
    standard output by default; `quiet` shows no progress. `ray` is the address of a Ray cluster
    that computes the same (see `dgmix.cluster.connected`). Raises `InputError` for a false-alarm
    rate that is not supported and, at the end, `DgmixError` when some recordings could not be read.
    """
    sections = recordings.sections or [""] * len(recordings)
    terms = choose_terms(fitted, sections, false_alarm_rate, promise, condition)
    result = Result(terms)
    bar: AbstractContextManager[Advance] = (
        nullcontext(silent) if quiet else progress("scoring", len(recordings))
    )
    source = judging(fitted, recordings, condition=condition, ray=ray)
    with source as judgements, form(terms) as write, bar as advance:
        ranked = _ordered(_advancing(judgements, advance), by_score, terms.promise)
        for judgement in ranked:
            write(judgement)
            result.add(judgement)
    print(result.summary(fitted, sections, condition), file=summary_on)
    if unreadable := result.verdicts[UNREADABLE]:
        count = counted(unreadable, "recording")
        raise DgmixError(
            f"{count} of {len(recordings)} could not be read; the reason stands with each"
        )


def choose_terms(
    fitted: FittedDetector,
    sections: Sequence[str],
    rate: float | None = None,
    promise: Promise | None = None,
    condition: str | None = None,
) -> Terms:
    """Return rate and promise of the verdicts on recordings of some sections.

    Raises `InputError` for a rate that the healthy recordings do not support.
    """
    promise = promise or fitted.promise(rate, sections, condition)
    named = condition if condition in fitted.memory.clips.conditions else None
    return Terms(fitted.rate(rate, sections, promise, named), promise)


@contextmanager
def judging(
    fitted: FittedDetector,
    recordings: Recordings,
    *,
    condition: str | None = None,
    ray: str | None = None,
) -> Iterator[Iterator[Judgement]]:
    """Yield the judgements of recordings, in order, computed here or on a Ray cluster.

    Files are read where they are scored: raises `InputError` for one that is not the same there.
    """
    from dgmix.cluster import Files, connected

    if isinstance(recordings, VectorTable):
        if ray:
            raise InputError("--ray: vectors are scored here; leave it out")
        named = None if condition is None else [condition] * len(recordings)
        yield iter(judge_vectors(fitted, recordings, named))
        return
    if ray is None:
        yield fitted.judge_recordings(recordings, [condition] * len(recordings))
        return
    with connected(ray, "cpu") as cluster:
        cluster.require(recordings.paths[:1])
        judge = partial(_judge_shard, cluster.share(fitted), condition)
        shards = ((part, Files.of(part.paths)) for part in recordings.parts(SHARD))
        yield chain.from_iterable(results_in_order(cluster, judge, shards, 2 * cluster.cores))


def _judge_shard(
    fitted: Shared[FittedDetector], condition: str | None, shard: tuple[Sounds, Files]
) -> list[Judgement]:
    part, files = shard
    files.check()
    return list(fitted.value.judge_recordings(part, [condition] * len(part)))


def _advancing(judgements: Iterable[Judgement], advance: Advance) -> Iterator[Judgement]:
    for judgement in judgements:
        yield judgement
        advance()


def _ordered(
    judgements: Iterable[Judgement], by_score: bool, promise: Promise
) -> Iterable[Judgement]:
    """Return judgements as they come, or by falling score, with the unreadable ones last."""
    if not by_score:
        return judgements
    return sorted(
        judgements,
        key=lambda each: -np.inf if each.error else each.score_under(promise),
        reverse=True,
    )


@dataclass
class Result:
    """The judgements of a set of recordings under some terms."""

    terms: Terms
    verdicts: Counter[str] = field(default_factory=Counter)
    learned: int = 0
    missing: int = 0
    p_values: list[float] = field(default_factory=list)

    def add(self, judgement: Judgement) -> None:
        """Count a judgement."""
        self.verdicts[judgement.verdict(self.terms.rate, self.terms.promise)] += 1
        self.learned += judgement.learned
        self.missing += bool(judgement.missing)
        if not (judgement.error or judgement.learned or judgement.unusable):
            self.p_values.append(judgement.p_value(self.terms.promise))

    def summary(
        self, fitted: FittedDetector, sections: Sequence[str], condition: str | None
    ) -> str:
        """Return a few sentences on the set."""
        named = condition if condition in fitted.memory.clips.conditions else None
        lines = [self._counts()]
        if self.terms.promise != "new" and len({fitted.key(each) for each in sections}) == 1:
            limit = fitted.calibration(sections[0]).threshold(self.terms.rate, named)
            lines.append(
                f"Flagged: a score above {shown(limit)}."
                if np.isfinite(limit)
                else "'normal' says nothing here: with so few healthy recordings no score is high "
                "enough to be flagged; add others with `dgmix update`."
            )
        if len(fitted.sections) > 1 and (count := list(sections).count("")):
            lines.append(
                f"Compared with all sections, where a fault is detected less often: "
                f"{counted(count, 'recording')} in no folder that is called as one of them "
                f"({first_few(fitted.sections)}); --section NAME says which it is."
            )
        if self.missing:
            lines.append(
                f"A channel is silent in {counted(self.missing, 'recording')}: the others decide "
                "there, and what is flagged follows from these alone."
            )
        if len(self.p_values) > 1:
            whole = batch_p_value(np.array(self.p_values))
            lines.append(f"The set as a whole: p-value {whole:.3g}, were all of it healthy.")
        if self.learned:
            lines.append(
                f"The detector learned from {self.learned} of them; this says nothing of their "
                "health."
            )
        return "\n".join(lines)

    def _counts(self) -> str:
        verdicts, rate, promise = self.verdicts, self.terms.rate, self.terms.promise
        anomalies = "1 anomaly" if verdicts[ANOMALY] == 1 else f"{verdicts[ANOMALY]} anomalies"
        parts = [anomalies]
        if verdicts[NEW_CONDITION]:
            parts.append(f"{verdicts[NEW_CONDITION]} perhaps of a new condition")
        parts.append(f"{verdicts[NORMAL]} normal")
        if verdicts[UNUSABLE]:
            parts.append(f"{verdicts[UNUSABLE]} unusable")
        if verdicts[UNREADABLE]:
            parts.append(f"{verdicts[UNREADABLE]} unreadable")
        promised = {
            "known": "made like those learned from",
            "new": "of a condition drawn like those learned from",
            "both": "made like those learned from, or of a condition drawn like theirs",
        }[promise]
        return (
            f"{counted(verdicts.total(), 'recording')}: {', '.join(parts)}, at a false-alarm rate "
            f"of {percent(rate)} for healthy recordings {promised}."
        )
