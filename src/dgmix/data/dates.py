"""Folders that are named by the day, as recorders and people sort recordings."""

from __future__ import annotations

import re
from collections.abc import Sequence

YEAR, MONTH, DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
TIME = r"(?:[T _-]*\d{2}[-:_.h]?\d{2}(?:[-:_.m]?\d{2})?[Zs]?)?"
DATE = re.compile(
    rf"{YEAR}([-_. ]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01]){TIME}"
    rf"|{YEAR}[-_. ]{MONTH}(?:[-_. ]{DAY}{TIME})?"
    rf"|{DAY}[-_. ]{MONTH}[-_. ]{YEAR}{TIME}"
    rf"|(?:{YEAR}[-_ ]?)?KW[-_ ]?\d\d?|{YEAR}[-_ ]?W\d\d?",
    re.IGNORECASE,
)
NAMES = frozenset(
    [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "montag",
        "dienstag",
        "mittwoch",
        "donnerstag",
        "freitag",
        "samstag",
        "sonntag",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ]
)


def dated(folders: Sequence[str]) -> list[bool]:
    """Return, for folders each in the one before, which are named by a day, week, month or year.

    Numbers alone are a date only where a year, a month and perhaps a day follow one another, as in
    2026/05/01: 2000 may be a speed, and 05 a machine.
    """
    return [_is_date(name) or _in_chain(folders, place) for place, name in enumerate(folders)]


def _is_date(name: str) -> bool:
    return bool(DATE.fullmatch(name)) or name.lower() in NAMES


def _in_chain(folders: Sequence[str], place: int) -> bool:
    for first in range(max(place - 2, 0), place + 1):
        chain = folders[first : first + 3]
        length = 2 + (len(chain) == 3 and bool(re.fullmatch(DAY, chain[2])))
        starts = len(chain) > 1 and re.fullmatch(YEAR, chain[0]) and re.fullmatch(MONTH, chain[1])
        if starts and place < first + length:
            return True
    return False
