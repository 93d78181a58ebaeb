"""Which windows of a machine are kept as clips: around events, and ordinary ones by chance."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable

import numpy as np

from dgmix.watch.rule import Change
from dgmix.watch.settings import StorageSettings
from dgmix.watch.sound import Block
from dgmix.watch.store.clips import Clips, NewClip
from dgmix.watch.store.rows import EventRow
from dgmix.watch.windows import TOLERANCE

DAY = 86_400.0
FEW, FEW_EVERY = 6, 3
MOST_SECONDS = 60.0
HEARD_KINDS = ("anomaly", "new condition", "wear")


class Keeper:
    """Remembers the last sound of a machine, and writes clips.

    `windows` are how many windows an event takes. The first ordinary windows are kept more often
    than later ones, so that there is soon something to compare with.
    """

    def __init__(
        self, machine: str, clips: Clips, settings: StorageSettings, windows: int, kept: int
    ) -> None:
        self._machine, self._clips, self._settings = machine, clips, settings
        self._windows, self._kept = windows, kept
        self._blocks: deque[Block] = deque()
        self._random = random.Random(machine)
        self._ordinary = 0

    def event(self, notices: Iterable[tuple[Change, EventRow]]) -> None:
        """Write the clip of each event that begins: its windows and what was before them."""
        for change, row in notices:
            if change.action == "raise" and row.kind in HEARD_KINDS and self._blocks:
                block = joined(list(self._blocks))
                self._clips.write(
                    NewClip(self._machine, "event", block, row.p_value, row.condition, row.id)
                )

    def ordinary(self, block: Block, p_value: float, condition: str | None, every: float) -> None:
        """Write a calm window as a clip, by chance."""
        self._ordinary += 1
        early = self._kept < FEW and self._ordinary % FEW_EVERY == 1
        chance = self._settings.healthy_per_day * every / DAY
        if (early and chance > 0) or self._random.random() < chance:
            self._kept += 1
            self._clips.write(NewClip(self._machine, "healthy", block, p_value, condition))

    def remember(self, block: Block) -> None:
        """Take one more window, and forget what is too long ago for a clip."""
        self._blocks.append(block)
        longest = min(MOST_SECONDS, self._settings.before + self._windows * block.seconds)
        while len(self._blocks) > 1 and (
            block.end - self._blocks[0].start > longest + TOLERANCE
            or self._blocks[0].sample_rate != block.sample_rate
            or self._blocks[0].start > block.start
        ):
            self._blocks.popleft()


def joined(blocks: list[Block]) -> Block:
    """Return blocks of one rate as one; where they overlap the later one's sound is taken once."""
    first = blocks[0]
    parts, end = [first.samples], first.end
    for block in blocks[1:]:
        overlap = max(0, round((end - block.start) * block.sample_rate))
        parts.append(block.samples[overlap:])
        end = max(end, block.end)
    return Block(np.concatenate(parts), first.sample_rate, first.start)
