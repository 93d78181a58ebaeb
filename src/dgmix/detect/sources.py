"""What a user hands to a detector, as recordings: a folder, files, or arrays."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.io import full_scale, to_signal
from dgmix.config import Recipe
from dgmix.data import load_manifest
from dgmix.data.clip import DOMAINS, SPLITS, Clip, Manifest
from dgmix.data.dcase import parse_name
from dgmix.data.folder import LABEL_FOLDERS
from dgmix.detect.recordings import Item, Sounds, of_clips
from dgmix.errors import InputError

Source: TypeAlias = (
    "str | os.PathLike[str] | Sequence[Any] | NDArray[np.floating] | Manifest | Sounds"
)

STANDARD_INPUT = "-"
DEEPEST_SECTION = 8  # folders whose names make the name of a section


class ArrayError(InputError, ValueError):
    """An array that holds no recordings; a `ValueError` too, as scikit-learn asks for."""


def healthy_sounds(source: Source, recipe: Recipe, sample_rate: int | None = None) -> Sounds:
    """Return the normal training recordings of `source`; see `sounds`.

    Files and arrays that do not say otherwise are of section "00" and domain "source"; files that
    are listed are training recordings, whatever split their names tell.
    Raises `InputError` when there are none, when they are of several machine types, or where the
    name of the folder or of a listed file says that they are anomalies.
    """
    if isinstance(source, Manifest):
        return _healthy_clips(source, f"{source.root}")
    if _is_path(source) and not _is_recording(Path(source)):  # type: ignore[arg-type]
        return _healthy_folder(Path(source))  # type: ignore[arg-type]
    found = sounds(source, recipe, sample_rate, "00", "source")
    for item in found.items:
        if isinstance(item, Clip) and item.label == "anomaly":
            raise InputError(
                f"{item.path}: an anomaly, by its name; give healthy recordings to learn from"
            )
    return found


def _healthy_folder(source: Path) -> Sounds:
    """Return the normal training recordings of a folder or CSV.

    What lies in a folder called "broken" is healthy only in a sub-folder that says so.
    """
    found = _healthy_clips(load_manifest(source), f"{source}")
    if LABEL_FOLDERS.get(source.absolute().name.lower()) == "anomaly":
        for path in found.paths:
            folders = path.relative_to(source).parts[:-1]
            if "normal" not in {LABEL_FOLDERS.get(name.lower()) for name in folders}:
                raise InputError(
                    f"{path}: an anomaly, by the name of the folder {source}; give healthy "
                    "recordings to learn from"
                )
    return found


def _healthy_clips(clips: Manifest, source: str) -> Sounds:
    """Return the normal training clips of the first train/test split; see `healthy_sounds`."""
    healthy = clips.select(split="train", label="normal", repeat=min(clips.repeats, default=0))
    if not healthy:
        raise InputError(f"{source}: no healthy recordings to learn from; see `dgmix inspect`")
    machines = healthy.values("machine")
    if len(machines) > 1:
        raise InputError(
            f"{source}: {len(machines)} machine types ({', '.join(machines)}); "
            "fit a detector for each, on its own folder"
        )
    return of_clips(healthy)


def sounds(
    source: Source,
    recipe: Recipe,
    sample_rate: int | None = None,
    section: str = "",
    domain: str = "unknown",
    known: Collection[str] = (),
) -> Sounds:
    """Return the recordings of a folder, a CSV, a file, or a sequence of files or arrays.

    Files are paths or open binary files. Arrays are signals (sample,), full scale ±1 or that of
    uint8, int16 and int32 as in sound files, at `sample_rate`, or else at the recipe's rate; a 2-d
    array is (recording, sample). `section` and `domain` are those of files and arrays whose name
    does not tell; of `known` sections a file is of the one that its folders are called (see
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
    items = _rows(source) if hasattr(source, "shape") else list(source)  # type: ignore[arg-type]
    if not items:
        raise ArrayError("no recordings: the sequence is empty")
    if all(_is_path(item) or _is_file(item) for item in items):
        return _of_files(items, section, domain, known)
    return _of_arrays(items, recipe, sample_rate, section, domain)


def named_sounds(arguments: Iterable[str], sections: Collection[str] = ()) -> Sounds:
    """Return the recordings that a command line names: files, folders, patterns, CSVs, or "-".

    A folder stands for all recordings in it, "-" for one on standard input. A file that is not
    there is among them, to be reported when it is its turn. `sections` are those that a detector
    knows: a plain file is of the one that its folders are called, however its path is written.
    Raises `InputError` for a folder without recordings and a pattern that nothing matches.
    """
    parts = [_named(argument, sections) for argument in arguments]
    columns = ([getattr(part, each.name) for part in parts] for each in fields(Sounds))
    return Sounds(*(list(chain.from_iterable(values)) for values in columns))


def _named(argument: str, sections: Collection[str]) -> Sounds:
    path = Path(argument)
    if argument == STANDARD_INPUT:
        return _of_files([_standard_input()], "", "unknown")
    if path.suffix.lower() == ".csv":
        clips = list({clip.path: clip for clip in load_manifest(path)}.values())
        return replace(of_clips(Manifest(clips, path)), names=[str(clip.path) for clip in clips])
    if path.is_dir():
        return _of_files([clip.path for clip in load_manifest(path)], "", "unknown", sections)
    if glob.has_magic(argument) and not path.exists():
        files = sorted(Path(match) for match in glob.glob(argument, recursive=True))  # noqa: PTH207
        files = [file for file in files if file.is_file()]
        if not files:
            raise InputError(f"{argument}: no file matches this pattern")
        return _of_files(files, "", "unknown", sections)
    return _of_files([path], "", "unknown", sections)


def section_of(path: Path, sections: Collection[str]) -> str:
    """Return the section, out of known ones, that the folders of a file are called, or "".

    As in `dgmix.data.folder`, folders that name a label, split or domain do not count, and a file
    in none of the sections' folders is of section "00" where that is known.
    """
    told = {*LABEL_FOLDERS, *SPLITS, *DOMAINS}
    folders = [name for name in Path(os.path.abspath(path)).parts[1:-1] if name.lower() not in told]  # noqa: PTH100
    for first in range(max(0, len(folders) - DEEPEST_SECTION), len(folders)):
        name = "_".join(folders[first:])
        if name in sections:
            return name
    return "00" if "00" in sections else ""


def _standard_input() -> BinaryIO:
    """Return all of standard input: libsndfile has to go back and forth in it."""
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
        names.append(str(file.path) if isinstance(file, Clip) else str(getattr(file, "name", "-")))
        items.append(file)
        clips.append(clip)
    labelled = of_clips(Manifest(clips, Path()))
    return replace(labelled, names=names, items=items)


def _rows(array: Any) -> list[Any]:
    """Return the recordings of an array (recording, sample), or the paths of an array (path,)."""
    from scipy.sparse import issparse  # type: ignore[import-untyped]

    if issparse(array):
        raise ArrayError("a sparse matrix holds no recordings; give its toarray()")
    rows = np.asarray(array)
    if rows.ndim != 2 and rows.dtype.kind not in "OU":
        raise ArrayError(
            f"an array with {rows.ndim} axes; recordings are its rows, so put a single one in a "
            "list (Reshape your data)"
        )
    return list(rows)


def _of_arrays(
    items: Sequence[Any], recipe: Recipe, sample_rate: int | None, section: str, domain: str
) -> Sounds:
    if sample_rate is not None and sample_rate <= 0:
        raise ArrayError(f"sample_rate: {sample_rate}; give how many samples a second has")
    rate = sample_rate or recipe.audio.sample_rate
    names = [f"recording {number}" for number in range(len(items))]
    signals: list[Item] = [
        to_signal(_samples(item, name), rate, recipe.audio, name)
        for item, name in zip(items, names, strict=True)
    ]
    count = len(items)
    empty = [""] * count
    return Sounds(names, signals, [section] * count, [domain] * count, empty, empty)


def _samples(item: Any, name: str) -> NDArray[np.float32]:
    """Return one recording of an array, float32 (sample,); raises `ArrayError` or `TypeError`."""
    values = np.asarray(item)
    if np.iscomplexobj(values):
        raise ArrayError(f"{name}: samples are real numbers. Complex data not supported")
    try:
        samples = full_scale(values).astype(np.float32)
    except ValueError as error:
        raise ArrayError(f"{name}: its samples are not numbers") from error
    if samples.ndim != 1:
        raise ArrayError(f"{name}: expected samples on one axis, not {samples.ndim}")
    if not len(samples):
        raise ArrayError(f"{name}: 0 samples where at least one is required")
    if not np.isfinite(samples).all():
        raise ArrayError(f"{name}: a sample is not a finite number (NaN or inf)")
    return samples
