"""Which years of DCASE Task 2 clips may be of: what machines, sections and names say.

Years differ in their machines and sections, in the form of names (2020, later), in the folders of
test clips (`source_test` and `target_test` in 2021, `test` otherwise) and in the machines whose
clips are called `noAttribute`. Sets that differ in none of these are not distinguished by names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from dgmix.data.years import YEARS, Year
from dgmix.errors import first_few

NAME = re.compile(
    r"section_(?P<section>\d+)"
    r"(?:_(?P<domain>source|target))?"
    r"(?:_(?P<split>train|test))?"
    r"(?:_(?P<label>normal|anomaly))?"
    r"_\d+(?:_(?P<attributes>.*))?"
)
NAME_2020 = re.compile(r"(?:(?P<label>normal|anomaly)_)?(?P<section>id_\d+)_\d+")
WITHHELD, HIDDEN = "noAttribute", "hidden_"
"""What stands in names for withheld attributes; what those begin with that were published later."""
SPLIT_DOMAINS = ("source_test", "target_test")


@dataclass
class Evidence:
    """What is known of a machine's clips: their sections, and what they have of each other thing.

    `forms`: whether names are those of 2020 (None: of no year); `split_domains`: whether test clips
    lie in folders of their domain; `withheld`: whether attributes are.
    """

    sections: set[str] = field(default_factory=set)
    forms: set[bool | None] = field(default_factory=set)
    split_domains: set[bool] = field(default_factory=set)
    withheld: set[bool] = field(default_factory=set)

    def add(self, section: str, path: PurePath) -> None:
        """Add a clip of a section."""
        of_2020, later = NAME_2020.fullmatch(path.stem), NAME.fullmatch(path.stem)
        self.sections.add(section)
        self.forms.add(bool(of_2020) if of_2020 or later else None)
        if path.parent.name in ("test", *SPLIT_DOMAINS):
            self.split_domains.add(path.parent.name in SPLIT_DOMAINS)
        if later and (attributes := later["attributes"]):
            self.withheld.add(attributes == WITHHELD or attributes.startswith(HIDDEN))


def evidence(clips: Iterable[tuple[str, str, PurePath]]) -> dict[str, Evidence]:
    """Return what is known of clips, each a machine, a section and a path, by machine."""
    machines: dict[str, Evidence] = {}
    for machine, section, path in clips:
        machines.setdefault(machine, Evidence()).add(section, path)
    return machines


def has_places(year: Year, machine: str, own: Evidence) -> bool:
    """Return whether a year has a machine and all its sections, and names of that form."""
    sections = {*year.dev.get(machine, ()), *year.eval.get(machine, ())}
    return own.sections <= sections and own.forms == {year.rule == "by-id"}


def has_folders(year: Year, own: Evidence) -> bool:
    """Return whether test clips lie as in a year, as far as their folders are known."""
    return own.split_domains <= {year.rule == "by-domain"}


def has_attributes(year: Year, machine: str, own: Evidence) -> bool:
    """Return whether attributes are withheld as in a year, where that is known.

    Of evaluation sets, some of a machine's clips have them and others have not.
    """
    hidden = machine in year.hidden
    if not year.labelled or not own.withheld:
        return True
    return own.withheld == {hidden} if machine in year.dev else hidden in own.withheld


def is_whole(year: Year, machine: str, own: Evidence) -> bool:
    """Return whether these are all sections of the development or evaluation set, or of both."""
    dev, later = set(year.dev.get(machine, ())), set(year.eval.get(machine, ()))
    return own.sections in (dev, later, dev | later)


def fitting_years(of: Mapping[str, Evidence], whole: bool) -> dict[str, set[int]]:
    """Return the years, by machine, whose clips a machine's may be; `whole`: with all sections."""
    return {
        machine: {
            year.number
            for year in YEARS.values()
            if has_places(year, machine, own)
            and has_folders(year, own)
            and has_attributes(year, machine, own)
            and (is_whole(year, machine, own) or not whole)
        }
        for machine, own in of.items()
    }


def mixture_of_years(of: Mapping[str, Evidence]) -> str:
    """Return words on machines of which no year has all, though each is of some year; else "".

    Nor has a year all sections of all of them, where each machine has all that some year has.
    """
    for whole in (False, True):
        years = fitting_years(of, whole)
        if years and all(years.values()) and not set.intersection(*years.values()):
            machines: dict[str, list[str]] = {}
            for machine, numbers in years.items():
                machines.setdefault(", ".join(map(str, sorted(numbers))), []).append(machine)
            named = [f"{' '.join(names)} ({numbers})" for numbers, names in machines.items()]
            return f"machines of different years of DCASE Task 2: {first_few(named)}"
    return ""


def possible_years(of: Mapping[str, Evidence]) -> list[Year]:
    """Return the years that have all these machines and sections, in names of that form."""
    return [
        year
        for year in YEARS.values()
        if of and all(has_places(year, machine, own) for machine, own in of.items())
    ]


def likely_years(of: Mapping[str, Evidence]) -> list[Year]:
    """Return the possible years that the rest fits too: folders, attributes, number of sections.

    What no possible year has decides nothing, as clips may have been moved or renamed. Where no
    clip lies in a folder of 2021, clips that may be of another year are not of 2021.
    """
    split = any(True in own.split_domains for own in of.values())
    tests: list[Callable[[Year, str, Evidence], bool]] = [
        lambda year, _machine, _own: (year.rule == "by-domain") == split,
        has_attributes,
        is_whole,
    ]
    years = possible_years(of)
    for test in tests:
        kept = [y for y in years if all(test(y, machine, own) for machine, own in of.items())]
        years = kept or years
    return years
