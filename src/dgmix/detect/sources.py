"""What a user hands to a detector, as recordings: a folder, files, or arrays."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.arrays import ArrayError, hertz, is_pair, items_of, samples_of
from dgmix.audio.io import Recording
from dgmix.data import load_manifest
from dgmix.data.clip import Clip, Manifest, why_none
from dgmix.data.dcase import parse_name
from dgmix.data.folder import label_around, section_names
from dgmix.data.label_words import ANOMALY
from dgmix.data.labels import label_in
from dgmix.data.patterns import matching_files
from dgmix.detect.recordings import COLUMNS, Item, Sounds, of_clips
from dgmix.errors import InputError
from dgmix.files import printable

Source: TypeAlias = (
    "str | os.PathLike[str] | Sequence[Any] | NDArray[np.floating] | Manifest | Sounds"
)

STANDARD_INPUT = "-"
DEEPEST_SECTION = 8  # folders whose names make the name of a section


def healthy_sounds(source: Source, sample_rate: int | None = None) -> Sounds:
    """Return the normal training recordings of `source`; see `sounds`.

    Files and arrays that do not say otherwise are of section "00" and domain "source"; files that
    are listed are training recordings, whatever split their names tell.
    Raises `InputError` when there are none, when they are of several machine types, or where the
    name of the folder or of a listed file says that they are anomalies.
    """
    if isinstance(source, Manifest):
        return _healthy_clips(source, f"{source.root}")
    if _is_path(source) and not _is_recording(Path(source)):  # type: ignore[arg-type]
        return _healthy_clips(load_manifest(source), f"{source}")  # type: ignore[arg-type]
    given = sounds(source, sample_rate, "00", "source")
    for item in given.items:
        if isinstance(item, Clip) and _names_anomaly(item):
            raise InputError(
                f"{item.path}: an anomaly, by its name; give healthy recordings to learn from"
            )
    return given


def named_healthy(arguments: Sequence[str]) -> Sounds:
    """Return the healthy recordings that a command line names: a folder, a CSV, or files and
    patterns; see `healthy_sounds`.

    Raises `InputError` for a folder or CSV beside others, and a pattern that nothing matches.
    """
    if len(arguments) == 1 and not _is_pattern(arguments[0]):
        return healthy_sounds(arguments[0])
    files = [path for argument in arguments for path in _files_of(argument)]
    for path in files:
        if path.is_dir() or path.suffix.lower() == ".csv":
            raise InputError(f"{path}: name one folder or CSV alone, or several files")
        if not path.exists():
            raise InputError(f"{path}: no such file or folder; check the path")
    return healthy_sounds(files)


def _names_anomaly(clip: Clip) -> bool:
    folder = Path(os.path.abspath(clip.path.parent))  # noqa: PTH100 - links count
    label = label_in(clip.path.stem) or label_around(folder)
    return clip.label == ANOMALY or (label is not None and label.label == ANOMALY)


def _healthy_clips(clips: Manifest, source: str) -> Sounds:
    """Return the normal training clips of the first train/test split; see `healthy_sounds`."""
    healthy = clips.select(split="train", label="normal", repeat=min(clips.repeats, default=0))
    if not healthy:
        raise InputError(f"{source}: no healthy recordings to learn from; {why_none(clips)}")
    machines = healthy.values("machine")
    if len(machines) > 1:
        raise InputError(
            f"{source}: {len(machines)} machine types ({', '.join(machines)}); "
            "fit a detector for each, on its own folder"
        )
    return replace(of_clips(healthy), notes=clips.notes, left_out=clips.left_out)


def sounds(
    source: Source,
    sample_rate: int | None = None,
    section: str = "",
    domain: str = "unknown",
    known: Collection[str] = (),
) -> Sounds:
    """Return the recordings of a folder, a CSV, a file, or a sequence of files or arrays.

    Files are paths or open binary files. Arrays are as `dgmix.audio.arrays.samples_of` takes them,
    at their own rate where it is given with each, or else at `sample_rate`; a 2-d array is
    (recording, sample). `section` and `domain` are those of files and arrays whose name does
    not tell; of `known` sections a file is of the one that its folders are called (see
    `section_of`). Raises `InputError` for what is none of these.
    """
    if isinstance(source, Sounds):
        return source
    if isinstance(source, Manifest):
        return of_clips(source)
    if _is_path(source):
        path = Path(source)  # type: ignore[arg-type]
        if _is_recording(path):
            return _of_files([path], section, domain, known)
        clips = load_manifest(path)
        if not path.is_dir():
            return of_clips(clips)
        files = _of_files([clip.path for clip in clips], section, domain, known)
        return replace(files, names=[clips.shown_path(clip) for clip in clips])
    if is_pair(source):
        return _of_arrays([source], sample_rate, section, domain)
    items = items_of(source)
    if all(_is_path(item) or _is_file(item) for item in items):
        return _of_files(items, section, domain, known)
    return _of_arrays(items, sample_rate, section, domain)


def named_sounds(arguments: Iterable[str], sections: Collection[str] = ()) -> Sounds:
    """Return the recordings that a command line names: files, folders, patterns, CSVs, or "-".

    A folder stands for all recordings in it, "-" for one on standard input. A file that is not
    there is among them, to be reported when it is its turn. `sections` are those that a detector
    knows: a plain file is of the one that its folders are called, however its path is written.
    Raises `InputError` for a folder without recordings and a pattern that nothing matches.
    """
    arguments = list(arguments)
    if arguments.count(STANDARD_INPUT) > 1:
        raise InputError("-: standard input can be read once; name it once")
    parts = [_named(argument, sections) for argument in arguments]
    columns = {
        name: list(chain.from_iterable(getattr(part, name) for part in parts)) for name in COLUMNS
    }
    left_out = dict.fromkeys(line for part in parts for line in part.left_out)
    return Sounds(**columns, left_out=tuple(left_out))  # type: ignore[arg-type]


def _named(argument: str, sections: Collection[str]) -> Sounds:
    path = Path(argument)
    if argument == STANDARD_INPUT:
        return _of_files([_standard_input()], "", "unknown")
    if path.suffix.lower() == ".csv":
        manifest = load_manifest(path)
        clips = list({clip.path: clip for clip in manifest}.values())
        names = [printable(clip.path) for clip in clips]
        return replace(of_clips(Manifest(clips, path)), names=names, left_out=manifest.left_out)
    if path.is_dir():
        manifest = load_manifest(path)
        files = _of_files([clip.path for clip in manifest], "", "unknown", sections)
        return replace(files, left_out=manifest.left_out)
    return _of_files(_files_of(argument), "", "unknown", sections)


def _is_pattern(argument: str) -> bool:
    return glob.has_magic(argument) and not Path(argument).exists()


def _files_of(argument: str) -> list[Path]:
    """Return the file that is named, or the files that a pattern matches, at least one."""
    if not _is_pattern(argument):
        return [Path(argument)]
    matches = matching_files(argument)
    if not matches:
        raise InputError(f"{argument}: no file matches this pattern")
    return matches


def section_of(path: Path, sections: Collection[str]) -> str:
    """Return the section, out of known ones, that the folders of a file are called, or "".

    As in `dgmix.data.folder`, folders that name a label, split or domain do not count, and a file
    in none of the sections' folders is of section "00" where that is known.
    """
    folders = Path(os.path.abspath(path)).parts[1:-1]  # noqa: PTH100 - keeps links
    names = section_names(folders[-DEEPEST_SECTION:])
    for first in range(len(names)):
        name = "_".join(names[first:])
        if name in sections:
            return name
    return "00" if "00" in sections else ""


def _standard_input() -> BinaryIO:
    """Return all of standard input: libsndfile has to go back and forth in it."""
    if sys.stdin is None:
        raise InputError("standard input is closed; name a file, or pipe a recording in")
    file = io.BytesIO(sys.stdin.buffer.read())
    file.name = "standard input"
    return file


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _is_recording(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() != ".csv"


def _is_file(value: Any) -> bool:
    return hasattr(value, "read")


def _of_files(
    files: Sequence[Any], section: str, domain: str, sections: Collection[str] = ()
) -> Sounds:
    """Return files, whose section, domain and condition a DCASE name may tell."""
    names, items, clips = [], [], []
    for file in files:
        clip = Clip(Path(), "", section=section, domain=domain)
        if _is_path(file):
            path = Path(file)
            own = section_of(path, sections) or section
            plain = Clip(path, path.parent.name, section=own, domain=domain)
            file = clip = parse_name(path, path.parent.name) or plain
        name = file.path if isinstance(file, Clip) else str(getattr(file, "name", "-"))
        names.append(printable(name))
        items.append(file)
        clips.append(clip)
    labelled = of_clips(Manifest(clips, Path()))
    return replace(labelled, names=names, items=items)


def _of_arrays(items: Sequence[Any], sample_rate: int | None, section: str, domain: str) -> Sounds:
    sample_rate = None if sample_rate is None else hertz(sample_rate, "sample_rate")
    names = [f"recording {number}" for number in range(len(items))]
    signals = [samples_of(item, name) for item, name in zip(items, names, strict=True)]
    recordings: list[Item] = [
        Recording(samples, own_rate or sample_rate or _no_rate(name))
        for (samples, own_rate), name in zip(signals, names, strict=True)
    ]
    count = len(items)
    empty = [""] * count
    return Sounds(names, recordings, [section] * count, [domain] * count, empty, empty)


def _no_rate(name: str) -> NoReturn:
    raise ArrayError(
        f"{name}: an array does not tell its sample rate; give sample_rate=..., or a pair of "
        "samples and rate"
    )
