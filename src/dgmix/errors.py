"""The two kinds of failure that dgmix explains in one sentence, and names for such sentences."""

from __future__ import annotations

from collections.abc import Sequence


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
