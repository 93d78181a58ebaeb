"""Simulated machines: a data set in exactly DCASE's layout, from physical models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dgmix.data.simulate.machine_types import MACHINES as MACHINES

CLIPS = 50
"""Training clips of a section by default; the real sets have 1000."""


def simulate(
    folder: Path,
    *,
    like: str = "dcase2022",
    machines: Sequence[str] | None = None,
    sections: int | None = None,
    clips: int = CLIPS,
    seed: int = 0,
    seconds: float = 10.0,
    test_clips: int | None = None,
    jobs: int = 1,
) -> None:
    """Write a simulated set to `folder`: 16 kHz, 16-bit WAV, laid out and named as `like`.

    `like` is a data set of DCASE Task 2, dcase2020 to dcase2026; `machines` are some of its machine
    types, all by default. Its sections are those of that data set, except that a set like
    dcase2022 has `sections` of them, 6 by default. In 2026 a clip has two channels, a near and a
    far microphone with a room between; else it is mono.

    A section has `clips` normal training clips of `seconds` s. Of them `max(10, clips // 100)`, but
    at most half, are of the target domain (1000 clips: 990 + 10, as in the real set); 3 in 2021,
    none in 2020, which has no domains. Its test set has `test_clips` of each domain and label;
    without a number, 50, or fewer for few `clips`: `min(50, max(5, clips // 4))`. Beside `train`
    and `test` lie the tables `attributes_<nn>.csv`, from 2022 on.

    The same arguments write the same bytes, whatever the `jobs` (processes, which are spawned: a
    script that asks for more than one needs the `__main__` guard). A second call makes only the
    clips that are missing. Clips of the same form, name, seed and length are the same in every set.

    How many clips, how much disk and how much time that takes is logged before it begins.

    Raises `InputError` for arguments out of range, and for a folder that holds anything but a set
    simulated with these arguments, and `DgmixError` where the disk has no room for the set.
    """
    from dgmix.data.simulate.writing import Order, write_set

    chosen = None if machines is None else tuple(machines)
    order = Order(chosen, sections, clips, seed, float(seconds), test_clips, like)
    write_set(Path(folder), order, jobs)
