"""Does `dgmix watch` stay as it is for hours, and how many machines can a core hear?

    python benchmarks/watch_soak.py [--machines 20] [--minutes 20]

Real time: each machine is a stream of 16 kHz in blocks of a tenth of a second, windows of 10 s, one
detector learned from 60 recordings. Prints memory, processor time, backlog and skipped windows each
minute, then the slope of memory after five minutes of warm-up.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.detect.detector import Detector
from dgmix.progress import quiet
from dgmix.watch.judge import load_judge
from dgmix.watch.listening import Listener
from dgmix.watch.service import Watch, _memory
from dgmix.watch.settings import parse_settings
from dgmix.watch.sound import Samples
from dgmix.watch.sources.base import StreamSource

RATE, SECONDS, LEARNED, POOL = 16_000, 10.0, 60, 30
BLOCK = 0.1
WARM_MINUTES = 5


class Microphone:
    """Plays recordings in a circle, in real time."""

    sample_rate = RATE

    def __init__(self, sound: Samples, offset: int) -> None:
        self._sound, self._at = sound, offset
        self._next = time.monotonic()
        self._never = threading.Event()

    def read(self, timeout: float) -> Samples:
        self._next += BLOCK
        self._never.wait(min(timeout, max(0.0, self._next - time.monotonic())))
        size = round(BLOCK * RATE)
        self._at = (self._at + size) % (len(self._sound) - size)
        return self._sound[self._at : self._at + size]

    def close(self) -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machines", type=int, default=20)
    parser.add_argument("--minutes", type=int, default=20)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        soak(Path(folder), chosen.machines, chosen.minutes)


def soak(folder: Path, machines: int, minutes: int) -> None:
    detector = folder / "fan.dgmix"

    def clip(group: int, number: int) -> Samples:
        return samples_of(PlannedClip("fan", 0, group, number), 0, round(RATE * SECONDS))

    with quiet():
        Detector().fit([clip(0, n) for n in range(LEARNED)], sample_rate=RATE).save(detector)
    sound = np.concatenate([clip(2, number) for number in range(POOL)])
    entry = {"detector": str(detector), "source": {"type": "simulated"}}
    settings = parse_settings(
        {
            "state": str(folder / "state"),
            "machines": [{"name": f"m{number}", **entry} for number in range(machines)],
            "page": {"enabled": False},
        },
        "soak",
    )
    watch = Watch(settings, load=load_judge)
    watch.listeners = [
        Listener(machine, microphone(sound, number, watch), watch.judging, watch.clock)
        for number, machine in enumerate(watch.machines.values())
    ]
    watch.start()
    print("| minute | memory, MB | CPU, cores | backlog | skipped |\n|--:|--:|--:|--:|--:|")
    memory = [minute(watch, number) for number in range(1, minutes + 1)]
    windows = watch.store.read(lambda of: of.execute("SELECT count(*) FROM windows").fetchone()[0])
    watch.stop()
    late = memory[WARM_MINUTES:]
    slope = np.polyfit(range(len(late)), late, 1)[0] if len(late) > 1 else float("nan")
    print(f"\n{windows} windows judged; memory {10 * slope:+.2f} MB in 10 minutes after warm-up")


def microphone(sound: Samples, number: int, watch: Watch):  # type: ignore[no-untyped-def]
    offset = number * 7919 * 16
    return lambda: StreamSource(
        lambda: Microphone(sound, offset % (len(sound) // 2)), watch.clock, timeout=10, silence=30
    )


def minute(watch: Watch, number: int) -> float:
    begin, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - begin < 60:
        watch.look_after()
        time.sleep(1)
    cores = (time.process_time() - cpu) / (time.monotonic() - begin)
    skipped = sum(machine.skipped for machine in watch.machines.values())
    memory = _memory()
    print(
        f"| {number} | {memory:.1f} | {cores:.3f} | {watch.judging.backlog} | {skipped} |",
        flush=True,
    )
    return memory


if __name__ == "__main__":
    main()
