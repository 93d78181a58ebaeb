"""How much memory a long recording takes, and whether its score is that of all of it at once.

    python benchmarks/long_recordings.py -o benchmarks/results/long_recordings.md [--hours 24]

The detector has learned from 20 recordings of 10 s at 8 kHz. A long one is written block by block,
and scored by a process of its own. Up to half an hour the same is done with all of it in memory.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from measuring import machine

from dgmix import Detector
from dgmix.evaluate.formats import markdown_table
from dgmix.files import write_text

RATE, HEALTHY, SECONDS = 8000, 20, 10
COMPARED = (1 / 12, 0.25, 0.5)  # hours
EVERYTHING = 1 << 40


def sound(seed: int) -> np.ndarray:
    """Return 10 s of a machine."""
    axis = np.arange(SECONDS * RATE) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(axis))
    return np.asarray(0.05 * np.sin(2 * np.pi * 97 * axis) + 0.02 * noise)


def write_long(path: Path, hours: float) -> None:
    """Write a recording that is another machine's at its end, of 10 s that are repeated in turn."""
    blocks = [sound(1000 + number) for number in range(30)]
    count = round(hours * 3600 / SECONDS)
    order = np.random.default_rng(0).integers(len(blocks), size=count)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16", format="RF64") as file:
        for number, block in enumerate(order.tolist()):
            file.write(blocks[block] * (1 if number < 0.99 * count else 1.5))


def score(detector: str, recording: str, whole: bool) -> dict[str, Any]:
    """Return the score of a recording and the most memory, in MB, that this process had."""
    from dgmix.audio import bank, io
    from dgmix.detect import views

    if whole:
        io.WHOLE_SAMPLES = bank.LONG_FRAMES = views.LONG_FRAMES = EVERYTHING
    fitted = Detector.load(detector)
    began = time.process_time()
    (score,) = fitted.score_samples([recording])
    status = Path("/proc/self/status").read_text()  # getrusage counts the parent along
    peak = int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1000
    return {"score": float(score), "peak": peak, "cpu": time.process_time() - began}


def in_child(detector: Path, recording: Path, whole: bool) -> dict[str, Any]:
    """Return what `score` does in a process of its own."""
    arguments = ["--score", str(detector), str(recording), "whole" if whole else ""]
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def row(folder: Path, detector: Path, hours: float) -> list[str]:
    """Return the row of a length."""
    recording = folder / "long.rf64"
    write_long(recording, hours)
    parts = in_child(detector, recording, False)
    cells = [f"{hours:.3g} h", f"{parts['score']:.6f}", f"{parts['peak']:.0f} MB"]
    cells.append(f"{parts['cpu']:.0f} s")
    if hours not in COMPARED:
        return [*cells, "", ""]
    whole = in_child(detector, recording, True)
    difference = abs(whole["score"] - parts["score"]) / abs(whole["score"])
    return [*cells, f"{whole['peak']:.0f} MB", f"{difference:.1e}"]


def table(hours: float) -> str:
    """Return a row for each length up to so many hours."""
    with tempfile.TemporaryDirectory() as name:
        folder, detector = Path(name), Path(name) / "d.dgmix"
        learned = [sound(seed) for seed in range(HEALTHY)]
        Detector(cache=folder / "cache").fit(learned, sample_rate=RATE).save(detector)
        rows = [row(folder, detector, each) for each in (*COMPARED, hours)]
    columns = ["length", "score", "most memory", "CPU time"]
    return markdown_table([*columns, "whole: memory", "whole: relative difference"], rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, help="the page to write")
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--score", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.score:
        detector, recording, whole = options.score
        print(json.dumps(score(detector, recording, bool(whole))))
        return
    text = (
        "# Long recordings\n\nWritten by `benchmarks/long_recordings.py`: one recording at 8 kHz, "
        f"scored in parts by a process of its own, {machine()}.\n\n{table(options.hours)}\n"
    )
    print(text)
    if options.output:
        write_text(options.output, text)


if __name__ == "__main__":
    main()
