"""Operating conditions: which tags a section's names carry, and what differs between the domains.

The tags, their values and the three kinds of domain shift a machine has follow the DCASE 2022 set
(Dohi et al. 2022, MIMII DG; Harada et al. 2021, ToyADMOS2). Section `s` has kind `s mod 3`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

COLUMN_NAMES = {"spd": "speed"}
"""Tags that the attribute tables call otherwise than the file names do."""


@dataclass(frozen=True)
class Condition:
    """The operating condition of a clip: tags in the order in which names show them."""

    tags: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return the attribute text of a file name, for example `vel_8_loc_A`."""
        return "_".join(f"{name}_{value}" for name, value in self.tags)

    def text(self, *names: str, default: str = "") -> str:
        """Return the value of the first of `names` that this condition has."""
        values = dict(self.tags)
        return next((values[name] for name in names if name in values), default)

    def number(self, name: str, default: float) -> float:
        """Return the value of a tag as a number, without its unit letters."""
        return float(self.text(name, default=str(default)).rstrip("V"))


@dataclass(frozen=True)
class Shift:
    """One kind of domain shift: the conditions of either domain, and the tags that differ."""

    differs: tuple[str, ...]
    source: tuple[Condition, ...]
    target: tuple[Condition, ...]

    def domain(self, name: str) -> tuple[Condition, ...]:
        """Return the conditions of domain "source" or "target"."""
        return self.source if name == "source" else self.target

    def columns(self, condition: Condition) -> list[str]:
        """Return the cells (d1p, d1v, d2p, …) of the attribute table for a clip."""
        values = dict(condition.tags)
        named = [
            (COLUMN_NAMES.get(name, name), values[name]) for name in self.differs if name in values
        ]
        return [cell for pair in named for cell in pair]


def grid(tags: Mapping[str, str]) -> tuple[Condition, ...]:
    """Return every combination of the tags' values, which are separated by spaces."""
    choices = [[(name, value) for value in values.split()] for name, values in tags.items()]
    return tuple(Condition(combination) for combination in product(*choices))


def shift(differs: str, source: Mapping[str, str], target: Mapping[str, str]) -> Shift:
    """Return a shift whose domains are grids of tag values."""
    return Shift(tuple(differs.split()), grid(source), grid(target))


_TOY = {"mic": "1", "noise": "1"}

SHIFTS: dict[str, tuple[Shift, Shift, Shift]] = {
    "bearing": (
        shift("vel", {"vel": "6 10 14 18 22"}, {"vel": "4 8 12 16 20 24"}),
        shift("loc", {"vel": "8 16", "loc": "A B C D"}, {"vel": "8 16", "loc": "E F G H"}),
        shift("f-n", {"vel": "10 18", "f-n": "A B"}, {"vel": "10 18", "f-n": "D"}),
    ),
    "fan": (
        shift("m-n", {"m-n": "W X"}, {"m-n": "Y Z"}),
        shift("f-n", {"f-n": "A B"}, {"f-n": "D"}),
        shift("n-lv", {"n-lv": "L1 L2"}, {"n-lv": "L3 L4"}),
    ),
    "gearbox": (
        shift(
            "volt",
            {"volt": "1.0 1.5 2.0 2.5 3.0"},
            {"volt": "0.7 1.2 1.7 2.2 2.7 3.2"},
        ),
        shift("wt", {"wt": "0 50 100 150 200"}, {"wt": "20 70 120 170 220 250"}),
        shift("id", {"id": "03 06 07"}, {"id": "01 04 12"}),
    ),
    "slider": (
        shift("vel", {"vel": "100 175 250 325 400"}, {"vel": "60 140 210 290 360 440"}),
        shift("ac", {"ac": "0.03 0.05 0.07 0.09 0.11"}, {"ac": "0.02 0.04 0.06 0.08 0.10 0.13"}),
        shift("f-n", {"f-n": "A B"}, {"f-n": "D"}),
    ),
    "ToyCar": (
        shift(
            "car",
            {"car": "F1 F2 H1 H2", "spd": "31V 34V", **_TOY},
            {"car": "G1 G2", "spd": "31V 34V", **_TOY},
        ),
        shift(
            "spd",
            {"car": "F1 F2", "spd": "31V 37V", **_TOY},
            {"car": "F1 F2", "spd": "28V 40V", **_TOY},
        ),
        shift(
            "mic noise",
            {"car": "F1 F2", "spd": "34V 37V", "mic": "1", "noise": "1"},
            {"car": "F1 F2", "spd": "34V 37V", "mic": "2", "noise": "3"},
        ),
    ),
    "ToyTrain": (
        shift(
            "car",
            {"car": "F1 F2 H1 H2", "spd": "7 8", **_TOY},
            {"car": "G1 G2", "spd": "7 8", **_TOY},
        ),
        shift(
            "spd",
            {"car": "F1 F2", "spd": "7 9", **_TOY},
            {"car": "F1 F2", "spd": "6 10", **_TOY},
        ),
        shift(
            "car spd noise",
            {"car": "F1 H1", "spd": "8 9", "mic": "1", "noise": "6"},
            {"car": "G1 G2", "spd": "6 10", "mic": "1", "noise": "7"},
        ),
    ),
    "valve": (
        shift("pat", {"pat": "00 01"}, {"pat": "02 03"}),
        shift(
            "panel",
            {"pat": "04 05", "panel": "open bs-c"},
            {"pat": "04 05", "panel": "b-c s-c"},
        ),
        Shift(
            ("v1pat", "v2pat"),
            (*grid({"v1pat": "04 05"}), *grid({"v2pat": "05"})),
            grid({"v1pat": "04 05", "v2pat": "05"}),
        ),
    ),
}


def section_shift(machine: str, section: int) -> Shift:
    """Return the kind of domain shift of a machine's section."""
    kinds = SHIFTS[machine]
    return kinds[section % len(kinds)]
