"""The two kinds of failure that dgmix explains in one sentence, and names for such sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class DgmixError(Exception):
    """dgmix could not finish; the message says what failed and what to do. Exit status 1."""

    exit_status = 1


class InputError(DgmixError):
    """What the user gave cannot be used; the message names the file or setting. Exit status 2."""

    exit_status = 2


def first_few(names: Sequence[str], most: int = 3) -> str:
    """Return names for a sentence: the first ones, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def did_you_mean(name: str, there: Iterable[str]) -> str:
    """Return " (did you mean 'fan'?)" where a name is nearly one of those there are, or nothing."""
    return meant(nearest(name, there))


def meant(name: str) -> str:
    """Return " (did you mean 'fan'?)", or nothing without a name."""
    return f" (did you mean '{name}'?)" if name else ""


def nearest(name: str, there: Iterable[str], least: float = 0.6) -> str:
    """Return the one of some names that is most like `name`, whatever its capitals, or "".

    They are at `least` so much alike, from 0 to 1.
    """
    from difflib import get_close_matches

    by_form = {each.lower(): each for each in there}
    close = get_close_matches(name.lower(), by_form, n=1, cutoff=least)
    return by_form[close[0]] if close else ""


def choices(name: str, there: Sequence[str]) -> str:
    """Return the end of the sentence that there is no `name`: what was meant, what there is."""
    return f"{did_you_mean(name, there)}; choose from {', '.join(there)}"


def check_length(what: str, given: Sequence[object] | None, count: int) -> None:
    """Raise `InputError` unless there is one of `given` for each of `count` recordings, or none."""
    if isinstance(given, str):
        raise InputError(f"{what}: the text '{given}'; give a list, one for each recording")
    if given is not None and len(given) != count:
        raise InputError(f"{what}: {len(given)} for {count} recordings; give one each")
