"""What the channels of a set of recordings are like, which of them are compared, and what differs.

A channel may be silent, a copy or an inverted copy of another, clipped, mains hum, or much louder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from dgmix.audio.channels import Channels

SILENT, HUM, CLIPPED = "silent", "mains hum", "clipped"
LOUD = "much louder than the others"
BROKEN = (SILENT, HUM, CLIPPED)  # what a channel is left out for
FAULTS = (*BROKEN, LOUD)
MEASURES = ("levels", "hum", "clipped")
COLUMNS: dict[str, Callable[[Any], Any]] = {
    "faults": dict,
    "copies": int,
    "near_copies": int,
    "levels": float,
    "hum": float,
    "clipped": float,
}

MOST_CHOSEN = 8
CLIPPED_PART = 1e-3
LOUDER = 20.0  # dB above the others
SAME = 1 - 0.5e-6  # correlation; what differs is 60 dB below
ALIKE = 0.9995  # correlation; what differs is 30 dB below
CANCELLING = 10.0  # dB that the mean of channels is quieter than the loudest of them
HUM_PART, HUM_PART_ELSEWHERE = 0.8, 0.4
MORE_HUM, MORE_CLIPPED = 0.3, 10.0  # than in the recordings learned from: added, times


@dataclass(frozen=True)
class Layout:
    """What the channels of a set of recordings are like.

    `recordings`: how many have how many channels; `measured`: of how many recordings with the most
    channels the following is. One value a channel, none where that is one: `faults`, in how many
    recordings what is wrong with it; `copies`, of which earlier channel it is a copy, negative of
    an inverted one, 0 of none; `near_copies`, the same of one that differs by little; `levels`, its
    median level in dB of full scale; `hum`, the largest part of mains hum; `clipped`, that of
    samples at full scale.
    """

    recordings: dict[int, int]
    measured: int = 0
    faults: tuple[dict[str, int], ...] = ()
    copies: tuple[int, ...] = ()
    near_copies: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    hum: tuple[float, ...] = ()
    clipped: tuple[float, ...] = ()

    def values(self) -> dict[str, Any]:
        """Return it as plain values that JSON has; `read` takes them."""
        columns = {name: list(getattr(self, name)) for name in COLUMNS}
        counts = {str(channels): count for channels, count in self.recordings.items()}
        return {"recordings": counts, "measured": self.measured, **columns}

    @classmethod
    def read(cls, values: dict[str, Any]) -> Layout:
        """Return the layout of plain values; raises `ValueError` or `TypeError` for others."""
        recordings = {int(k): int(v) for k, v in values["recordings"].items()}
        columns = {name: tuple(map(kind, values[name])) for name, kind in COLUMNS.items()}
        layout = cls(recordings, int(values["measured"]), **columns)
        sizes = {len(each) for each in columns.values()}
        faults = {fault for of in layout.faults for fault in of}
        if len(values) != len(COLUMNS) + 2 or sizes not in ({0}, {layout.count}):
            raise ValueError("the columns of its channels differ in length")
        if faults - set(FAULTS) or max(map(abs, layout.near_copies), default=0) > layout.count:
            raise ValueError("a fault of a channel is unknown")
        return layout

    @property
    def count(self) -> int:
        """The largest number of channels of a recording."""
        return max(self.recordings)

    @property
    def fewest(self) -> int:
        """The smallest number of channels of a recording."""
        return min(self.recordings)

    @classmethod
    def of(cls, counts: Iterable[int], measured: Sequence[Channels]) -> Layout:
        """Return the layout of recordings with so many channels, some of which were measured."""
        recordings = dict(sorted(Counter(counts).items()))
        largest = max(recordings)
        alike = [each for each in measured if len(each) == largest]
        if largest == 1 or not alike:
            return cls(recordings)
        faults = zip(*map(faults_of, alike), strict=True)
        columns = [np.array([getattr(each, name) for each in alike]) for name in MEASURES]
        levels, hum, clipped = columns
        return cls(
            recordings,
            len(alike),
            tuple(dict(sorted(Counter(filter(None, of)).items())) for of in faults),
            _copies(alike, SAME),
            _copies(alike, ALIKE),
            *(tuple(row.tolist()) for row in (np.median(levels, 0), hum.max(0), clipped.max(0))),
        )

    def usually(self, channel: int, fault: str) -> bool:
        """Say whether a channel, from 1, has a fault in most of the recordings."""
        return 2 * self.faults[channel - 1].get(fault, 0) > self.measured

    def sound(self, channel: int) -> bool:
        """Say whether a channel, from 1, is never silent, and mostly not broken otherwise.

        One that is much louder is named, and compared: it may be the one near the machine.
        """
        wrong = any(self.usually(channel, fault) for fault in BROKEN)
        return not wrong and SILENT not in self.faults[channel - 1]


def faults_of(channels: Channels) -> tuple[str, ...]:
    """Return what is wrong with each channel (channel,) of a recording, "" where nothing is."""
    faults = []
    for k, silent in enumerate(channels.silent):
        others = [j for j, gone in enumerate(channels.silent) if j != k and not gone]
        faults.append(SILENT if silent else _fault(channels, k, others) if others else "")
    return tuple(faults)


def _fault(channels: Channels, k: int, others: list[int]) -> str:
    """Return what is wrong with channel k (from 0) beside the other ones, or nothing."""
    levels, hum, clipped = (
        (getattr(channels, name)[k], median(getattr(channels, name)[j] for j in others))
        for name in MEASURES
    )
    if hum[0] >= HUM_PART and hum[1] <= HUM_PART_ELSEWHERE:
        return HUM
    if clipped[0] >= CLIPPED_PART > clipped[1]:
        return CLIPPED
    return LOUD if len(others) > 1 and levels[0] > levels[1] + LOUDER else ""


def _copies(measured: Sequence[Channels], least: float) -> tuple[int, ...]:
    """Return of which earlier channel (from 1) each is a copy, negative where it is inverted.

    `least` is the least correlation of copies.
    """
    related = np.array([each.correlations for each in measured])
    alike = np.asarray((related > least).all(0))
    inverted = np.asarray((related < -least).all(0))
    copies: list[int] = []
    for channel in range(related.shape[1]):
        earlier = [k for k in range(channel) if not copies[k]]
        same = [k + 1 for k in earlier if alike[channel, k]]
        turned = [-(k + 1) for k in earlier if inverted[channel, k]]
        copies.append((same + turned + [0])[0])
    return tuple(copies)


def chosen(layout: Layout, reference: int = 0) -> list[int]:
    """Return the channels that are compared, each by itself, where none are named.

    Those that all recordings have, without what is wrong or silent in any recording and without
    copies; at most eight, spread evenly. The reference is not among them.
    """
    there = [k for k in range(1, layout.fewest + 1) if k != reference] or [1]
    if not layout.faults:
        return there[:1]
    alive = [k for k in there if not layout.usually(k, SILENT)] or there[:1]
    sound = [k for k in alive if layout.sound(k)] or alive
    originals: dict[int, int] = {}
    for channel in sound:
        originals.setdefault(abs(layout.copies[channel - 1]) or channel, channel)
    different = sorted(originals.values())
    places = np.linspace(0, len(different) - 1, min(len(different), MOST_CHOSEN)).round()
    return [different[int(place)] for place in places]


def every(layout: Layout, reference: int = 0) -> list[int]:
    """Return all channels that all recordings have, without the reference."""
    return [k for k in range(1, layout.fewest + 1) if k != reference] or [1]


def facts(layout: Layout) -> Iterator[str]:
    """Yield a sentence on each thing about the channels that is not as it should be."""
    for channel, faults in enumerate(layout.faults, 1):
        for fault, count in faults.items():
            often = "" if count == layout.measured else f" in {count} of {layout.measured}"
            yield f"channel {channel}: {fault}{often}"
    for original in sorted({abs(copy) for copy in layout.near_copies if copy}):
        for sign, inverted in ((1, ""), (-1, " inverted")):
            near = [k for k, c in enumerate(layout.near_copies, 1) if c == sign * original]
            same = [k for k in near if layout.copies[k - 1] == sign * original]
            for channels, nearly in ((same, ""), ([k for k in near if k not in same], "nearly ")):
                if channels:
                    yield f"{_channels(channels)}: {nearly}the same as channel {original}{inverted}"


def choice(layout: Layout, channels: Sequence[int], reference: int = 0) -> str:
    """Return, in a sentence, which channels are compared and why."""
    counts = [f"{n} with {_counted(k)}" for k, n in layout.recordings.items()]
    mixed = [f"recordings {', '.join(counts)}"] if len(counts) > 1 else []
    reasons = "; ".join([*mixed, *facts(layout)])
    each = ", each by itself" if len(channels) > 1 else ""
    what = f"{_listed(channels)} compared{each}"
    if reference:
        what += f", also without what channel {reference} picks up too"
    return f"channels: {what}{f' ({reasons})' if reasons else ''}; --channels chooses others"


def silent_now(layout: Layout, channels: Channels | None) -> frozenset[int]:
    """Return which channels of a recording are silent that never were in those learned from.

    Where all are, it is the recording that is silent, and no channel.
    """
    if channels is None or len(channels) != len(layout.faults) or all(channels.silent):
        return frozenset()
    pairs = enumerate(zip(channels.silent, layout.faults, strict=True), 1)
    return frozenset(channel for channel, (now, faults) in pairs if now and SILENT not in faults)


def differences(layout: Layout, channels: Channels | None, averaged: bool = False) -> list[str]:
    """Return, a sentence each, how a recording's channels differ from those learned from.

    `averaged` says that the mean of the channels is compared.
    """
    if channels is None:
        return []
    sentences = []
    if averaged and channels.mean_level < max(channels.levels) - CANCELLING:
        by = max(channels.levels) - channels.mean_level
        sentences.append(
            f"its channels cancel each other: their mean, which is compared, is {by:.0f} dB below "
            "the loudest of them"
        )
    if len(channels) not in layout.recordings:
        usual = " or ".join(map(str, layout.recordings))
        there = f"it has {_counted(len(channels))}"
        return [*sentences, f"{there}, the recordings learned from have {usual}"]
    if len(channels) != len(layout.faults):
        return sentences
    return sentences + list(_changed(layout, channels))


def _changed(layout: Layout, now: Channels) -> Iterator[str]:
    silent = silent_now(layout, now)
    if silent:
        yield (
            f"{_channels(sorted(silent))} silent, unlike those learned from: look at its cable or "
            "microphone"
        )
    for channel in range(1, len(now) + 1):
        k = channel - 1
        if layout.usually(channel, SILENT) and not now.silent[k]:
            yield f"channel {channel} carries sound, and is silent in the recordings learned from"
        if now.hum[k] >= HUM_PART and now.hum[k] > layout.hum[k] + MORE_HUM:
            yield (
                f"channel {channel}: {_percent(now.hum[k])} mains hum, at most "
                f"{_percent(layout.hum[k])} in the recordings learned from: a cable or an earth "
                "loop, or a fault at that frequency"
            )
        if now.clipped[k] >= max(CLIPPED_PART, MORE_CLIPPED * layout.clipped[k]):
            yield f"channel {channel} is clipped, {_percent(now.clipped[k])} of its samples"


def _percent(part: float) -> str:
    return f"{float(f'{100 * part:.2g}'):g} %"


def _counted(channels: int) -> str:
    return "1 channel" if channels == 1 else f"{channels} channels"


def _channels(numbers: Sequence[int]) -> str:
    """Return numbers of channels in words: "channels 1 and 3 to 5"."""
    return f"channel{'s' if len(numbers) > 1 else ''} {_listed(numbers)}"


def _listed(numbers: Sequence[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts: list[str] = []
    for run in runs:
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return ", ".join(parts[:-1]) + f" and {parts[-1]}" if len(parts) > 1 else parts[0]
