from __future__ import annotations

from pathlib import Path

import pytest
from watch_parts import TurnedClock

from dgmix.watch import demo
from dgmix.watch.service import Watch
from dgmix.watch.store import queries

SHOWN = ("fan", "slider", "gearbox")


def test_the_demonstration_breaks_one_machine_changes_another_and_silences_a_third(
    tmp_path: Path, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SCRIPTS", {name: demo.SCRIPTS[name] for name in SHOWN})
    demo.prepare(tmp_path, clips=30)
    watch = Watch(demo.demo_settings(tmp_path, port=0), clock)
    watch.judging.start()
    begin = clock.monotonic()
    for listener in watch.listeners:
        clock.steady, clock.wall = begin, clock.wall - (clock.steady - begin)
        while clock.monotonic() < begin + 170:
            clock.turn(listener.step())
            watch.judging.settle()
    watch.store.flush()
    events = {
        (event["machine"], event["kind"]): (event["raised"], event["cleared"])
        for event in watch.store.read(queries.events)
    }
    start = clock.wall - (clock.steady - begin)
    raised, cleared = events["fan", "anomaly"]
    assert 40 + 12 <= raised - start <= 40 + 24
    assert cleared is not None
    assert 80 + 12 <= events["slider", "new condition"][0] - start <= 80 + 32
    assert ("slider", "anomaly") not in events
    raised, cleared = events["gearbox", "no sound"]
    assert 70 <= raised - start <= 76
    assert 100 <= cleared - start <= 140
    watch.stop()
