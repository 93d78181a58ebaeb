from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from watch_parts import RATE, START, LevelJudge, TurnedClock, window

from dgmix.watch.hub import Hub
from dgmix.watch.machine import Machine, Surroundings
from dgmix.watch.settings import WatchSettings
from dgmix.watch.store import queries
from dgmix.watch.store.clips import Clips
from dgmix.watch.store.store import Store
from dgmix.watch.store.writer import StoreBusyError

Make = Callable[..., WatchSettings]
CALM, ODD, UNREAD = 0.9, 0.01, -1.0


def make_machine(store: Store, settings: WatchSettings) -> Machine:
    clips = Clips(store, settings.storage)
    around = Surroundings("site", store, clips, Hub(), store.clock, settings.storage, ["mqtt"])
    return Machine(settings.machines[0], LevelJudge(), around)


def feed(machine: Machine, clock: TurnedClock, p_values: Sequence[float]) -> None:
    for p_value in p_values:
        machine.take(window(p_value, clock.now()))
        clock.turn(1.0)
    machine.around.store.flush()


def messages(store: Store) -> list[tuple[str, str]]:
    bodies = [json.loads(each["body"]) for each in store.read(queries.waiting, "mqtt", 100)]
    return [(body["type"], body["kind"]) for body in bodies]


def test_one_message_on_raise_and_one_on_clear(
    store: Store, clock: TurnedClock, make_settings: Make
) -> None:
    machine = make_machine(store, make_settings())
    feed(machine, clock, [CALM] * 4 + [ODD] * 20 + [CALM] * 20)
    assert messages(store) == [("raise", "anomaly"), ("clear", "anomaly")]
    (event,) = store.read(queries.events)
    assert event["raised"] == START + 7
    assert event["cleared"] == START + 29
    assert event["reason"] == "calm again"


def test_a_message_says_what_happened_where_in_a_versioned_form(
    store: Store, clock: TurnedClock, make_settings: Make
) -> None:
    machine = make_machine(store, make_settings({"title": "Feed pump"}))
    feed(machine, clock, [ODD] * 3)
    (row,) = store.read(queries.waiting, "mqtt")
    body = json.loads(row["body"])
    assert body["schema"] == 1
    assert body["id"] == row["id"] == f"{body['event']}.raise"
    assert body["at"] == "2026-09-21T14:13:23.000Z"
    assert body["text"] == "Feed pump sounds unlike its healthy recordings (p = 0.01)."


def test_a_restart_in_an_event_neither_repeats_nor_forgets_it(
    tmp_path: Path, clock: TurnedClock, make_settings: Make
) -> None:
    settings = make_settings()
    for p_values in ([ODD] * 2, [ODD] * 3, [ODD, CALM, CALM], [CALM] * 4):
        with Store(tmp_path / "state", clock) as store:
            feed(make_machine(store, settings), clock, p_values)
    with Store(tmp_path / "state", clock) as store:
        assert messages(store) == [("raise", "anomaly"), ("clear", "anomaly")]


def test_no_sound_is_an_event_after_a_while_and_reconnecting_is_no_sound(
    store: Store, clock: TurnedClock, make_settings: Make
) -> None:
    machine = make_machine(store, make_settings())
    machine.observe("listening", "")
    for _ in range(10):
        for state in ("lost", "connecting"):
            machine.observe(state, "no sample for 10 s")
            clock.turn(5)
    machine.observe("listening", "")
    store.flush()
    assert messages(store) == [("raise", "no sound"), ("clear", "no sound")]


def test_a_source_that_never_gave_sound_is_told_too(
    store: Store, clock: TurnedClock, make_settings: Make
) -> None:
    machine = make_machine(store, make_settings())
    for _ in range(70):
        machine.observe("failed", "no sound card")
        clock.turn(1)
    store.flush()
    assert messages(store) == [("raise", "no sound")]
    assert [each["state"] for each in store.read(queries.source_history, "pump")] == ["failed"]


def test_unusable_recordings_are_an_event_of_their_own(
    store: Store, clock: TurnedClock, make_settings: Make
) -> None:
    machine = make_machine(store, make_settings())
    feed(machine, clock, [UNREAD] * 5 + [CALM] * 5)
    assert messages(store) == [("raise", "unusable"), ("clear", "unusable")]
    assert store.read(queries.coverage_seconds, "pump", START - 60, START + 60) == 5.0


def test_an_event_ends_when_nothing_can_be_judged_any_more(
    store: Store, clock: TurnedClock, make_settings: Make
) -> None:
    machine = make_machine(store, make_settings())
    feed(machine, clock, [ODD] * 3)
    machine.observe("listening", "")
    clock.turn(3700)
    machine.observe("listening", "")
    machine.observe("listening", "")
    store.flush()
    assert messages(store) == [("raise", "anomaly"), ("clear", "anomaly")]


def test_a_clock_that_jumps_back_repeats_nothing(
    store: Store, clock: TurnedClock, make_settings: Make
) -> None:
    machine = make_machine(store, make_settings())
    feed(machine, clock, [CALM] * 3 + [ODD] * 4)
    clock.wall -= 7200
    feed(machine, clock, [ODD] * 4 + [CALM] * 6)
    assert messages(store) == [("raise", "anomaly"), ("clear", "anomaly")]
    assert len(store.read(queries.last_windows, "pump", 100)) == 17
    assert store.read(queries.coverage_seconds, "pump", START - 8000, START + 60) == 17.0


def test_clips_of_an_event_hold_what_was_before_it(
    store: Store, clock: TurnedClock, make_settings: Make
) -> None:
    machine = make_machine(store, make_settings())
    feed(machine, clock, [CALM] * 30 + [ODD] * 3)
    (event,) = store.read(queries.events)
    clip = store.read(queries.clip, event["clip"])
    assert clip is not None
    assert clip["start"] == pytest.approx(START + 20)
    assert clip["seconds"] == pytest.approx(13)
    ordinary = store.read(queries.healthy_clips, "pump")
    assert len(ordinary) == 6


def test_where_nothing_can_be_kept_nothing_has_happened(
    store: Store, clock: TurnedClock, make_settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = make_machine(store, make_settings())
    feed(machine, clock, [ODD] * 2)
    with monkeypatch.context() as patch:

        def busy(_: object) -> None:
            raise StoreBusyError("the disk is full")

        patch.setattr(store, "write", busy)
        with pytest.raises(StoreBusyError):
            machine.take(window(ODD, clock.now()))
    store.flush()
    assert messages(store) == []
    feed(machine, clock, [ODD])
    assert messages(store) == [("raise", "anomaly")]


def test_what_goes_on_is_published(store: Store, clock: TurnedClock, make_settings: Make) -> None:
    machine = make_machine(store, make_settings())
    updates: list[dict[str, object]] = []
    stop = machine.around.hub.listen(updates.append)
    feed(machine, clock, [CALM])
    stop()
    feed(machine, clock, [CALM])
    (update,) = updates
    assert update["p_value"] == pytest.approx(CALM)
    assert len(update["columns"][0]) == 48  # type: ignore[index, arg-type]
    assert machine.around.hub.columns("pump")


def test_skipped_windows_are_counted(store: Store, clock: TurnedClock, make_settings: Make) -> None:
    machine = make_machine(store, make_settings())
    machine.skip(window(CALM))
    store.flush()
    (span,) = store.read(queries.spans, "pump", 3600, START - 3600, START + 3600)
    assert (span["skipped"], span["covered"], RATE) == (1, 0.0, 8000)
