"""An archive of a data set, and where it can be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dgmix.data.years import Part


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip file of a Zenodo record, with the recordings of one machine below `<machine>/`."""

    name: str
    machine: str
    record: int
    part: Part


@dataclass(frozen=True, slots=True)
class Offer:
    """Where an archive can be had (an address, or a file), with its size in bytes.

    `md5` is 32 hexadecimal digits, or empty where nobody says what it should be.
    """

    archive: Archive
    where: str | Path
    size: int
    md5: str
