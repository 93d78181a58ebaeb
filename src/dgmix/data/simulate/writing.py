"""A simulated set as files: WAV clips, attribute tables, and `simulated.json`, its record."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from dgmix.audio.io import write_wav
from dgmix.data.simulate.clips import PlannedClip, plan, samples_of
from dgmix.data.simulate.conditions import section_shift
from dgmix.data.simulate.forms import USUAL, Form, form_of
from dgmix.data.simulate.machine_types import MACHINES
from dgmix.data.simulate.signals import RATE
from dgmix.errors import DgmixError, InputError, choices
from dgmix.files import explained, free_space, make_folder, shown_size, write_text
from dgmix.progress import progress, say
from dgmix.workers import worker_pool

FORMAT = 1
"""Changes whenever the same arguments would give other bytes."""

RECORD = "simulated.json"

SECTIONS = 6
"""Of a machine in a set like DCASE 2022, by default."""

LIMITS = {
    "sections": (1, 100),
    "clips": (2, 9999),
    "seed": (0, 2**63 - 1),
    "seconds": (1, 600),
    "test_clips": (1, 9999),
}


@dataclass(frozen=True)
class Order:
    """What set is wanted; the arguments of `dgmix.data.simulate.simulate`."""

    machines: tuple[str, ...] | None
    sections: int | None
    clips: int
    seed: int
    seconds: float
    test_clips: int | None
    like: str = USUAL

    @property
    def form(self) -> Form:
        """How the set is laid out."""
        return form_of(self.like)

    def checked(self) -> Order:
        """Return the order, its defaults filled in; raise `InputError` naming what is wrong."""
        there = MACHINES if self.like == USUAL else self.form.year.machines
        wanted = there if self.machines is None else self.machines
        for machine in wanted:
            if machine not in there:
                raise InputError(f"{machine}: no such machine{choices(machine, there)}")
        if not wanted:
            raise InputError(f"no machine was chosen; choose from {', '.join(there)}")
        sections = self.sections
        if self.like == USUAL:
            sections = SECTIONS if sections is None else sections
        elif sections is not None:
            raise InputError(f"sections: {self.like} has its own; leave this setting out")
        test_clips = self.test_clips
        if test_clips is None:
            test_clips = min(50, max(5, self.clips // 4))
        order = replace(
            self,
            machines=tuple(name for name in there if name in wanted),
            sections=sections,
            test_clips=test_clips,
        )
        for name, (low, high) in LIMITS.items():
            value = getattr(order, name)
            if value is not None and not low <= value <= high:
                raise InputError(f"{name} is {value}; choose {low} to {high}")
        return order

    def plan(self) -> Iterator[PlannedClip]:
        """Return every clip of the set."""
        training = self.form.training(self.clips)
        for machine in self.machines or ():
            numbers = self.form.sections(machine) if self.sections is None else range(self.sections)
            yield from plan(machine, numbers, training, self.test_clips or 0, self.like)

    def record(self) -> str:
        """Return the text of `simulated.json`, which names the form where it is not the usual."""
        order = asdict(self)
        if self.like == USUAL:
            del order["like"]
        return json.dumps({"format": FORMAT, **order}, indent=2) + "\n"


def write_set(folder: Path, order: Order, jobs: int = 1) -> None:
    """Write the set, clip by clip; what is there already is kept."""
    order = order.checked()
    claim(folder, order)
    write_attributes(folder, order)
    clips = [clip for clip in order.plan() if not (folder / clip.path).exists()]
    write = partial(write_clip, folder, order.seed, round(order.seconds * RATE))
    rest = begin(folder, clips, write, jobs)
    with progress("simulate", len(clips)) as advance, _mapped(write, rest, jobs) as done:
        advance(len(clips) - len(rest))
        for name in done:
            advance(1, name)


def begin(
    folder: Path, clips: Sequence[PlannedClip], write: Callable[[PlannedClip], str], jobs: int
) -> list[PlannedClip]:
    """Write the first clip of each machine, say what all will take, and return the others.

    Raises `DgmixError` where the disk has no room for them.
    """
    first = {clip.machine: clip for clip in reversed(clips)}
    seconds = {}
    for machine, clip in first.items():
        began = time.perf_counter()
        write(clip)
        seconds[machine] = time.perf_counter() - began
    rest = [clip for clip in clips if clip is not first[clip.machine]]
    size = sum((folder / first[clip.machine].path).stat().st_size for clip in clips)
    left = sum((folder / first[clip.machine].path).stat().st_size for clip in rest)
    free = free_space(folder)
    if free is not None and left > free:
        raise DgmixError(
            f"{folder}: the set takes {shown_size(size)}, and {shown_size(free)} are free; choose "
            "fewer clips, sections or machines, or another folder"
        )
    duration = sum(seconds[clip.machine] for clip in rest) / min(jobs, max(1, len(rest)))
    say(f"simulate: {len(clips)} clips, {shown_size(size)}, {shown_duration(duration)}")
    return rest


def shown_duration(seconds: float) -> str:
    """Return about how long something takes, in words."""
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 120 else f"about {minutes / 60:.1f} h"


def claim(folder: Path, order: Order) -> None:
    """Make `folder` this order's, or raise `InputError` if it holds something else."""
    record = folder / RECORD
    with explained(folder):
        if record.exists():
            if record.read_text() != order.record():
                raise InputError(
                    f"{folder} holds a set simulated with other arguments (see {RECORD}); "
                    "choose another folder or remove it"
                )
            return
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no simulated set; choose another")
    make_folder(folder)
    write_text(record, order.record())


def write_clip(folder: Path, seed: int, samples: int, clip: PlannedClip) -> str:
    """Simulate one clip and write it, whole or not at all; return its machine."""
    write_wav(folder / clip.path, samples_of(clip, seed, samples), RATE)
    return clip.machine


def write_attributes(folder: Path, order: Order) -> None:
    """Write `<machine>/attributes_<nn>.csv`: for each clip what differs between the domains.

    Sets of the first years have no such tables; of withheld attributes they list the clips alone.
    """
    if not order.form.attributes:
        return
    tables: dict[tuple[str, int], list[list[str]]] = {}
    for clip in order.plan():
        hidden = clip.machine in order.form.year.hidden
        shift = section_shift(clip.model, clip.section)
        cells = [] if hidden else shift.columns(clip.condition)
        tables.setdefault((clip.machine, clip.section), []).append([str(clip.path), *cells])
    for (machine, section), rows in tables.items():
        write_text(folder / machine / f"attributes_{section:02d}.csv", _table(rows))


def _table(rows: list[list[str]]) -> str:
    pairs = max(len(row) for row in rows) // 2
    header = ["file_name", *(f"d{k}{kind}" for k in range(1, pairs + 1) for kind in "pv")]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *(row + [""] * (len(header) - len(row)) for row in rows)])
    return text.getvalue()


@contextmanager
def _mapped(
    write: Callable[[PlannedClip], str], clips: list[PlannedClip], jobs: int
) -> Iterator[Iterator[str]]:
    if jobs <= 1:
        yield map(write, clips)
        return
    with worker_pool(jobs) as pool:
        yield pool.map(write, clips, chunksize=16)
