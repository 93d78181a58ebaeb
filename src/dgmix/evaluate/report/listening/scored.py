"""Recordings with their scores, most anomalous first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from dgmix.detect.forms import Terms
from dgmix.detect.judgement import ANOMALY, NEW_CONDITION, Judgement
from dgmix.errors import InputError
from dgmix.evaluate.report.listening.unusual import Region, most_unusual
from dgmix.progress import progress, say

if TYPE_CHECKING:
    from dgmix.audio.bank import MelBank
    from dgmix.detect.fitted import FittedDetector
    from dgmix.detect.recordings import Sounds

LEARNED = "learned from"


@dataclass(frozen=True)
class Scored:
    """A recording with its judgement; `index` is its number among those that are reported.

    `seconds` is its length, `region` where it is most unusual.
    """

    index: int
    seconds: float
    judgement: Judgement
    region: Region

    @property
    def name(self) -> str:
        """The name of the recording."""
        return self.judgement.name

    def verdict(self, terms: Terms) -> str:
        """Return the verdict in a word or two."""
        return LEARNED if self.judgement.learned else self.judgement.verdict(*astuple(terms))

    def flagged(self, terms: Terms) -> bool:
        """Return whether it is unusual at the false-alarm rate."""
        return self.verdict(terms) in (ANOMALY, NEW_CONDITION)


@dataclass(frozen=True)
class Unread:
    """A recording that could not be scored, and the sentence that says why."""

    name: str
    reason: str


def score(
    fitted: FittedDetector, recordings: Sounds, condition: str | None = None
) -> tuple[list[Scored], list[Unread]]:
    """Return the recordings by falling score, and those that cannot be read, which are listed.

    `condition` is the operating condition of all of them, where it is known.
    """
    scored: list[Scored] = []
    unread: list[Unread] = []
    first = 0
    with progress("listening", len(recordings)) as advance:
        for part, bank in recordings.banks(fitted.recipe):
            if isinstance(bank, InputError):
                unread.append(Unread(part.names[0], str(bank)))
            else:
                for each in _score(fitted, part, bank, first, condition):
                    (unread if isinstance(each, Unread) else scored).append(each)  # type: ignore
            first += len(part)
            advance(len(part))
    unread += [Unread(line.partition(": ")[0], line) for line in recordings.left_out]
    for each in unread:
        say(f"left out: {each.reason}")
    return sorted(scored, key=lambda each: (-each.judgement.score, each.name)), unread


def _score(
    fitted: FittedDetector, part: Sounds, bank: MelBank, first: int, condition: str | None
) -> Iterator[Scored | Unread]:
    seconds = (bank.frames - 1) * fitted.recipe.features.hop_length / fitted.recipe.audio.rate
    conditions = [condition] * len(part)
    judgements = fitted.judge(bank, part.names, part.sections, conditions)
    for row, place in enumerate(fitted.places(bank, judgements)):
        judgement = judgements[row]
        if judgement.error:
            yield Unread(judgement.name, str(judgement.error))
        else:
            yield Scored(first + row, float(seconds[row]), judgement, most_unusual(place))
