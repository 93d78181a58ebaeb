"""Recordings with their scores, most anomalous first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dgmix.errors import InputError
from dgmix.evaluate.report.listening.unusual import Region, most_unusual
from dgmix.progress import progress

if TYPE_CHECKING:
    from dgmix.audio.bank import MelBank
    from dgmix.detect.detector import Detector
    from dgmix.detect.recordings import Sounds


@dataclass(frozen=True)
class Scored:
    """A recording that was scored; `index` is its number among those asked about.

    `known` says that the detector learned from this very recording, so that its score tells
    nothing. `view` is the view in which it is least like the healthy ones.
    """

    index: int
    name: str
    section: str
    seconds: float
    score: float
    p_value: float
    known: bool
    view: str
    region: Region

    def anomalous(self, rate: float) -> bool:
        """Return the verdict at a false-alarm rate."""
        return self.p_value <= rate


@dataclass(frozen=True)
class Unread:
    """A recording that could not be scored, and the sentence that says why."""

    name: str
    reason: str


def score(
    detector: Detector, found: Sounds, domain: str | None = None
) -> tuple[list[Scored], list[Unread]]:
    """Return the recordings by p-value, then by falling score, and those that cannot be read.

    `domain` is the operating condition of all of them, where it is known.
    """
    scored: list[Scored] = []
    unread: list[Unread] = []
    first = 0
    with progress("listening", len(found)) as advance:
        for part, bank in found.banks(detector.recipe_):
            if isinstance(bank, InputError):
                unread.append(Unread(part.names[0], str(bank)))
            else:
                scored += _score(detector, part, bank, first, domain)
            first += len(part)
            advance(len(part))
    return sorted(scored, key=lambda each: (each.p_value, -each.score, each.name)), unread


def _score(
    detector: Detector, part: Sounds, bank: MelBank, first: int, domain: str | None
) -> Iterator[Scored]:
    hop = detector.recipe_.features.hop_length / detector.recipe_.audio.sample_rate
    for row, said in enumerate(detector.heard(bank, part, domain)):
        yield Scored(
            first + row,
            said.name,
            part.sections[row],
            float((bank.frames[row] - 1) * hop),
            said.score,
            said.p_value,
            said.known,
            said.view,
            most_unusual(detector.localize_bank(bank, row)),
        )
