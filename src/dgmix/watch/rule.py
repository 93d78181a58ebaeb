"""When there is something to tell: pure functions from judged windows to raises and clears.

A window is an anomaly by its p-value at the false-alarm rate. One alone says little: a promise of
5 % is broken every twentieth window. So an event is raised when k of the last m windows are
anomalies, and cleared, with hysteresis, when a number of windows in a row are calm: normal, with a
p-value above a multiple of the rate. What lies between keeps the event as it is.

Windows that no healthy condition explains, but that may be of a new condition, count
for `new condition`; windows that cannot be judged count for neither, and for `unusable`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["normal", "new condition?", "ANOMALY", "unreadable"]
Kind: TypeAlias = Literal["anomaly", "new condition", "wear", "unusable", "no sound"]
Action: TypeAlias = Literal["raise", "clear"]
MOST_CALM = 0.5
ANOMALY_MARK, NEW_MARK, OTHER_MARK = "a", "n", "."


@dataclass(frozen=True, slots=True)
class Change:
    """Something to tell: an event of a kind begins or ends; `reason` is why it ends."""

    action: Action
    kind: Kind
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Raise at `windows` of the last `among`; clear after `clear_after` windows in a row whose
    p-value is above `calm_above`."""

    windows: int
    among: int
    clear_after: int
    calm_above: float

    @classmethod
    def of(
        cls, windows: int, among: int, clear_after: int, rate: float, clear_factor: float
    ) -> Rule:
        """Return the rule at a false-alarm rate of single windows."""
        calm = max(rate, min(MOST_CALM, rate * clear_factor))
        return cls(windows, among, clear_after, calm)


@dataclass(frozen=True, slots=True)
class RuleState:
    """What the rule remembers of a machine.

    `recent`: a mark for each of the last windows, while nothing is raised; `active`: the kind that
    is raised, or nothing; `calm`: how many calm windows came last; `run`: how many unreadable
    windows came last, or, negative, others; `unusable`: whether that is raised.
    """

    recent: str = ""
    active: Literal["", "anomaly", "new condition"] = ""
    calm: int = 0
    run: int = 0
    unusable: bool = False


def step(
    rule: Rule, state: RuleState, verdict: Verdict, p_value: float
) -> tuple[RuleState, tuple[Change, ...]]:
    """Return the state after one more window, and what there is to tell.

    `p_value` is not looked at for unreadable windows.
    """
    state, changes = _readability(rule, state, verdict == "unreadable")
    if verdict == "unreadable":
        return state, changes
    if state.active:
        state, more = _while_active(rule, state, verdict, p_value)
    else:
        state, more = state, ()
    if state.active == "anomaly" or any(change.action == "clear" for change in more):
        return state, (*changes, *more)
    state, raised = _raises(rule, state, verdict)
    return state, (*changes, *more, *raised)


def expire(state: RuleState) -> tuple[RuleState, tuple[Change, ...]]:
    """Return the state, and what ends, when no window could be judged for too long."""
    if not state.active:
        return state, ()
    change = Change("clear", state.active, "nothing could be judged for too long")
    return replace(state, active="", calm=0, recent=""), (change,)


def _readability(
    rule: Rule, state: RuleState, unreadable: bool
) -> tuple[RuleState, tuple[Change, ...]]:
    most = rule.windows
    run = max(state.run, 0) + 1 if unreadable else min(state.run, 0) - 1
    run = max(min(run, most), -most)
    if not state.unusable and run >= most:
        return replace(state, run=run, unusable=True), (Change("raise", "unusable"),)
    if state.unusable and run <= -most:
        return replace(state, run=run, unusable=False), (
            Change("clear", "unusable", "judged again"),
        )
    return replace(state, run=run), ()


def _while_active(
    rule: Rule, state: RuleState, verdict: Verdict, p_value: float
) -> tuple[RuleState, tuple[Change, ...]]:
    calm = state.calm + 1 if verdict == "normal" and p_value > rule.calm_above else 0
    if calm < rule.clear_after:
        return replace(state, calm=calm), ()
    change = Change("clear", state.active or "anomaly", "calm again")
    return replace(state, active="", calm=0, recent=""), (change,)


def _raises(rule: Rule, state: RuleState, verdict: Verdict) -> tuple[RuleState, tuple[Change, ...]]:
    marks = {"ANOMALY": ANOMALY_MARK, "new condition?": NEW_MARK}
    recent = (state.recent + marks.get(verdict, OTHER_MARK))[-rule.among :]
    anomalies = recent.count(ANOMALY_MARK)
    if verdict == "ANOMALY" and anomalies >= rule.windows:
        ended = (Change("clear", "new condition", "an anomaly"),) if state.active else ()
        return (
            replace(state, active="anomaly", calm=0, recent=""),
            (*ended, Change("raise", "anomaly")),
        )
    unlike = anomalies + recent.count(NEW_MARK)
    if not state.active and verdict != "normal" and unlike >= rule.windows:
        return (
            replace(state, active="new condition", calm=0, recent=recent),
            (Change("raise", "new condition"),),
        )
    return replace(state, recent=recent), ()
