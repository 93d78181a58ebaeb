"""Simulated machines: a data set in exactly DCASE 2022's layout, from physical models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MACHINES = ("bearing", "fan", "gearbox", "slider", "ToyCar", "ToyTrain", "valve")
"""The machine types that can be simulated."""


def simulate(
    folder: Path,
    *,
    machines: Sequence[str] = MACHINES,
    sections: int = 6,
    clips: int = 1000,
    seed: int = 0,
    seconds: float = 10.0,
    test_clips: int | None = None,
    jobs: int = 1,
) -> None:
    """Write a simulated set to `folder`: 16 kHz, mono, 16-bit WAV, named as DCASE 2022 names them.

    A section has `clips` normal training clips of `seconds` s. Of them `max(10, clips // 100)`, but
    at most half, are of the target domain (1000 clips: 990 + 10, as in the real set). Its test set
    has `test_clips` of each of source and target, normal and anomalous; without a number, 50, or
    fewer for few `clips`: `min(50, max(5, clips // 4))`. Beside `train` and `test` lie the tables
    `attributes_<nn>.csv`.

    The same arguments write the same bytes, whatever the `jobs` (processes, which are spawned: a
    script that asks for more than one needs the `__main__` guard). A second call makes only the
    clips that are missing. Another set's clips of the same name, seed and length are the same.

    Raises `InputError` for arguments out of range, and for a folder that holds anything but a set
    simulated with these arguments.
    """
    from dgmix.data.simulate.writing import Order, write_set

    order = Order(tuple(machines), sections, clips, seed, float(seconds), test_clips)
    write_set(Path(folder), order, jobs)
