"""Ten thousand files of mixed kinds within 2 GB: inspect, fit, score, report, all at one folder.

    python benchmarks/many_files.py -o benchmarks/results/many_files.md [--files 10000]

Four fifths are healthy recordings of one machine, 1 to 2 s, WAV, FLAC, MP3 and Ogg; the others are
cut off, empty, silent, text, no sound at all, faulty by their names, or have names of odd bytes.
Each command is a process of its own whose address space is limited, so that it ends with an error
where it would need more. What has to be left out is known from the writing, and each command has to
list it once.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from measuring import machine

from dgmix.evaluate.formats import markdown_table
from dgmix.files import write_text

LIMIT = 2_000_000_000  # bytes of address space of a command
RATE = 16_000
KINDS = ("WAV", "FLAC", "WAV", "MP3", "WAV", "OGG", "WAVEX", "AIFF")
ENDS = {"WAVEX": "wav"}
ODD_NAMES = ("ü{}", "a b {}", "[{}]", "{};x,y", "line\n{}", "%d{}", "-{}", "{}'\"", "\udce9{}")


@dataclass(frozen=True)
class Written:
    """What was written: how many recordings can be learned from, and why others cannot be."""

    usable: int
    faulty: int
    unreadable: tuple[str, ...]
    silent: tuple[str, ...]


def encoded(sound: np.ndarray, kind: str) -> bytes:
    """Return a recording (sample,) as a file of a kind."""
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format=kind)
    return file.getvalue()


def recording(rng: np.random.Generator) -> np.ndarray:
    """Return 1 to 2 s of a healthy machine: hum of slightly changing speed, and noise."""
    time_axis = np.arange(int(RATE * rng.uniform(1, 2))) / RATE
    speed = 48 * rng.uniform(0.98, 1.02)
    hum = sum(np.sin(2 * np.pi * k * speed * time_axis + k) / k for k in range(1, 6))
    return np.asarray(0.05 * hum + 0.02 * rng.standard_normal(len(time_axis)))


def write_files(folder: Path, count: int) -> Written:
    """Write so many files of mixed kinds into sub-folders of a folder."""
    rng = np.random.default_rng(0)
    spoiled: dict[str, Callable[[bytes], bytes]] = {
        "empty": lambda _: b"",
        "text": lambda _: b"this is no recording\n",
        "noise": lambda content: rng.bytes(len(content) // 8),
    }
    usable = faulty = 0
    unreadable, silent = [], []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        end = ENDS.get(kind, kind.lower())
        place = folder / f"part{number // 1000}"
        place.mkdir(parents=True, exist_ok=True)
        content = encoded(recording(rng), kind)
        turn = number % 25
        name = f"{number:05d}.{end}"
        if turn in (3, 8, 13):
            how = list(spoiled)[(3, 8, 13).index(turn)]
            content = spoiled[how](content)
            name = f"{number:05d}_{how}.{end}"
            unreadable.append(name)
        elif turn == 18:
            content = encoded(np.zeros(RATE), "WAV")
            name = f"{number:05d}_zeros.wav"
            silent.append(name)
        elif turn == 23:
            name, faulty = f"{number:05d}_NOK.{end}", faulty + 1
        else:
            usable += 1
            if turn == 11:
                content, name = content[: len(content) * 2 // 3], f"{number:05d}_cut.{end}"
            elif turn == 17:
                name = ODD_NAMES[number // 25 % len(ODD_NAMES)].format(f"{number:05d}") + f".{end}"
        (place / name).write_bytes(content)
    for number in range(count // 100):
        (folder / f"notes{number}.dat").write_bytes(b"no recording by its name")
    return Written(usable, faulty, tuple(unreadable), tuple(silent))


@dataclass(frozen=True)
class Ran:
    """A command that ended: its output and what it took."""

    status: int
    lines: list[str]
    seconds: float
    cpu: float
    peak: float


def ran(arguments: Sequence[str], folder: Path) -> Ran:
    """Return what `dgmix` does with arguments, in a process that gets no more than `LIMIT`."""
    output = folder / "output.txt"
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with output.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", "dgmix", *arguments],
            env={**os.environ, "DGMIX_CACHE": str(folder / "cache")},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),
            stdout=file,
            stderr=file,
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = output.read_text("utf-8", errors="replace")
    return Ran(
        child.returncode, text.splitlines(), time.perf_counter() - began, cpu, used.ru_maxrss / 1e3
    )


def listed(names: Sequence[str], lines: Sequence[str]) -> str:
    """Return how many of files are named in one line, or one row of a page, and in no other."""
    counts = dict.fromkeys(names, 0)
    for line in lines:
        for name in set(re.findall(r"\d{5}_(?:empty|text|noise|zeros)\.\w+", line)):
            counts[name] = counts.get(name, 0) + 1
    once = sum(counts[name] == 1 for name in names)
    return f"{once} of {len(names)}"


def rows(folder: Path, count: int) -> Iterator[list[str]]:
    """Yield a row for each command: what it took, and how much of what is left out it lists."""
    recordings = folder / "recordings"
    written = write_files(recordings, count)
    detector, page = str(folder / "d.dgmix"), folder / "page.html"
    fit_page = str(folder / "fit.html")
    given = {
        "inspect": ["inspect", str(recordings)],
        "fit": ["fit", str(recordings), "-o", detector, "--report", fit_page],
        "score": ["score", detector, str(recordings)],
        "report": ["report", detector, str(recordings), "-o", str(page)],
    }
    left_out = {
        "inspect": written.unreadable,
        "fit": written.unreadable + written.silent,
        "score": written.unreadable,
        "report": written.unreadable,
    }
    for name, arguments in given.items():
        done = ran(arguments, folder)
        lines = done.lines
        if name == "report" and page.exists():
            lines = page.read_text("utf-8").split("<tr")
        print(
            f"{name}: exit {done.status}, {done.seconds:.0f} s, {done.peak:.0f} MB",
            *lines[-3:],
            sep="\n  ",
        )
        yield [
            f"`dgmix {name}`",
            f"{done.status}",
            f"{done.seconds:.0f} s",
            f"{done.cpu:.0f} s",
            f"{done.peak:.0f} MB",
            listed(left_out[name], lines),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="the page to write")
    parser.add_argument("--files", type=int, default=10_000, help="how many")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = list(rows(Path(folder), options.files))
    header = [
        "command",
        "exit status",
        "wall clock",
        "CPU time",
        "most memory",
        "left out, listed once",
    ]
    about = (
        f"{options.files} files of 1 to 2 s, WAV, FLAC, MP3, Ogg and AIFF, one in five faulty "
        "by its name, cut off, empty, silent or no sound; each command in a process of at most "
        f"{LIMIT / 1e9:.0f} GB of address space, {machine()}:"
    )
    text = f"# Ten thousand files\n\nWritten by `benchmarks/many_files.py`.\n\n{about}\n\n"
    write_text(options.output, f"{text}{markdown_table(header, table)}\n")


if __name__ == "__main__":
    main()
