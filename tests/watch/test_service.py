from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from watch_parts import RATE, START, LevelJudge, TurnedClock, window

from dgmix.audio.io import write_wav
from dgmix.errors import DgmixError, InputError
from dgmix.watch.clock import SystemClock
from dgmix.watch.judge import WindowJudgement
from dgmix.watch.listening import Judging, Listener
from dgmix.watch.running import Signals, _look_after
from dgmix.watch.service import Watch
from dgmix.watch.settings import WatchSettings
from dgmix.watch.sound import Block, Samples
from dgmix.watch.sources.base import State, Status, Step
from dgmix.watch.store import queries
from dgmix.watch.systemd import notify, unit_text

Make = Callable[..., WatchSettings]


def make_watch(settings: WatchSettings, clock: Any, judge: Any = None) -> Watch:
    for machine in settings.machines:
        machine.detector.write_bytes(b"detector")
    return Watch(settings, clock, lambda _path, _rate: judge or LevelJudge(), lambda *_: None)


def test_files_of_a_folder_are_judged_once_over_restarts(
    make_settings: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    settings = make_settings(
        {"source": {"type": "folder", "path": str(folder), "stable": 0.01, "every": 0.01}},
        page={"enabled": False},
    )

    def record(*names: str) -> None:
        for number, name in enumerate(names):
            write_wav(folder / name, np.full(3 * RATE, 0.9, np.float32), RATE)
            os.utime(folder / name, (START + number, START + number))

    def run_until(windows: int) -> None:
        watch = make_watch(settings, SystemClock())
        watch.start()
        count = 0
        while count < windows:
            count = len(watch.store.read(queries.last_windows, "pump", 1000))
            threading.Event().wait(0.01)
        watch.stop()

    record("a.wav", "b.wav")
    run_until(6)
    record("c.wav")
    run_until(9)
    run_until(9)


class Endless:
    """A live source that brings sound faster than it can be judged."""

    live = True
    status = Status(State.LISTENING, START)

    def __init__(self) -> None:
        self.at = START

    def step(self) -> Step:
        block = Block(np.full(10 * RATE, 0.9, np.float32), RATE, self.at, self.at == START)
        self.at += block.seconds
        return Step([block])

    def close(self) -> None: ...


class Slow(LevelJudge):
    """A judge that waits for a signal before it judges."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)

    def judge(self, signal: Samples, sample_rate: int, condition: str | None) -> WindowJudgement:
        self.go.acquire()
        return super().judge(signal, sample_rate, condition)


def test_what_cannot_be_judged_in_time_is_skipped_and_counted_not_queued(
    make_settings: Make, clock: TurnedClock
) -> None:
    judge = Slow()
    watch = make_watch(make_settings({"window": {"settle": 0}}), clock, judge)
    machine, judging = watch.machines["pump"], Judging()
    listener = Listener(machine, Endless, judging, clock)
    judging.start()
    for _ in range(50):
        listener.step()
    assert judging.backlog <= 2
    judge.go.release(10)
    judging.settle()
    watch.store.flush()
    judged = len(watch.store.read(queries.last_windows, "pump", 1000))
    assert judged + machine.skipped == 500
    assert judged <= 4
    spans = watch.store.read(queries.spans, "pump", 3600, START - 3600, START + 7200)
    assert sum(span["skipped"] for span in spans) == machine.skipped
    judging.close()
    watch.stop()


class Failing(Endless):
    """A source that fails in ways that nobody thought of."""

    steps = 0

    def step(self) -> Step:
        Failing.steps += 1
        raise ZeroDivisionError


def test_an_error_that_nobody_thought_of_neither_ends_nor_races(
    make_settings: Make, clock: TurnedClock
) -> None:
    watch = make_watch(make_settings(), clock)
    stop = threading.Event()

    class Minute(TurnedClock):
        def wait(self, seconds: float, stop: threading.Event) -> bool:
            self.turn(seconds)
            if self.steady >= 1060:
                stop.set()
            return stop.is_set()

    Listener(watch.machines["pump"], Failing, Judging(), Minute()).run(stop)
    assert 50 < Failing.steps <= 61
    watch.stop()


def test_the_watchdog_is_fed_only_while_windows_are_judged(
    make_settings: Make, clock: TurnedClock
) -> None:
    card = {"type": "card", "device": "usb"}
    watch = make_watch(make_settings({"source": card}), clock)
    machine = watch.machines["pump"]
    machine.observe("listening", "")
    assert watch.alive
    clock.turn(121)
    assert not watch.alive
    machine.take(window(0.9, clock.now()))
    assert watch.alive
    clock.turn(10_000)
    machine.observe("lost", "unplugged")  # nothing is stuck: there is nothing to judge
    assert watch.alive
    watch.stop()


def test_a_damaged_database_ends_the_watch_for_a_restart(
    make_settings: Make, clock: TurnedClock
) -> None:
    watch = make_watch(make_settings(), clock)
    watch.store.writer.damaged = "database disk image is malformed"
    with pytest.raises(DgmixError, match="malformed"):
        watch.look_after()
    watch.stop()


def test_upkeep_makes_a_backup_once_a_day(make_settings: Make, clock: TurnedClock) -> None:
    watch = make_watch(make_settings(), clock)
    clock.turn(3601)
    watch.look_after()
    assert not (watch.store.folder / "watch.db.backup").exists()
    clock.turn(86_400)
    watch.look_after()
    assert (watch.store.folder / "watch.db.backup").exists()
    watch.stop()


def test_settings_that_cannot_be_used_are_not_taken_at_a_reload(
    make_settings: Make, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings()
    watch = make_watch(settings, clock)
    signals = Signals()

    def broken() -> WatchSettings:
        raise InputError("watch.yaml: machines: none")

    signals._on_reload(1, None)
    assert _look_after(watch, signals, settings, broken) is settings
    assert "settings not changed: watch.yaml: machines: none" in caplog.text
    signals._on_reload(1, None)
    other = make_settings(site="other")
    assert _look_after(watch, signals, settings, lambda: other) is other
    watch.stop()


def test_two_watches_cannot_have_one_state_folder(make_settings: Make, clock: TurnedClock) -> None:
    watch = make_watch(make_settings(), clock)
    with pytest.raises(InputError, match="in use by another dgmix watch"):
        make_watch(make_settings(), clock)
    watch.stop()
    make_watch(make_settings(), clock).stop()


def test_systemd_is_told(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.bind(address)
        assert notify("READY=1", {"NOTIFY_SOCKET": address})
        assert to.recv(100) == b"READY=1"
    assert not notify("READY=1", {"NOTIFY_SOCKET": address})
    assert not notify("READY=1", {})


def test_the_unit_restarts_watches_and_keeps_its_state(tmp_path: Path) -> None:
    text = unit_text(tmp_path / "watch file.yaml", user=False)
    for line in ("Type=notify", "WatchdogSec=180", "StateDirectory=dgmix", "Restart=always"):
        assert line in text.splitlines()
    assert f"watch '{tmp_path}/watch file.yaml'" in text
    assert "WantedBy=default.target" in unit_text(tmp_path, user=True)
