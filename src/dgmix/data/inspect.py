"""What a data set holds, from the names of its files and their headers alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from dgmix.audio.channels import Channels
from dgmix.audio.io import Header, measured_channels, read_header
from dgmix.audio.layout import Layout, facts
from dgmix.data import Clip, Manifest, load_manifest
from dgmix.errors import InputError
from dgmix.files import printable
from dgmix.progress import progress

MOST_MEASURED, MEASURED_SECONDS = 100, 20.0  # recordings, and of each, to measure channels
COLUMNS = (
    ("train source", {"split": "train", "domain": "source"}),
    ("train target", {"split": "train", "domain": "target"}),
    ("train unknown", {"split": "train", "domain": "unknown"}),
    ("test normal", {"split": "test", "label": "normal"}),
    ("test anomaly", {"split": "test", "label": "anomaly"}),
    ("test unknown", {"split": "test", "label": "unknown"}),
)


@dataclass(frozen=True, slots=True)
class Durations:
    """Durations of recordings, in seconds."""

    shortest: float
    median: float
    longest: float
    total: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a data set holds.

    `clips` are those that can be read, of the first repeat where a table has several.
    `sample_rates` (Hz) and `channels` count files. `unreadable` pairs the shown path of a file with
    the reason, `incomplete` that of one that can be read with what is missing or what its header
    says wrongly; `layout` tells what the channels are like, measured of some recordings of several.
    """

    path: str
    clips: Manifest
    repeats: int
    durations: Durations
    sample_rates: Mapping[int, int]
    channels: Mapping[int, int]
    unreadable: Sequence[tuple[str, str]]
    incomplete: Sequence[tuple[str, str]] = ()
    layout: Layout | None = None

    def counts(self, field: str) -> dict[str, int]:
        """Return how many clips have each value of a field, for example of "label"; sorted."""
        return dict(sorted(Counter(getattr(clip, field) for clip in self.clips).items()))


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Look at every recording of a data set (a folder or a CSV table) without decoding it.

    Damage further inside a file shows only when it is decoded. Of recordings of several channels,
    the beginning of a hundred of them, spread evenly, is decoded to measure these. Raises
    `InputError` when there is no data set, or when no recording in it can be read.
    """
    manifest = load_manifest(path)
    clips = manifest.select(repeat=manifest.repeats[0])
    headers: dict[Clip, Header] = {}
    unreadable: list[tuple[str, str]] = []
    with progress("looking", len(clips)) as advance:
        for clip in clips:
            try:
                headers[clip] = read_header(clip.path)
            except InputError as error:
                reason = printable(str(error).removeprefix(f"{clip.path}: "))
                unreadable.append((clips.shown_path(clip), reason))
            advance()
    if not headers:
        shown, reason = unreadable[0]
        raise InputError(
            f"{path}: none of {len(unreadable)} recordings can be read; the first, {shown}: "
            f"{reason}"
        )
    return Inspection(
        os.fspath(path),
        Manifest(list(headers), manifest.root, manifest.notes, manifest.left_out),
        len(manifest.repeats),
        _durations([header.seconds for header in headers.values()]),
        Counter(header.sample_rate for header in headers.values()),
        Counter(header.channels for header in headers.values()),
        unreadable,
        [(clips.shown_path(clip), header.note) for clip, header in headers.items() if header.note],
        _layout(headers),
    )


def _layout(headers: Mapping[Clip, Header]) -> Layout:
    """Return what the channels of recordings are like, of one channel nothing but that."""
    several = [clip for clip, header in headers.items() if header.channels > 1]
    if not several:
        return Layout.of([1], [])
    places = np.unique(np.linspace(0, len(several) - 1, min(len(several), MOST_MEASURED)).round())
    measured: list[Channels] = []
    with progress("channels", len(places)) as advance:
        for place in places.astype(int):
            with suppress(InputError):
                channels = measured_channels(several[place].path, MEASURED_SECONDS)
                measured += [channels] if channels else []
            advance()
    return Layout.of((header.channels for header in headers.values()), measured)


def inspect_text(path: str | os.PathLike[str]) -> str:
    """Return what `inspect` finds as plain text, for people; raises as `inspect` does."""
    return render(inspect(path))


def render(inspection: Inspection) -> str:
    """Return an inspection as plain text: a table of clips, then a line for each other fact."""
    return (
        "\n".join([*_table(inspection.clips), "", *_facts(inspection), *_complaints(inspection)])
        + "\n"
    )


def plain(inspection: Inspection) -> dict[str, Any]:
    """Return an inspection as values that JSON has; durations in seconds, rates in Hz."""
    clips = inspection.clips
    counts = Counter((c.machine, c.section, c.domain, c.split, c.label) for c in clips)
    fields = ("machine", "section", "domain", "split", "label", "clips")
    return {
        "path": inspection.path,
        "clips": [dict(zip(fields, (*key, n), strict=True)) for key, n in sorted(counts.items())],
        "recordings": len(clips),
        "repeats": inspection.repeats,
        "seconds": asdict(inspection.durations),
        "sample_rates": {str(rate): n for rate, n in sorted(inspection.sample_rates.items())},
        "channels": {str(number): n for number, n in sorted(inspection.channels.items())},
        "channel_facts": list(facts(inspection.layout)) if inspection.layout else [],
        "unreadable": dict(inspection.unreadable),
        "incomplete": dict(inspection.incomplete),
        "notes": list(clips.notes),
        "left_out": list(clips.left_out),
    }


def _durations(seconds: Sequence[float]) -> Durations:
    return Durations(min(seconds), median(seconds), max(seconds), sum(seconds))


def _table(clips: Manifest) -> Iterator[str]:
    """Yield the lines of a table: machine, section, and clips of each kind that there is."""
    kinds = [(name, wanted) for name, wanted in COLUMNS if len(clips.select(**wanted))]
    rows = [("machine", "section", *(name for name, _ in kinds))]
    for machine in clips.values("machine"):
        of_machine = clips.select(machine=machine)
        for section in of_machine.values("section"):
            group = of_machine.select(section=section)
            rows.append((machine, section, *(str(len(group.select(**kind))) for _, kind in kinds)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        padded[:2] = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        yield "  ".join(padded)


def _facts(inspection: Inspection) -> Iterator[str]:
    spread = inspection.durations
    yield f"recordings:  {len(inspection.clips)}, {_span(spread.total)} in total"
    yield (
        f"duration:    {_span(spread.shortest)} to {_span(spread.longest)}, "
        f"median {_span(spread.median)}"
    )
    yield f"sample rate: {_listed(inspection.sample_rates, ' Hz')}"
    yield f"band:        up to {min(inspection.sample_rates) / 2000:.5g} kHz{_shared(inspection)}"
    yield f"channels:    {_listed(inspection.channels)}"
    if inspection.layout:
        yield from (f"             {each}" for each in facts(inspection.layout))
    yield f"domains:     {_listed(inspection.counts('domain'))}"
    if inspection.repeats > 1:
        yield f"repeats:     {inspection.repeats} train/test splits; the first is shown"


def _shared(inspection: Inspection) -> str:
    """Return the note for where recordings of several sample rates share the lowest one's band."""
    if len(inspection.sample_rates) == 1:
        return ""
    return "; that of the lowest sample rate is what all share, and what `dgmix fit` learns from"


def _complaints(inspection: Inspection) -> Iterator[str]:
    """Yield what keeps clips, or the whole set, from being used."""
    if "train" not in inspection.counts("split"):
        yield "no training clips: there is nothing to learn from here"
    yield from _paired("unreadable", inspection.unreadable)
    yield from _paired("incomplete, or with a wrong header", inspection.incomplete)
    yield from inspection.clips.notes
    yield from (f"left out: {line}" for line in inspection.clips.left_out)


def _paired(what: str, files: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield how many files there are, and each of them with the reason."""
    if files:
        yield f"{what + ':':<12} {len(files)}"
    for shown, reason in files:
        yield f"  {shown}: {reason}"


def _listed(counts: Mapping[str, int] | Mapping[int, int], unit: str = "") -> str:
    if len(counts) == 1:
        return f"{next(iter(counts))}{unit}"
    return ", ".join(f"{value}{unit} ({count})" for value, count in sorted(counts.items()))


def _span(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.4g} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
