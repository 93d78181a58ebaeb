"""The forms in which judgements are written as they come: a table, JSON lines, or a CSV file."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from dgmix.audio.signals import words_of
from dgmix.detect.judgement import (
    ANOMALY,
    NEW_CONDITION,
    NORMAL,
    UNREADABLE,
    UNUSABLE,
    Judgement,
    Promise,
)
from dgmix.detect.views import GIVEN, in_words
from dgmix.files import atomic_path
from dgmix.progress import say

STYLES = {
    NORMAL: "",
    NEW_CONDITION: "bold magenta",
    ANOMALY: "bold red",
    UNUSABLE: "yellow",
    UNREADABLE: "yellow",
}
COLUMNS = (
    *("path", "score", "p_value", "score_new", "p_new", "verdict", "section", "condition"),
    "quality",
)


@dataclass(frozen=True)
class Terms:
    """What verdicts are made under: a false-alarm rate, and a promise."""

    rate: float
    promise: Promise = "known"


Write: TypeAlias = Callable[[Judgement], None]
Form: TypeAlias = Callable[[Terms], AbstractContextManager[Write]]


def table(arguments: Sequence[str], names: Sequence[str], sections: Sequence[str]) -> Form:
    """Return the form of aligned columns on standard output; in colours on a terminal.

    Where `arguments` are one folder, the paths are shown from there on, and the folder once. Where
    there are several `sections`, each recording's is shown.
    """
    folder = str(Path(arguments[0])) + os.sep if len(arguments) == 1 else ""
    shared = folder if folder and all(name.startswith(folder) for name in names) else ""
    heading = shared or "path"
    width = max(len(heading), *(len(name) - len(shared) for name in names))

    @contextmanager
    def form(terms: Terms) -> Iterator[Write]:
        print_line = _printer(sys.stdout)
        both = f"  {'p-new':>7}" if terms.promise == "both" else ""
        print_line(f"{heading:<{width}}  {'score':>9}  {'p-value':>7}{both}  verdict", "bold")

        def write(judgement: Judgement) -> None:
            verdict = judgement.verdict(terms.rate, terms.promise)
            name = judgement.name.removeprefix(shared)
            after = _explanation(judgement, verdict, len(sections) > 1)
            line = f"{name:<{width}}  {numbers(judgement, terms.promise)}  {verdict}{after}"
            print_line(line, STYLES[verdict])

        yield write

    return form


def json_lines() -> Form:
    """Return the form of a JSON object a line on standard output."""

    @contextmanager
    def form(terms: Terms) -> Iterator[Write]:
        out = sys.stdout

        def write(judgement: Judgement) -> None:
            values = row(judgement, terms)
            error = values.pop("error")
            if error:
                values = {"path": judgement.name, "error": error}
            else:
                values["view_scores"] = dict(judgement.view_scores)
                values["quality"] = _quality(judgement)
                values |= {"channel": judgement.signal} if judgement.signal else {}
            print(json.dumps(values), file=out, flush=True)

        yield write

    return form


def csv_file(path: Path) -> Form:
    """Return the form of a CSV file, whole or not at all; the reasons of unreadable recordings go
    to standard error."""

    @contextmanager
    def form(terms: Terms) -> Iterator[Write]:
        with (
            atomic_path(path) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(COLUMNS)

            def write(judgement: Judgement) -> None:
                if judgement.error:
                    say(str(judgement.error))
                values = row(judgement, terms)
                rows.writerow([values[name] for name in COLUMNS])

            yield write

    return form


def row(judgement: Judgement, terms: Terms) -> dict[str, Any]:
    """Return the judgement of a recording as plain values, those of `COLUMNS` first.

    A recording that cannot be read has only path, verdict and error; the others are None.
    """
    verdict = judgement.verdict(terms.rate, terms.promise)
    if judgement.error:
        values: dict[str, Any] = dict.fromkeys((*COLUMNS, "view"))
        values |= {"path": judgement.name, "verdict": verdict, "error": str(judgement.error)}
        return values
    return {
        "path": judgement.name,
        "score": judgement.score,
        "p_value": judgement.p_known,
        "score_new": judgement.score_new,
        "p_new": judgement.p_new,
        "verdict": verdict,
        "section": judgement.section or None,
        "condition": judgement.condition,
        "quality": "; ".join(each.text for each in judgement.defects),
        "view": judgement.view,
        "error": None,
    }


def numbers(judgement: Judgement, promise: Promise) -> str:
    """Return score and p-values in columns."""
    both = promise == "both"
    if judgement.error:
        return f"{'-':>9}  {'-':>7}" + (f"  {'-':>7}" if both else "")
    p_value = judgement.p_new if promise == "new" else judgement.p_known
    text = f"{round(judgement.score_under(promise), 6):>9.4g}  {p_value:>7.3g}"
    return text + (f"  {judgement.p_new:>7.3g}" if both else "")


def _explanation(judgement: Judgement, verdict: str, sectioned: bool) -> str:
    """Return what stands after a verdict: by what a recording stands out, why there is none, and
    what is wrong with the recording."""
    if judgement.error:
        return f": {str(judgement.error).removeprefix(f'{judgement.name}: ')}"
    flagged = verdict in (ANOMALY, NEW_CONDITION) and judgement.view != GIVEN
    view = f" by its {decisive(judgement)}" if flagged else ""
    own = f"section {judgement.section}" if judgement.section else "compared with all sections"
    section = f" ({own})" if sectioned else ""
    reason = f": {judgement.unusable}" if verdict == UNUSABLE else ""
    notes = "".join(f"; {note}" for note in judgement.notes)
    return view + reason + section + notes


def decisive(judgement: Judgement) -> str:
    """Return in words by what a recording is least like the healthy ones: "peaks in channel 2"."""
    place = f" in {words_of(judgement.signal)}" if judgement.signal else ""
    return in_words(judgement.view) + place


def _quality(judgement: Judgement) -> dict[str, object]:
    """Return the quality of a recording as values that JSON has."""
    measures = judgement.quality.values() if judgement.quality else {}
    return {**measures, "unusable": judgement.unusable or None, "notes": list(judgement.notes)}


def _printer(out: IO[str]) -> Callable[[str, str], None]:
    """Return what prints a line in a style, where `out` is a terminal, or else without."""
    if not out.isatty():
        return lambda line, _: print(line, file=out, flush=True)
    from rich.console import Console

    console = Console(file=out, highlight=False, markup=False, soft_wrap=True)
    return lambda line, style: console.print(line, style=style or None)
