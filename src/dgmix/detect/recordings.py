"""Recordings by name, which become features a few at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import Features, MelBank, half_mel
from dgmix.audio.cache import FeatureStore, UnreadableError, default_folder, features_of, in_order
from dgmix.audio.channels import channels_of
from dgmix.audio.features import FLOOR, MelSpectrogram
from dgmix.audio.io import Recording, load, to_signal
from dgmix.audio.quality import quality_of_columns
from dgmix.config import Recipe
from dgmix.data.clip import Clip, Manifest
from dgmix.errors import InputError, check_length
from dgmix.files import printable
from dgmix.progress import warn

Item: TypeAlias = Clip | BinaryIO | Recording

COLUMNS = ("names", "items", "sections", "domains", "recordings", "conditions")
TOGETHER_FRAMES = 10_000
SHARD = 60  # recordings; features of two shards are never computed with together


@dataclass(frozen=True)
class Sounds:
    """Recordings by name: clips of a data set, open files, or recordings in memory.

    `recordings` name what was recorded together and `conditions` the operating condition; where
    they are empty, each is a recording by itself, and its condition is its domain. `notes` are
    sentences on how names were understood, `left_out` lines on files that are not among them, with
    the reason.
    """

    names: list[str]
    items: list[Item]
    sections: list[str]
    domains: list[str]
    recordings: list[str]
    conditions: list[str]
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    @property
    def paths(self) -> list[Path]:
        """Where those of them that are files by name lie."""
        return [item.path for item in self.items if isinstance(item, Clip)]

    @property
    def attributes(self) -> list[str]:
        """What the names of clips tell beside section and domain (recording,)."""
        return [item.attributes if isinstance(item, Clip) else "" for item in self.items]

    def bank(self, recipe: Recipe, cache: str | Path | None = None, jobs: int = 1) -> MelBank:
        """Return the features of all recordings, to learn from; `InputError` for a silent one.

        Those of files are kept in `cache`, or else in the user's cache folder; others in memory.
        """
        bank = self.features(recipe, cache, jobs)
        self.refuse_silent(bank)
        self.say_notes(bank)
        return bank

    def features(self, recipe: Recipe, cache: str | Path | None = None, jobs: int = 1) -> MelBank:
        """Return the features of all recordings, whatever they hold; see `bank`."""
        paths = self.paths
        if len(paths) < len(self.items):
            bank = MelBank.of(list(self._features(recipe)), recipe.features.n_mels)
            bank.with_signals(self._signal_of(recipe))
            return bank
        store = FeatureStore(cache or default_folder(), recipe.audio, recipe.features)
        store.add(paths, jobs)
        return store.open(paths)

    def one_of_each(self) -> list[int]:
        """Return the number of the first clip of each recording."""
        firsts: dict[object, int] = {}
        for number, name in enumerate(self.recordings):
            firsts.setdefault(name or number, number)
        return list(firsts.values())

    def usable(self, recipe: Recipe, cache: str | Path | None = None, jobs: int = 1) -> Sounds:
        """Return those of these files that can be learned from; why others cannot is `left_out`.

        Their features are then in `cache`, or else in the user's cache folder. Raises `InputError`
        when none can be used.
        """
        store = FeatureStore(cache or default_folder(), recipe.audio, recipe.features)
        unreadable: dict[str, InputError] = {}
        try:
            store.add(self.paths, jobs)
        except UnreadableError as error:
            unreadable = error.reasons
        paths = [os.path.abspath(path) for path in self.paths]  # noqa: PTH100
        read = self.select([place for place, path in enumerate(paths) if path not in unreadable])
        silent = {read.paths[place] for place in read.silent(store.open(read.paths))}
        kept, lines = [], []
        for place, (name, path) in enumerate(zip(self.names, paths, strict=True)):
            if reason := unreadable.get(path):
                lines.append(str(reason).replace(path, name, 1))
            elif self.paths[place] in silent:
                lines.append(str(_silent(name)))
            else:
                kept.append(place)
        if not kept:
            raise InputError(f"{lines[0]}; none of {len(lines)} recordings can be learned from")
        return replace(self.select(kept), left_out=(*self.left_out, *map(printable, lines)))

    def silent(self, bank: MelBank) -> list[int]:
        """Return which of these recordings are silent by their features."""
        return [
            index
            for index in range(len(self))
            if not any((block > FLOOR).any() for block in bank.blocks(index))
        ]

    def say_notes(self, bank: MelBank) -> None:
        """Print what is missing of recordings, or what their headers say wrongly."""
        for name, note in zip(self.names, bank.notes, strict=True):
            if note:
                warn(f"{name}: {note}")

    def refuse_silent(self, bank: MelBank) -> None:
        """Raise `InputError` for the first file that is silent by its features.

        Beside silence all other differences between healthy recordings would look small. (Arrays
        are taken as they are: scikit-learn's own checks have some of a single sample.)
        """
        for index in self.silent(bank):
            if not isinstance(self.items[index], Recording):
                raise _silent(self.names[index])

    def relabelled(self, **columns: Sequence[str] | None) -> Sounds:
        """Return these recordings with other columns (recording,), those that are not None.

        Columns are `sections`, `domains`, `recordings` and `conditions`. Raises `InputError` where
        one does not have a value for each recording.
        """
        for name, values in columns.items():
            check_length(name, values, len(self))
        given = {
            name: [str(v) for v in values] for name, values in columns.items() if values is not None
        }
        return replace(self, **given)  # type: ignore[arg-type]

    def named_by(self, column: str, pattern: str | None) -> Sounds:
        """Return these recordings with a column that a regular expression finds in their names.

        The value is the first group of `pattern`, or all that it matches; paths are searched with
        forward slashes. Raises `InputError` for a pattern that is none, and for the first name that
        it does not match.
        """
        if pattern is None:
            return self
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise InputError(f"'{pattern}': not a regular expression ({error})") from error
        matches = [expression.search(Path(name).as_posix()) for name in self.names]
        for name, match in zip(self.names, matches, strict=True):
            if match is None:
                raise InputError(f"{name}: the pattern '{pattern}' for {column} does not match it")
        values = [m[1] if expression.groups else m[0] for m in matches if m is not None]
        return self.relabelled(**{column: [value or "" for value in values]})

    def without(self, patterns: Sequence[str]) -> Sounds:
        """Return these recordings but those whose names, or ends of paths, match a pattern.

        Patterns are names of files, or have `*` and `?`. Raises `InputError` for one that matches
        nothing.
        """
        left_out: set[int] = set()
        paths = [Path(name) for name in self.names]
        for pattern in patterns:
            matches = {number for number, path in enumerate(paths) if path.match(pattern)}
            if not matches:
                raise InputError(f"{pattern}: no recording is called that; nothing is left out")
            left_out |= matches
        kept = self.select([number for number in range(len(self)) if number not in left_out])
        lines = (f"{self.names[number]}: named by --leave-out" for number in sorted(left_out))
        return replace(kept, left_out=(*kept.left_out, *lines))

    def select(self, chosen: Sequence[int]) -> Sounds:
        """Return the recordings of these numbers."""
        columns = {name: getattr(self, name) for name in COLUMNS}
        picked = {name: [values[i] for i in chosen] for name, values in columns.items()}
        return replace(self, **picked)  # type: ignore[arg-type]

    def part(self, chosen: slice) -> Sounds:
        """Return some of these recordings."""
        return self.select(range(len(self))[chosen])

    def parts(self, size: int) -> Iterator[Sounds]:
        """Yield these recordings in parts of at most `size`."""
        for first in range(0, len(self), size):
            yield self.part(slice(first, first + size))

    def signals(self, recipe: Recipe) -> Iterator[NDArray[np.float32]]:
        """Yield the signal (sample,) of each recording, or signals (sample, signal)."""
        for item, name in zip(self.items, self.names, strict=True):
            yield _signal(item, name, recipe)

    def _features(self, recipe: Recipe) -> Iterator[Features]:
        """Yield the features of each recording, decoding files."""
        mel = MelSpectrogram(recipe.features, recipe.audio.rate)
        for item, name in zip(self.items, self.names, strict=True):
            yield _features(item, name, recipe, mel)

    def banks(self, recipe: Recipe) -> Iterator[tuple[Sounds, MelBank | InputError]]:
        """Yield these recordings in order with their features, several short ones at once.

        One that cannot be read comes alone, with the reason. A few recordings are decoded ahead
        while the caller computes; no more are in memory.
        """
        from dgmix.workers import single_threaded, threads

        mel = MelSpectrogram(recipe.features, recipe.audio.rate)

        def decode(index: int) -> Features | InputError:
            try:
                return _features(self.items[index], self.names[index], recipe, mel)
            except InputError as error:
                return error

        first = 0
        bank: MelBank | InputError
        jobs = max(2, threads()) if len(self) > 1 else 1
        decoded_ahead = in_order(decode, range(len(self)), jobs)
        with single_threaded(), closing(decoded_ahead) as decoded:
            for features in _together(decoded):
                if isinstance(features, InputError):
                    last, bank = first + 1, features
                else:
                    last = first + len(features)
                    bank = MelBank.of(features, recipe.features.n_mels)
                    bank.with_signals(self._signal_of(recipe, first))
                    self.part(slice(first, last)).say_notes(bank)
                yield self.part(slice(first, last)), bank
                first = last

    def _signal_of(self, recipe: Recipe, first: int = 0) -> Callable[[int], NDArray[np.float32]]:
        """Return what gives the signal (sample,) of a recording by its number, counted from one."""

        def signal(index: int) -> NDArray[np.float32]:
            item = self.items[first + index]
            if not isinstance(item, Recording | Clip):
                item.seek(0)
            return _signal(item, self.names[first + index], recipe)

        return signal

    def readable_banks(self, recipe: Recipe) -> Iterator[tuple[Sounds, MelBank]]:
        """Yield what `banks` does; raise the error of the first recording that cannot be read."""
        for part, bank in self.banks(recipe):
            if isinstance(bank, InputError):
                raise bank
            yield part, bank


def _silent(name: str) -> InputError:
    return InputError(f"{name}: silent; leave it out of what is learned from")


def of_clips(clips: Manifest) -> Sounds:
    """Return the clips of a data set, with what is noted of it."""
    return Sounds(
        [clips.shown_path(clip) for clip in clips],
        list(clips),
        [clip.section for clip in clips],
        [clip.domain for clip in clips],
        [clip.recording for clip in clips],
        [clip.operating_condition for clip in clips],
        clips.notes,
        clips.left_out,
    )


def _features(item: Item, name: str, recipe: Recipe, mel: MelSpectrogram) -> Features:
    """Return the features of a recording; raises `InputError` for one that cannot be used."""
    if isinstance(item, Recording):
        signal = _signal(item, name, recipe)
        return Features(
            half_mel(signal, mel),
            item.note,
            quality_of_columns(item.samples, item.sample_rate),
            channels_of(item.samples, item.sample_rate),
        )
    return features_of(item.path if isinstance(item, Clip) else item, recipe.audio, mel)


def _signal(item: Item, name: str, recipe: Recipe) -> NDArray[np.float32]:
    if isinstance(item, Recording):
        return to_signal(item.samples, item.sample_rate, recipe.audio, name)
    return load(item.path if isinstance(item, Clip) else item, recipe.audio)


def _together(
    decoded: Iterable[Features | InputError],
) -> Iterator[list[Features] | InputError]:
    """Yield features in lists of about `TOGETHER_FRAMES` frames, and errors alone, in order.

    A shard begins a new list, so that each shard gives the same numbers without the others.
    """
    waiting: list[Features] = []
    for number, features in enumerate(decoded):
        frames = sum(len(each.mel) for each in waiting)
        full = (
            isinstance(features, InputError)
            or number % SHARD == 0
            or frames + len(features.mel) > TOGETHER_FRAMES
        )
        if waiting and full:
            yield waiting
            waiting = []
        if isinstance(features, InputError):
            yield features
        else:
            waiting.append(features)
    if waiting:
        yield waiting
