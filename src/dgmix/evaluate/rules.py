"""How each year of DCASE Task 2 judges: which year scores are of, and by which convention.

| year    | metrics                                    | official aggregate                        |
|---------|--------------------------------------------|-------------------------------------------|
| 2020    | AUC, pAUC of each machine id               | mean of the machines' means, AUC and pAUC |
| 2021    | AUC, pAUC of each section and domain       | harmonic mean of all                      |
| 2022 on | AUC of each domain, pAUC, of each section  | harmonic mean of all                      |

The formulas are in `dgmix.evaluate.metrics`. Which year scores are of, `dgmix.data.year_names`
sees by machines, sections and names. Several years have the same ones; from 2022 on that makes no
difference. Scores that may be of 2021 are of 2021 when no other year has these machines, or when
their clips lie in its folders `source_test` and `target_test`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

import polars as pl

from dgmix.data.year_names import (
    Evidence,
    evidence,
    likely_years,
    mixture_of_years,
    possible_years,
)
from dgmix.data.years import YEARS, Rule, Year
from dgmix.errors import InputError, first_few
from dgmix.evaluate.intervals import Place
from dgmix.evaluate.metrics import Convention

CONVENTION_OF: dict[Rule, Convention] = {
    "by-id": "by-id",
    "by-domain": "by-domain",
    "generalisation": "official",
}
DEV, EVAL = ("00", "01", "02"), ("03", "04", "05")


def candidate_years(places: Collection[Place]) -> list[Year]:
    """Return the years that have all these machines and sections."""
    return [year for year in YEARS.values() if set(places) <= _all_places(year)]


def year_of_scores(scores: pl.DataFrame, wanted: int | None = None) -> Year | None:
    """Return the year whose test clips have been scored, or None where that is not certain.

    `scores` has the columns of `dgmix.evaluate.scores.SCHEMA`. `wanted` is checked to have the
    machines and sections that are there; `InputError` tells which it lacks.
    """
    places = set(scores.select("machine", "section").unique().iter_rows())
    if wanted is not None:
        return _checked(places, wanted)
    years = likely_years(_evidence(scores))
    return years[0] if len(years) == 1 else None


def year_notes(scores: pl.DataFrame, wanted: int | None = None) -> list[str]:
    """Return which other years scores may be of, by another rule or with other figures beside."""
    of = _evidence(scores)
    likely, possible = likely_years(of), possible_years(of)
    if mixture := mixture_of_years(of):
        return [f"{mixture[0].upper()}{mixture[1:]}; evaluate each year by itself."]
    if wanted is not None or not likely:
        return []
    if len(likely) > 1:
        return [
            f"Names do not tell which year of DCASE Task 2 this is: {_years(likely)} have these "
            "machines and sections, and one rule. --year says which."
        ]
    [year] = likely
    others = [each for each in possible if each.rule != year.rule]
    if others and not any(own.split_domains for own in of.values()):
        return [
            f"Taken as DCASE {year.number}; {_years(others)} has these machines and sections too, "
            "and another rule. --year says otherwise."
        ]
    return []


def _years(years: Sequence[Year]) -> str:
    return ", ".join(str(year.number) for year in years)


def _evidence(scores: pl.DataFrame) -> dict[str, Evidence]:
    path = pl.col("path").str.replace(r"_\d{4,}", "_0000")  # clips differ in it, years do not
    tested = scores.filter(split="test").select("machine", "section", path).unique()
    rows = tested.sort("machine", "section").iter_rows()
    return evidence((m, s, PurePosixPath(name)) for m, s, name in rows)


def official_convention(year: Year | None) -> Convention:
    """Return the official convention of a year; where it is not certain, that of 2022 on."""
    return CONVENTION_OF[year.rule] if year else "official"


def convention_of(scores: pl.DataFrame) -> Convention:
    """Return the official convention of the year that scores are of."""
    return official_convention(year_of_scores(scores))


def blocks(places: Collection[Place]) -> dict[str, frozenset[Place] | None]:
    """Return the machines and sections to judge apart, by name; None is all of them.

    Those of a development and an evaluation set make "dev", "eval" and "all", others one block
    without a name. Sections 00 to 05 are both sets of DCASE 2021 and 2022, whatever the machines.
    """
    if {section for _, section in places} == {*DEV, *EVAL}:
        dev = frozenset(place for place in places if place[1] in DEV)
        return {"dev": dev, "eval": frozenset(places) - dev, "all": None}
    for year in candidate_years(places):
        parts = {name: frozenset(places) & of for name, of in year.places.items()}
        if all(parts.values()) and year.rule != "by-domain" and year.number != 2022:
            return {**parts, "all": None}
    return {"": None}


def first_shot_notes(folder: Path, year: Year | None) -> list[str]:
    """Return whether the scores in a folder keep the first-shot rule of a year that has one.

    From 2023 on nothing may be set by machine type. A run of dgmix has one recipe for all; a folder
    with several runs is seen to have the same one throughout. Without a recipe there is no note.
    """
    if year is None or not year.first_shot or not folder.is_dir():
        return []
    recipes: dict[bytes, Path] = {}
    for path in sorted(folder.rglob("recipe.yaml")):
        recipes.setdefault(path.read_bytes(), path.parent)
    if len(recipes) > 1:
        named = first_few([str(each.relative_to(folder)) for each in recipes.values()])
        return [f"First-shot rule broken: the runs {named} have different recipes."]
    return ["First-shot rule kept: one recipe for all machines."] if recipes else []


def refuse_mixture(places: Collection[Place]) -> None:
    """Raise `InputError` where some sections are machine ids of 2020 and others are not."""
    ids = [place for place in places if place in _all_places(YEARS[2020])]
    others = [place for place in places if place not in ids]
    if ids and any(place in _all_places(year) for place in others for year in YEARS.values()):
        raise InputError(
            f"scores of DCASE 2020 ({_shown(ids)}) and of later years ({_shown(others)}) together; "
            "evaluate each year by itself, for their rules differ"
        )


def _checked(places: Collection[Place], number: int) -> Year:
    year = YEARS.get(number)
    if year is None:
        raise InputError(f"year {number}: choose one of {', '.join(map(str, YEARS))}")
    strange = sorted(set(places) - _all_places(year))
    if strange:
        raise InputError(
            f"DCASE {number} has no {_shown(strange)}; give the year that these scores are of, or "
            "none"
        )
    return year


def _all_places(year: Year) -> frozenset[Place]:
    return year.places["dev"] | year.places["eval"]


def _shown(places: Collection[Place]) -> str:
    return first_few([f"{machine} {section}" for machine, section in sorted(places)], 3)
