"""Does `dgmix watch` stay as it is for hours, and how many machines can a core hear?

    python benchmarks/watch_soak.py [--machines 20] [--minutes 25] [-o benchmarks/results/soak.md]
    python benchmarks/watch_soak.py --machines 50 100 150 --minutes 4

Real time: each machine is a stream of 16 kHz in blocks of a tenth of a second, windows of 10 s, one
detector learned from 60 recordings. Prints memory, processor time, backlog and skipped windows each
minute, then the slope of memory after five minutes of warm-up. The detector is learned in a process
of its own, as people do: what learning leaves in memory is no part of a watch.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from measuring import machine

from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.detect.detector import Detector
from dgmix.files import write_text
from dgmix.heap import give_back_large_blocks
from dgmix.progress import quiet
from dgmix.watch.listening import Listener
from dgmix.watch.service import Watch, _memory
from dgmix.watch.settings import parse_settings
from dgmix.watch.sound import Samples
from dgmix.watch.sources.base import StreamSource

RATE, SECONDS, LEARNED, POOL = 16_000, 10.0, 60, 30
BLOCK = 0.1
WARM_MINUTES = 5
HEADING = """# A watch for half an hour

Written by `benchmarks/watch_soak.py`; what it means: [watching.md](../../docs/watching.md).
"""


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
    parser.add_argument("--machines", type=int, nargs="+", default=[20])
    parser.add_argument("--minutes", type=int, default=25)
    parser.add_argument("-o", "--output", type=Path, help="the page to write")
    chosen = parser.parse_args(arguments)
    lines = [HEADING]
    with tempfile.TemporaryDirectory() as temporary:
        detector = Path(temporary) / "fan.dgmix"
        learning = get_context("spawn").Process(target=learn, args=(detector,))
        learning.start()
        learning.join()
        for count in chosen.machines:
            for line in soak(detector, Path(temporary) / str(count), count, chosen.minutes):
                print(line, flush=True)
                lines.append(line)
    if chosen.output:
        write_text(chosen.output, "\n".join([*lines, f"On {machine()}.\n"]))


def clip(group: int, number: int) -> Samples:
    return samples_of(PlannedClip("fan", 0, group, number), 0, round(RATE * SECONDS))


def learn(detector: Path) -> None:
    with quiet():
        recordings = [clip(0, number) for number in range(LEARNED)]
        Detector().fit(recordings, sample_rate=RATE).save(detector)


def soak(detector: Path, state: Path, machines: int, minutes: int) -> Iterator[str]:
    """Yield the lines of the page on so many machines, each minute one."""
    sound = np.concatenate([clip(2, number) for number in range(POOL)])
    entry = {"detector": str(detector), "source": {"type": "simulated"}}
    settings = parse_settings(
        {
            "state": str(state),
            "machines": [{"name": f"m{number}", **entry} for number in range(machines)],
            "page": {"enabled": False},
        },
        "soak",
    )
    give_back_large_blocks()
    watch = Watch(settings)
    watch.listeners = [
        Listener(machine, microphone(sound, number, watch), watch.judging, watch.clock)
        for number, machine in enumerate(watch.machines.values())
    ]
    watch.start()
    yield f"## {machines} machines\n"
    yield "| minute | memory, MB | CPU, cores | backlog | skipped |\n|--:|--:|--:|--:|--:|"
    memory = []
    for number in range(1, minutes + 1):
        line, now = minute(watch, number)
        memory.append(now)
        yield line
    windows = watch.store.read(lambda of: of.execute("SELECT count(*) FROM windows").fetchone()[0])
    watch.stop()
    yield f"\n{windows} windows judged{slope(memory)}.\n"


def slope(memory: Sequence[float]) -> str:
    late = memory[WARM_MINUTES:]
    if len(late) < 2:
        return ""
    per_minute = np.polyfit(range(len(late)), late, 1)[0]
    return f"; memory {10 * per_minute:+.2f} MB in 10 minutes after {WARM_MINUTES} of warm-up"


def microphone(sound: Samples, number: int, watch: Watch):  # type: ignore[no-untyped-def]
    offset = number * 7919 * 16
    return lambda: StreamSource(
        lambda: Microphone(sound, offset % (len(sound) // 2)), watch.clock, timeout=10, silence=30
    )


def minute(watch: Watch, number: int) -> tuple[str, float]:
    begin, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - begin < 60:
        watch.look_after()
        time.sleep(1)
    cores = (time.process_time() - cpu) / (time.monotonic() - begin)
    skipped = sum(machine.skipped for machine in watch.machines.values())
    memory, backlog = _memory(), watch.judging.backlog
    return f"| {number} | {memory:.1f} | {cores:.3f} | {backlog} | {skipped} |", memory


if __name__ == "__main__":
    main()
