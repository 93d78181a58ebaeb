"""What a user hands to a detector: a folder, files, or arrays; all become features with names."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.arrays import ArrayError, is_pair, mono, recordings_of
from dgmix.audio.bank import Half, MelBank, bank_of_signals, half_mel
from dgmix.audio.cache import FeatureStore, UnreadableError, default_folder, features_of, in_order
from dgmix.audio.io import load, to_signal
from dgmix.config import Recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Clip, Manifest, why_none
from dgmix.data.dcase import parse_name
from dgmix.data.labels import label_in
from dgmix.data.patterns import matching_files
from dgmix.errors import InputError
from dgmix.files import printable
from dgmix.progress import say
from dgmix.workers import single_threaded_torch, torch_threads

Source: TypeAlias = (
    "str | os.PathLike[str] | Sequence[Any] | NDArray[np.floating] | Manifest | Sounds"
)
Item: TypeAlias = Clip | BinaryIO | NDArray[np.float32]

STANDARD_INPUT = "-"
TOGETHER_FRAMES = 10_000
SHARD = 60  # recordings; features of two shards are never computed with together


@dataclass(frozen=True)
class Sounds:
    """Recordings by name: clips of a data set, open files, or signals (sample,) in memory."""

    names: list[str]
    items: list[Item]
    sections: list[str]
    domains: list[str]
    notes: tuple[str, ...] = ()  # sentences on how names were understood
    left_out: tuple[str, ...] = ()  # lines on files that are not among them, with the reason

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
        paths = self.paths
        if len(paths) < len(self.items):
            bank = bank_of_signals(self.signals(recipe), recipe.audio, recipe.features)
        else:
            store = FeatureStore(cache or default_folder(), recipe.audio, recipe.features)
            store.add(paths, jobs)
            bank = store.open(paths)
        self.refuse_silent(bank)
        self.say_notes(bank)
        return bank

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
        read = self.chosen([place for place, path in enumerate(paths) if path not in unreadable])
        silent = {read.paths[place] for place in read.silent(store.open(read.paths))}
        left, lines = [], []
        for place, (name, path) in enumerate(zip(self.names, paths, strict=True)):
            if reason := unreadable.get(path):
                lines.append(str(reason).replace(path, name, 1))
            elif self.paths[place] in silent:
                lines.append(str(_silent(name)))
            else:
                left.append(place)
        if not left:
            raise InputError(f"{lines[0]}; none of {len(lines)} recordings can be learned from")
        return replace(self.chosen(left), left_out=(*self.left_out, *map(printable, lines)))

    def silent(self, bank: MelBank) -> list[int]:
        """Return which of these recordings have features in which nothing is heard."""
        from dgmix.audio.features import FLOOR

        return [
            index
            for index in range(len(self))
            if not any((block > FLOOR).any() for block in bank.blocks(index))
        ]

    def say_notes(self, bank: MelBank) -> None:
        """Print what is missing of recordings, or what their headers say wrongly."""
        for name, note in zip(self.names, bank.notes, strict=True):
            if note:
                say(f"{name}: {note}")

    def chosen(self, places: Sequence[int]) -> Sounds:
        """Return the recordings at some places."""
        return Sounds(
            [self.names[place] for place in places],
            [self.items[place] for place in places],
            [self.sections[place] for place in places],
            [self.domains[place] for place in places],
            self.notes,
            self.left_out,
        )

    def refuse_silent(self, bank: MelBank) -> None:
        """Raise `InputError` for the first file in whose features nothing is heard.

        Beside silence all other differences between healthy recordings would look small. (Arrays
        are taken as they are: scikit-learn's own checks have some of a single sample.)
        """
        for index in self.silent(bank):
            if not isinstance(self.items[index], np.ndarray):
                raise _silent(self.names[index])

    def relabelled(self, sections: Sequence[str] | None, domains: Sequence[str] | None) -> Sounds:
        """Return these recordings with other sections and domains (recording,), where given."""
        one_each("sections", sections, len(self))
        one_each("domains", domains, len(self))
        return replace(
            self,
            sections=self.sections if sections is None else [str(s) for s in sections],
            domains=self.domains if domains is None else [str(d) for d in domains],
        )

    def part(self, chosen: slice) -> Sounds:
        """Return some of these recordings."""
        return Sounds(
            self.names[chosen], self.items[chosen], self.sections[chosen], self.domains[chosen]
        )

    def parts(self, size: int) -> Iterator[Sounds]:
        """Yield these recordings in parts of at most `size`."""
        for first in range(0, len(self), size):
            yield self.part(slice(first, first + size))

    def signals(self, recipe: Recipe) -> Iterator[NDArray[np.float32]]:
        """Yield the signal (sample,) of each recording, decoding files."""
        for item in self.items:
            yield _signal(item, recipe)

    def banks(self, recipe: Recipe) -> Iterator[tuple[Sounds, MelBank | InputError]]:
        """Yield these recordings in order with their features, several short ones at once.

        One that cannot be read comes alone, with the reason. A few recordings are decoded ahead
        while the caller computes; no more are in memory.
        """
        from dgmix.audio.features import MelSpectrogram

        mel = MelSpectrogram(recipe.features, recipe.audio.sample_rate)

        notes = [""] * len(self)

        def decode(index: int) -> Half | InputError:
            item = self.items[index]
            try:
                if isinstance(item, np.ndarray):
                    return half_mel(item, mel)
                source = item.path if isinstance(item, Clip) else item
                notes[index], features = features_of(source, recipe.audio, mel)
            except InputError as error:
                return error
            return features

        first = 0
        bank: MelBank | InputError
        decoded_ahead = in_order(decode, range(len(self)), max(2, torch_threads()))
        with single_threaded_torch(), closing(decoded_ahead) as decoded:
            for found in _together(decoded):
                if isinstance(found, InputError):
                    last, bank = first + 1, found
                else:
                    last = first + len(found)
                    bank = MelBank(found, recipe.features.n_mels, notes=notes[first:last])
                    self.part(slice(first, last)).say_notes(bank)
                yield self.part(slice(first, last)), bank
                first = last


def _silent(name: str) -> InputError:
    return InputError(f"{name}: silent; leave it out of what is learned from")


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
        return _healthy_clips(load_manifest(source), f"{source}")  # type: ignore[arg-type]
    found = sounds(source, recipe, sample_rate, "00", "source")
    for item in found.items:
        if isinstance(item, Clip) and _names_anomaly(item):
            raise InputError(
                f"{item.path}: an anomaly, by its name; give healthy recordings to learn from"
            )
    return found


def _names_anomaly(clip: Clip) -> bool:
    found = label_in(clip.path.stem)
    return clip.label == "anomaly" or (found is not None and found.label == "anomaly")


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
    return replace(_of_clips(healthy), notes=clips.notes, left_out=clips.left_out)


def sounds(
    source: Source,
    recipe: Recipe,
    sample_rate: int | None = None,
    section: str = "",
    domain: str = "unknown",
) -> Sounds:
    """Return the recordings of a folder, a CSV, a file, or a sequence of files or arrays.

    Files are paths or open binary files. Arrays are as `dgmix.audio.arrays.mono` takes them, at
    their own rate where it is given with each, or else at `sample_rate` or the recipe's; a 2-d
    array is (recording, sample). `section` and `domain` are those of files and arrays whose name
    does not tell. Raises `InputError` for what is none of these.
    """
    if isinstance(source, Sounds):
        return source
    if isinstance(source, Manifest):
        return _of_clips(source)
    if _is_path(source):
        path = Path(source)  # type: ignore[arg-type]
        if _is_recording(path):
            return _of_files([path], section, domain)
        return _of_clips(load_manifest(path))
    if is_pair(source):
        return _of_arrays([source], recipe, sample_rate, section, domain)
    items = recordings_of(source) if hasattr(source, "shape") else list(source)  # type: ignore[arg-type]
    if not items:
        raise ArrayError("no recordings: the sequence is empty")
    if all(_is_path(item) or _is_file(item) for item in items):
        return _of_files(items, section, domain)
    return _of_arrays(items, recipe, sample_rate, section, domain)


def one_each(what: str, given: Sequence[Any] | None, count: int) -> None:
    """Raise `InputError` unless there is one of `given` for each of `count` recordings, or none."""
    if isinstance(given, str):
        raise InputError(f"{what}: the text '{given}'; give a list, one for each recording")
    if given is not None and len(given) != count:
        raise InputError(f"{what}: {len(given)} for {count} recordings; give one each")


def named_sounds(arguments: Iterable[str]) -> Sounds:
    """Return the recordings that a command line names: files, folders, patterns, CSVs, or "-".

    A folder stands for all recordings in it, "-" for one on standard input. A file that is not
    there is among them, to be reported when it is its turn. Raises `InputError` for a folder
    without recordings and a pattern that nothing matches.
    """
    arguments = list(arguments)
    if arguments.count(STANDARD_INPUT) > 1:
        raise InputError("-: standard input can be read once; name it once")
    parts = [_named(argument) for argument in arguments]
    return Sounds(
        [name for part in parts for name in part.names],
        [item for part in parts for item in part.items],
        [section for part in parts for section in part.sections],
        [domain for part in parts for domain in part.domains],
        left_out=tuple(dict.fromkeys(line for part in parts for line in part.left_out)),
    )


def _named(argument: str) -> Sounds:
    path = Path(argument)
    if argument == STANDARD_INPUT:
        return _of_files([_standard_input()], "", "unknown")
    if path.is_dir() or path.suffix.lower() == ".csv":
        manifest = load_manifest(path)
        clips = list({clip.path: clip for clip in manifest}.values())
        names = [printable(clip.path) for clip in clips]
        return replace(_of_clips(Manifest(clips, path)), names=names, left_out=manifest.left_out)
    if glob.has_magic(argument) and not path.exists():
        files = matching_files(argument)
        if not files:
            raise InputError(f"{argument}: no file matches this pattern")
        return _of_files(files, "", "unknown")
    return _of_files([path], "", "unknown")


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


def _signal(item: Item, recipe: Recipe) -> NDArray[np.float32]:
    if isinstance(item, np.ndarray):
        return item
    return load(item.path if isinstance(item, Clip) else item, recipe.audio)


def _together(decoded: Iterable[Half | InputError]) -> Iterator[list[Half] | InputError]:
    """Yield features in lists of about `TOGETHER_FRAMES` frames, and errors alone, in order.

    A shard begins a new list, so that each shard gives the same numbers without the others.
    """
    waiting: list[Half] = []
    for number, found in enumerate(decoded):
        frames = sum(map(len, waiting))
        full = (
            isinstance(found, InputError)
            or number % SHARD == 0
            or frames + len(found) > TOGETHER_FRAMES
        )
        if waiting and full:
            yield waiting
            waiting = []
        if isinstance(found, InputError):
            yield found
        else:
            waiting.append(found)
    if waiting:
        yield waiting


def _of_clips(clips: Manifest) -> Sounds:
    return Sounds(
        [clips.shown_path(clip) for clip in clips],
        list(clips),
        [clip.section for clip in clips],
        [clip.domain for clip in clips],
    )


def _of_files(files: Sequence[Any], section: str, domain: str) -> Sounds:
    """Return files, whose section and domain a DCASE name may tell."""
    names, items, sections, domains = [], [], [], []
    for file in files:
        clip = None
        if _is_path(file):
            path = Path(file)
            clip = parse_name(path, path.parent.name)
            file = clip or Clip(path, path.parent.name, section=section, domain=domain)
        name = file.path if isinstance(file, Clip) else str(getattr(file, "name", "-"))
        names.append(printable(name))
        items.append(file)
        sections.append(clip.section if clip else section)
        domains.append(clip.domain if clip else domain)
    return Sounds(names, items, sections, domains)


def _of_arrays(
    items: Sequence[Any], recipe: Recipe, sample_rate: int | None, section: str, domain: str
) -> Sounds:
    if sample_rate is not None and sample_rate <= 0:
        raise ArrayError(f"sample_rate: {sample_rate}; give how many samples a second has")
    names = [f"recording {number}" for number in range(len(items))]
    signals: list[Item] = []
    for item, name in zip(items, names, strict=True):
        samples, own_rate = mono(item, name)
        rate = own_rate or sample_rate or recipe.audio.sample_rate
        signals.append(to_signal(samples, rate, recipe.audio, name))
    return Sounds(names, signals, [section] * len(items), [domain] * len(items))


def readable(
    banks: Iterable[tuple[Sounds, MelBank | InputError]],
) -> Iterator[tuple[Sounds, MelBank]]:
    """Yield recordings with their features; raise the error of the first that has none."""
    for part, bank in banks:
        if isinstance(bank, InputError):
            raise bank
        yield part, bank
