"""Progress of long steps, and notes.

A command shows both on standard error. In a program that uses dgmix notes go to the logger `dgmix`,
and so does progress where there is neither a terminal nor a notebook.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

LINE_SECONDS = 10.0
REDRAW_SECONDS = 0.2
LOGGED, QUIET, USUAL, VERBOSE = range(-1, 3)
LOG = logging.getLogger("dgmix")
_several_writers = False
_level = LOGGED


class Advance(Protocol):
    """What the block of `progress` calls."""

    def __call__(self, steps: int = 1, note: str = "") -> None:
        """Say that `steps` more steps are done, with a few words on how it goes."""
        ...


def silent(steps: int = 1, note: str = "") -> None:
    """Show nothing, where an `Advance` is needed."""


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Show on standard error how far `what` has come; the block calls what it is given.

    On a terminal this is a bar, in a notebook one line that changes; elsewhere at most one plain
    line every ten seconds, and one at the end, so that logs stay short.
    """
    if _level == QUIET:
        yield silent
    elif sys.stderr.isatty() and not _several_writers:
        with _bar(what, total) as advance:
            yield advance
    elif "ipykernel" in sys.modules:
        with _one_line(what, total) as advance:
            yield advance
    else:
        with _lines(what, total) as advance:
            yield advance


def share_terminal() -> None:
    """Show lines on a terminal too: several processes write to it, and bars would overwrite it."""
    global _several_writers
    _several_writers = True


@contextmanager
def speaking(at: int) -> Iterator[None]:
    """Say as much as a level tells inside the block: `LOGGED`, `QUIET`, `USUAL` or `VERBOSE`.

    Quiet shows neither progress nor notes, verbose shows details too; logged is what a program
    gets that does not choose.
    """
    before = level()
    set_level(at)
    try:
        yield
    finally:
        set_level(before)


def quiet() -> AbstractContextManager[None]:
    """Show no progress inside the block: another process does the same and shows it."""
    return speaking(QUIET)


def level() -> int:
    """Return how much is shown; see `speaking`."""
    return _level


def set_level(at: int) -> None:
    """Say so much from now on; see `speaking`."""
    global _level
    _level = at


def say(line: str, level: int = logging.INFO) -> None:
    """Print one plain line on standard error, unless dgmix is to be quiet, or log it at `level`."""
    if _level == LOGGED:
        LOG.log(level, line)
    elif _level > QUIET:
        print(line, file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Say what the user should know of recordings or of a training; a program sees it as well."""
    say(line, logging.WARNING)


def detail(line: str) -> None:
    """Print one plain line on standard error where details are wanted."""
    if _level in (LOGGED, VERBOSE):
        say(line, logging.DEBUG)


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
def _one_line(what: str, total: int) -> Iterator[Advance]:
    done, shown = 0, -REDRAW_SECONDS

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal done, shown
        done += steps
        if done == total or time.monotonic() - shown >= REDRAW_SECONDS:
            shown = time.monotonic()
            print(f"\r{what}: {done}/{total}  {note}", end="", file=sys.stderr, flush=True)

    yield advance
    print(file=sys.stderr)


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
