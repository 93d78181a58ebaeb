"""Judges windows and delivers messages as fast as it can, until it is killed.

Writes "taken N" after each window, "committed N" once it is on disk; N counts over restarts. A fork
server imports this module, so that a process costs no import.
"""

from __future__ import annotations

import os
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from watch_parts import START, LevelJudge, window

from dgmix.watch.clock import SystemClock
from dgmix.watch.hub import Hub
from dgmix.watch.machine import Machine, Surroundings
from dgmix.watch.settings import parse_settings
from dgmix.watch.sinks.delivery import Delivery
from dgmix.watch.sinks.mqtt import Mqtt
from dgmix.watch.store.clips import Clips
from dgmix.watch.store.store import Store

PATTERN = [0.9] * 7 + [0.01] * 5


def main(folder: Path, port: int, output: Connection) -> None:
    def report(line: str) -> None:
        os.write(output.fileno(), f"{line}\n".encode())

    settings = parse_settings(
        {
            "machines": [
                {"name": "pump", "detector": "a", "source": {"type": "folder", "path": "b"}}
            ],
            "mqtt": {"host": "127.0.0.1", "port": port, "discovery": None},
            "storage": {"least_free_mb": 0, "budget_mb": 20},
        },
        "killed",
    )
    store, hub = Store(folder, SystemClock()), Hub()
    clips = Clips(store, settings.storage)
    around = Surroundings("s", store, clips, hub, store.clock, settings.storage, ["mqtt"])
    machine = Machine(settings.machines[0], LevelJudge(), around)
    assert settings.mqtt is not None
    sink = Mqtt(settings.mqtt, "s", {"pump": (settings.machines[0], 1.0)}, hub)
    delivery = Delivery(sink, store)
    threading.Thread(target=delivery.run, args=(threading.Event(),), daemon=True).start()
    number = store.read(lambda of: of.execute("SELECT count(*) FROM windows").fetchone()[0])
    never = threading.Event()
    while True:
        machine.take(window(PATTERN[number % len(PATTERN)], START + number))
        number += 1
        report(f"taken {number}")
        committed = store.write(lambda _: None)
        committed.add_done_callback(lambda _, n=number: report(f"committed {n}"))
        never.wait(0.005)
