"""How long scoring takes beside another version of dgmix, in turns: CPU time, pair by pair.

    git worktree add ../before 4be8355
    python benchmarks/beside.py ../before/src [--pairs 25]

A process of each version learns from 20 recordings of 10 s at 16 kHz and then scores 24 others, WAV
files, again and again, whenever it is its turn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import soundfile

HEALTHY, SCORED, SECONDS, RATE = 20, 24, 10, 16_000
CHILD = """
import sys, time
from pathlib import Path
from dgmix import Detector
paths = sorted(Path(sys.argv[1]).glob("*.wav"))
detector = Detector(cache=sys.argv[2]).fit(paths[:int(sys.argv[3])])
for _ in sys.stdin:
    began = time.process_time()
    detector.score_samples(paths[int(sys.argv[3]):])
    print(time.process_time() - began, flush=True)
"""


class Version:
    """A process of one version, which scores when it is asked."""

    def __init__(self, source: Path, folder: Path, name: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(source.resolve()), "OMP_NUM_THREADS": "1"}
        arguments = [str(folder), str(folder / name), str(HEALTHY)]
        self._child = subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def seconds(self) -> float:
        """Return the CPU time of scoring once."""
        assert self._child.stdin
        assert self._child.stdout
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        return float(self._child.stdout.readline())

    def end(self) -> None:
        """Let it end."""
        assert self._child.stdin
        self._child.stdin.close()
        self._child.wait()


def write_recordings(folder: Path) -> None:
    """Write recordings of noise and hum."""
    rng = np.random.default_rng(0)
    time = np.arange(RATE * SECONDS) / RATE
    for number in range(HEALTHY + SCORED):
        sound = 0.05 * rng.standard_normal(len(time)) + 0.05 * np.sin(
            2 * np.pi * 97 * time + number
        )
        soundfile.write(folder / f"{number:03d}.wav", sound, RATE)


def measured(before: Path, pairs: int) -> list[tuple[float, float]]:
    """Return the CPU seconds of this version and of the one before, pair by pair."""
    here = Path(__file__).parent.parent / "src"
    with tempfile.TemporaryDirectory() as folder:
        write_recordings(Path(folder))
        now, then = (
            Version(source, Path(folder), name) for source, name in ((here, "a"), (before, "b"))
        )
        for each in (now, then, now, then):  # the first times are of loading
            each.seconds()
        times = []
        for turn in range(pairs):
            first, second = (now, then) if turn % 2 else (then, now)
            own, other = first.seconds(), second.seconds()
            times.append((own, other) if turn % 2 else (other, own))
        now.end()
        then.end()
    return times


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("before", type=Path, help="the folder src of another version")
    parser.add_argument("--pairs", type=int, default=25)
    options = parser.parse_args(arguments)
    times = measured(options.before, options.pairs)
    ratios = [now / then for now, then in times]
    low, _, high = quantiles(ratios, n=4)
    answer = {
        "pairs": len(times),
        "ms of CPU a clip, now": round(1000 * median(now for now, _ in times) / SCORED, 2),
        "ms of CPU a clip, before": round(1000 * median(then for _, then in times) / SCORED, 2),
        "ratio, median": round(median(ratios), 3),
        "ratio, quartiles": [round(low, 3), round(high, 3)],
    }
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
