"""Progress of long steps: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_SECONDS = 10.0
_several_writers = False
_quiet = False


class Advance(Protocol):
    """What the block of `progress` calls."""

    def __call__(self, steps: int = 1, note: str = "") -> None:
        """Say that `steps` more steps are done, with a few words on how it goes."""
        ...


def silent(steps: int = 1, note: str = "") -> None:
    """Show nothing, where an `Advance` is asked for."""


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Show on standard error how far `what` has come; the block calls what it is given.

    On a terminal this is a bar; elsewhere at most one plain line every ten seconds, and one at
    the end, so that logs stay readable.
    """
    if _quiet:
        yield silent
    elif sys.stderr.isatty() and not _several_writers:
        with _bar(what, total) as advance:
            yield advance
    else:
        with _lines(what, total) as advance:
            yield advance


def share_terminal() -> None:
    """Show lines on a terminal too: several processes write to it, and bars would overwrite it."""
    global _several_writers
    _several_writers = True


@contextmanager
def quiet() -> Iterator[None]:
    """Show no progress inside the block: another process does the same and shows it."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def say(line: str) -> None:
    """Print one plain line on standard error."""
    if not _quiet:
        print(line, file=sys.stderr, flush=True)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            bar.advance(task, steps)
            if note:
                bar.update(task, note=note)

        yield advance


@contextmanager
def _lines(what: str, total: int) -> Iterator[Advance]:
    began = shown = time.monotonic()
    done, last_note = 0, ""

    def line() -> None:
        seconds = time.monotonic() - began
        note = f"  {last_note}" if last_note else ""
        say(f"{what}: {done}/{total} in {seconds:.0f} s{note}")

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal done, shown, last_note
        done += steps
        last_note = note or last_note
        if time.monotonic() - shown >= LINE_SECONDS and done < total:
            shown = time.monotonic()
            line()

    yield advance
    line()
