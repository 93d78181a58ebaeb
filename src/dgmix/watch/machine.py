"""One machine: judged windows become rows, events, messages and clips."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from dgmix.watch import rule as rules
from dgmix.watch import wear
from dgmix.watch.clock import Clock
from dgmix.watch.conditions import Condition
from dgmix.watch.hub import Hub
from dgmix.watch.judge import Judge, WindowJudgement, unreadable
from dgmix.watch.keeping import Keeper
from dgmix.watch.messages import message, sentence
from dgmix.watch.rule import Change, Rule, RuleState
from dgmix.watch.settings import MachineSettings, StorageSettings
from dgmix.watch.spectrum import columns
from dgmix.watch.store import queries, rows
from dgmix.watch.store.clips import Clips
from dgmix.watch.store.rows import EventRow, WindowRow
from dgmix.watch.store.store import Store
from dgmix.watch.wear import WearState
from dgmix.watch.windows import Window

SOUNDING = "listening"
Told = Sequence[tuple[Change, EventRow]]
log = logging.getLogger("dgmix.watch.machine")


@dataclass(frozen=True)
class Surroundings:
    """What all machines share: names of sinks that get messages, and the rest of the watch."""

    site: str
    store: Store
    clips: Clips
    hub: Hub
    clock: Clock
    storage: StorageSettings
    sinks: Sequence[str] = ()


@dataclass(frozen=True)
class Memory:
    """What survives a restart: the states of the rules, and the event of each kind that lasts."""

    rule: RuleState
    wear: WearState
    events: dict[str, EventRow]

    @classmethod
    def of(cls, value: dict[str, Any] | None) -> Memory:
        """Return it from the JSON of `text`, or a new one."""
        if value is None:
            return cls(RuleState(), WearState(), {})
        events = {kind: EventRow(**row) for kind, row in value["events"].items()}
        return cls(RuleState(**value["rule"]), WearState(**value["wear"]), events)

    def text(self) -> str:
        """Return it as JSON."""
        events = {kind: asdict(row) for kind, row in self.events.items()}
        return json.dumps({"rule": asdict(self.rule), "wear": asdict(self.wear), "events": events})


class Machine:
    """Takes the windows and the states of the source of one machine.

    `take` and `observe` may be called from two threads: each event begins and ends once.
    """

    def __init__(self, settings: MachineSettings, judge: Judge, around: Surroundings) -> None:
        self.settings, self.judge, self.around = settings, judge, around
        self.condition = Condition(settings.condition)
        self.skipped = 0
        own = settings.rule
        self.rule = Rule.of(own.windows, own.among, own.clear_after, judge.rate, own.clear_factor)
        store, name = around.store, settings.name
        self._memory = Memory.of(store.read(queries.state, name))
        kept = len(store.read(queries.healthy_clips, name))
        self._keeper = Keeper(name, around.clips, around.storage, own.among, kept)
        self._lock = threading.Lock()
        self._source = ("", "")
        self._quiet_since: float | None = around.clock.monotonic()
        self._judged_at = around.clock.monotonic()
        self._publish_state()

    def take(self, window: Window) -> WindowJudgement:
        """Judge a window and keep what it says, in one transaction with the events it brings.

        Raises `StoreBusyError` where it cannot be kept: nothing has happened then.
        """
        block = window.block
        condition = self.condition.at(block.start)
        found = (
            unreadable(window.error)
            if window.error
            else self.judge.judge(block.samples, block.sample_rate, condition)
        )
        with self._lock:
            memory, changes = self._after(found, block.end)
            memory, told = self._events(memory, changes, block.end, found, condition)
            self._keep(window, self._row(window, found, condition), memory, told)
            self._memory = memory
            self._judged_at = self.around.clock.monotonic()
        if len(block.samples):
            self._keeper.remember(block)
        self._log(told)
        self._keeper.event(told)
        p_value = found.p_value or 0.0
        if found.verdict == "normal" and p_value > self.rule.calm_above and not memory.events:
            self._keeper.ordinary(block, p_value, condition, window.every)
        self._publish(window, found, condition)
        return found

    def observe(self, state: str, detail: str) -> None:
        """Take what the source does now, and tell what only time brings.

        That is: no sound for too long; sound again; an event that nothing can end any more.
        """
        now, steady = self.around.clock.now(), self.around.clock.monotonic()
        if (state, detail) != self._source:
            self._note_source(state, detail, now)
        if state == SOUNDING:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = steady
        with self._lock:
            told = [*self._sound_changes(steady), *self._stale_changes(steady)]
            if told:
                self._tell(told, now)
        if told:
            self._publish_state()

    def idle(self, steady: float) -> float:
        """Return the seconds since a window was judged, or since the start; by monotonic time."""
        return steady - self._judged_at

    def skip(self, window: Window) -> None:
        """Count a window that could not be judged in time."""
        self.skipped += 1
        name, at = self.settings.name, window.block.start
        self.around.store.write(lambda to: rows.count_skipped(to, name, at, 1))
        self.around.hub.publish(name, {"skipped": self.skipped})

    def _sound_changes(self, steady: float) -> list[Change]:
        raised = "no sound" in self._memory.events
        quiet = self._quiet_since is not None
        long = quiet and steady - (self._quiet_since or 0) >= self.settings.source.tell_after
        if raised and not quiet:
            return [Change("clear", "no sound")]
        return [Change("raise", "no sound")] if long and not raised else []

    def _stale_changes(self, steady: float) -> list[Change]:
        if steady - self._judged_at <= 60 * self.settings.rule.stale_minutes:
            return []
        state, changes = rules.expire(self._memory.rule)
        self._memory = replace(self._memory, rule=state)
        return list(changes)

    def _after(self, found: WindowJudgement, at: float) -> tuple[Memory, list[Change]]:
        p_value = found.p_value
        state, changes = rules.step(self.rule, self._memory.rule, found.verdict, p_value or 0.0)
        memory = replace(self._memory, rule=state)
        if p_value is None:
            return memory, list(changes)
        own = self.settings.rule
        worn, more = wear.step(memory.wear, p_value, at, own.wear_drift, own.wear_limit)
        return replace(memory, wear=worn), [*changes, *more]

    def _events(
        self,
        memory: Memory,
        changes: Sequence[Change],
        at: float,
        found: WindowJudgement | None = None,
        condition: str | None = None,
    ) -> tuple[Memory, Told]:
        """Return the memory with the events that begin and without those that end, and both."""
        events, told = dict(memory.events), []
        for change in changes:
            if change.action == "raise":
                events[change.kind] = row = self._event(change, at, found, condition)
                told.append((change, row))
            elif change.kind in events:
                told.append((change, events.pop(change.kind)))
        return replace(memory, events=events), told

    def _event(
        self, change: Change, at: float, found: WindowJudgement | None, condition: str | None
    ) -> EventRow:
        row = EventRow(uuid.uuid4().hex, self.settings.name, change.kind, at, condition)
        if found is None:
            return row
        return replace(row, score=found.score, p_value=found.p_value, view=found.view)

    def _tell(self, changes: Sequence[Change], now: float) -> None:
        """Keep and send events that no window brought."""
        memory, told = self._events(self._memory, changes, now)
        self.around.store.write(lambda to: self._write(to, memory, told, now))
        self._memory = memory
        self._log(told)

    def _log(self, told: Told) -> None:
        for change, row in told:
            log.info("%s", sentence(self.settings, change, row))

    def _keep(self, window: Window, row: WindowRow, memory: Memory, told: Told) -> None:
        now, file, error = self.around.clock.now(), window.file, window.error or None

        def operation(to: sqlite3.Connection) -> None:
            rows.insert_window(to, row, window.every)
            self._write(to, memory, told, window.block.end)
            if file is not None and window.last:
                about = (file.name, file.size, file.modified)
                rows.note_file(to, self.settings.name, *about, now, error)

        self.around.store.write(operation)

    def _write(self, to: sqlite3.Connection, memory: Memory, told: Told, at: float) -> None:
        for change, row in told:
            if change.action == "raise":
                rows.insert_event(to, row)
            else:
                rows.clear_event(to, row.id, at, change.reason)
            said = message(self.around.site, self.settings, change, row, at)
            rows.insert_message(to, said, self.around.sinks)
        rows.save_state(to, self.settings.name, memory.text())

    def _row(self, window: Window, found: WindowJudgement, condition: str | None) -> WindowRow:
        return WindowRow(
            self.settings.name,
            window.block.start,
            window.block.seconds,
            found.score,
            found.p_value,
            found.p_new,
            found.verdict,
            found.view or found.reason,
            condition,
            self.judge.name,
            window.file.key if window.file else "",
        )

    def _note_source(self, state: str, detail: str, now: float) -> None:
        changed, self._source = state != self._source[0], (state, detail)
        name = self.settings.name
        values = {"source": state, "source_detail": detail}
        if changed:
            values["source_since"] = now  # type: ignore[assignment]
            self.around.store.write(lambda to: rows.note_source(to, name, now, state, detail))
            log.info("%s: %s%s", name, state, f": {detail}" if detail else "")
        self.around.hub.publish(name, values)

    def _publish(self, window: Window, found: WindowJudgement, condition: str | None) -> None:
        values = {
            "score": found.score,
            "p_value": found.p_value,
            "verdict": found.verdict,
            "view": found.view,
            "reason": found.reason,
            "condition": condition,
            "judged": window.block.end,
            "judged_monotonic": self.around.clock.monotonic(),
            "rate": self.judge.rate,
            "wear": self._memory.wear.total,
            "events": list(self._memory.events),
        }
        self.around.hub.publish(self.settings.name, values, columns(window.block))

    def _publish_state(self) -> None:
        values = {"events": list(self._memory.events), "rate": self.judge.rate}
        self.around.hub.publish(self.settings.name, values)
