"""What `dgmix score` writes while it scores: a table, JSON lines, or a CSV file."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from dgmix.detect.recordings import SHARD, Sounds
from dgmix.detect.summary import counted, percent
from dgmix.detect.views import in_words
from dgmix.errors import DgmixError, InputError
from dgmix.files import atomic_path
from dgmix.progress import Advance, progress, say, silent
from dgmix.workers import results_in_order

if TYPE_CHECKING:
    from dgmix.cluster import Files, Shared
    from dgmix.detect.detector import Detector

NEVER = 0.5  # the smallest rate that a single recording supports; its p-values are all 1
NORMAL, ANOMALY, UNREADABLE = "normal", "ANOMALY", "unreadable"
STYLES = {NORMAL: "", ANOMALY: "bold red", UNREADABLE: "yellow"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a detector says of one recording.

    `known` says that the detector learned from this very recording; `view` is the view in which it
    is least like the healthy ones. Where it cannot be read, `error` is the reason, and score and
    p-value are not numbers.
    """

    name: str
    score: float = float("nan")
    p_value: float = float("nan")
    known: bool = False
    view: str = ""
    error: InputError | None = None


Write: TypeAlias = Callable[[Judgement, str], None]
Form: TypeAlias = AbstractContextManager[Write]


def score_and_tell(
    detector: Detector,
    found: Sounds,
    form: Form,
    *,
    false_alarm_rate: float | None = None,
    domain: str | None = None,
    summary_on: IO[str] | None = None,
    shown: bool = False,
    ray: str | None = None,
) -> None:
    """Score recordings one after the other, write what `form` makes of each, then a summary.

    The summary goes to `summary_on`, standard output by default; `shown` says that what `form`
    writes shows how far it has come. `ray` is the address of a Ray cluster that computes the same
    (see `dgmix.cluster.connected`). Raises `InputError` for a false-alarm rate that is not
    supported and, at the end, `DgmixError` when some recordings could not be read.
    """
    domains = None if domain is None else [domain]
    rate = detector.rate(false_alarm_rate, found.sections, domains)
    tally: Counter[str] = Counter()
    known = 0
    bar: AbstractContextManager[Advance] = (
        nullcontext(silent) if shown else progress("scoring", len(found))
    )
    judged = judging(detector, found, domain=domain, ray=ray)
    with judged as judgements, form as write, bar as advance:
        for said in judgements:
            verdict = verdict_of(said, rate)
            write(said, verdict)
            tally[verdict] += 1
            known += said.known
            advance()
    smallest = detector.smallest_rate(found.sections, domains)
    print(closing(tally, known, rate, smallest), file=summary_on)
    if tally[UNREADABLE]:
        unread = counted(tally[UNREADABLE], "recording")
        raise DgmixError(f"{unread} of {len(found)} could not be read; the reason stands with each")


@contextmanager
def judging(
    detector: Detector, found: Sounds, *, domain: str | None = None, ray: str | None = None
) -> Iterator[Iterator[Judgement]]:
    """Yield what `Detector.judgements` does, computed here or on a Ray cluster at an address.

    Files are read where they are scored: raises `InputError` for one that is not the same there.
    Matrices are multiplied in one thread, as on a node: the same bits, and short ones are faster.
    """
    from threadpoolctl import threadpool_limits

    from dgmix.cluster import Files, connected

    if ray is None:
        with threadpool_limits(1, "blas"):
            yield detector.judgements(found, domain=domain)
        return
    with connected(ray, "cpu") as cluster:
        cluster.require(found.paths[:1])
        judge = partial(_judge_shard, cluster.share(detector), domain)
        shards = ((part, Files.of(part.paths)) for part in found.parts(SHARD))
        judged = results_in_order(cluster, judge, shards, 2 * cluster.cores)
        yield chain.from_iterable(judged)


def _judge_shard(
    detector: Shared[Detector], domain: str | None, shard: tuple[Sounds, Files]
) -> list[Judgement]:
    part, files = shard
    files.check()
    return list(detector.value.judgements(part, domain=domain))


def verdict_of(said: Judgement, rate: float) -> str:
    """Return the verdict in a word, at a false-alarm rate."""
    if said.error:
        return UNREADABLE
    return ANOMALY if said.p_value <= rate else NORMAL


def closing(tally: Counter[str], known: int, rate: float, smallest: float) -> str:
    """Return what was found in a few sentences; `smallest` is the smallest rate supported."""
    anomalies = "1 anomaly" if tally[ANOMALY] == 1 else f"{tally[ANOMALY]} anomalies"
    unread = f", {tally[UNREADABLE]} unreadable" if tally[UNREADABLE] else ""
    why = ", the smallest that the healthy recordings support" if rate == smallest else ""
    text = (
        f"{counted(tally.total(), 'recording')}: {anomalies}, {tally[NORMAL]} normal{unread}, "
        f"at a false-alarm rate of {percent(rate)}{why}."
    )
    if smallest >= NEVER:
        text += (
            "\nWith a single healthy recording to compare with, nothing is ever called an anomaly; "
            "add others with `dgmix update`."
        )
    if known:
        text += f"\nThe detector learned from {known} of them, which says nothing of their health."
    return text


@contextmanager
def table(arguments: Sequence[str], names: Sequence[str]) -> Iterator[Write]:
    """Write aligned columns to standard output; in colours on a terminal.

    Where `arguments` are one folder, the paths are shown from there on, and the folder once.
    """
    out = sys.stdout
    folder = str(Path(arguments[0])) + os.sep if len(arguments) == 1 else ""
    shared = folder if folder and all(name.startswith(folder) for name in names) else ""
    heading = shared or "path"
    width = max(len(heading), *(len(name) - len(shared) for name in names))
    print_line = _printer(out)
    print_line(f"{heading:<{width}}  {'score':>9}  {'p-value':>7}  verdict", "bold")

    def write(said: Judgement, verdict: str) -> None:
        numbers = (
            f"{'-':>9}  {'-':>7}"
            if said.error
            else f"{round(said.score, 6):>9.4g}  {said.p_value:>7.3g}"
        )
        name = said.name.removeprefix(shared)
        print_line(
            f"{name:<{width}}  {numbers}  {verdict}{_because(said, verdict)}", STYLES[verdict]
        )

    yield write


@contextmanager
def json_lines() -> Iterator[Write]:
    """Write a JSON object a line to standard output."""
    out = sys.stdout

    def write(said: Judgement, verdict: str) -> None:
        told: dict[str, object] = {"path": said.name}
        if said.error:
            told["error"] = str(said.error)
        else:
            told |= {"score": said.score, "p_value": said.p_value, "verdict": verdict}
            told["view"] = said.view
        print(json.dumps(told), file=out, flush=True)

    yield write


@contextmanager
def csv_file(path: Path) -> Iterator[Write]:
    """Write a CSV file, whole or not at all; the reasons of unreadable ones on standard error.

    Its columns are those that other programs read; JSON tells the view as well.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("path", "score", "p_value", "verdict"))

        def write(said: Judgement, verdict: str) -> None:
            if said.error:
                say(str(said.error))
            numbers = ("", "") if said.error else (said.score, said.p_value)
            rows.writerow((said.name, *numbers, verdict))

        yield write


def _because(said: Judgement, verdict: str) -> str:
    """Return what stands after a verdict: by what an anomaly stands out, or why none is told."""
    if said.error:
        return f": {str(said.error).removeprefix(f'{said.name}: ')}"
    return f" by its {in_words(said.view)}" if verdict == ANOMALY else ""


def _printer(out: IO[str]) -> Callable[[str, str], None]:
    """Return what prints a line in a style, where `out` is a terminal, or else without."""
    if not out.isatty():
        return lambda line, _: print(line, file=out, flush=True)
    from rich.console import Console

    console = Console(file=out, highlight=False, markup=False, soft_wrap=True)
    return lambda line, style: console.print(line, style=style or None)
