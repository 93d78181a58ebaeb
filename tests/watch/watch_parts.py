"""A clock that tests turn, and a judge that needs no detector."""

from __future__ import annotations

import threading

import numpy as np

from dgmix.watch.judge import WindowJudgement, unreadable
from dgmix.watch.rule import Verdict
from dgmix.watch.sound import Block, Samples
from dgmix.watch.windows import Window

START = 1_790_000_000.0
RATE = 8000


class TurnedClock:
    """Time stands still until somebody waits, or turns it."""

    def __init__(self) -> None:
        self.wall, self.steady = START, 1000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.turn(seconds)
        return stop.is_set()

    def turn(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class LevelJudge:
    """Judges a window by its level: its p-value is the first sample, unless it is negative."""

    rate, seconds, name = 0.05, 1.0, "level.dgmix"

    def judge(self, signal: Samples, sample_rate: int, condition: str | None) -> WindowJudgement:
        p_value = float(signal[0])
        if p_value < 0:
            return unreadable("digital silence")
        verdict: Verdict = "ANOMALY" if p_value <= self.rate else "normal"
        return WindowJudgement(1 / max(p_value, 1e-3), p_value, None, verdict, "level")

    def recordings(self, _condition: str | None) -> int:
        return 99


def window(p_value: float, start: float = START, seconds: float = 1.0) -> Window:
    """Return a window that `LevelJudge` gives a p-value."""
    samples = np.full(round(seconds * RATE), p_value, np.float32)
    return Window(Block(samples, RATE, start), seconds)
