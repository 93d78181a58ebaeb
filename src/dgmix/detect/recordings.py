"""What a user hands to a detector: a folder, files, or arrays; all become features with names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.cache import FeatureStore, default_folder
from dgmix.audio.io import load, to_signal
from dgmix.config import Recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Clip, Manifest
from dgmix.errors import InputError

Source: TypeAlias = str | os.PathLike[str] | Sequence[Any] | NDArray[np.floating] | Manifest


@dataclass(frozen=True)
class Sounds:
    """Recordings by name, each a clip of a data set or a signal (sample,) in memory."""

    names: list[str]
    items: list[Clip | NDArray[np.float32]]
    sections: list[str]
    domains: list[str]

    def __len__(self) -> int:
        return len(self.items)

    def bank(self, recipe: Recipe, cache: str | Path | None = None, jobs: int = 1) -> MelBank:
        """Return the features of all recordings.

        Those of files are kept in `cache`, or else in the user's cache folder.
        """
        clips = [item for item in self.items if isinstance(item, Clip)]
        if len(clips) < len(self.items):
            signals = [item for item in self.items if not isinstance(item, Clip)]
            return bank_of_signals(signals, recipe.audio, recipe.features)
        store = FeatureStore(cache or default_folder(), recipe.audio, recipe.features)
        store.add([clip.path for clip in clips], jobs)
        return store.open([clip.path for clip in clips])

    def relabelled(self, sections: Sequence[str] | None, domains: Sequence[str] | None) -> Sounds:
        """Return these recordings with other sections and domains (recording,), where given."""
        for what, given in {"sections": sections, "domains": domains}.items():
            if given is not None and len(given) != len(self):
                raise InputError(f"{what}: {len(given)} for {len(self)} recordings; give one each")
        return replace(
            self,
            sections=self.sections if sections is None else [str(s) for s in sections],
            domains=self.domains if domains is None else [str(d) for d in domains],
        )

    def parts(self, size: int) -> Iterator[Sounds]:
        """Yield these recordings in parts of at most `size`."""
        for first in range(0, len(self), size):
            chosen = slice(first, first + size)
            yield Sounds(
                self.names[chosen], self.items[chosen], self.sections[chosen], self.domains[chosen]
            )

    def signals(self, recipe: Recipe) -> Iterator[NDArray[np.float32]]:
        """Yield the signal (sample,) of each recording, decoding files."""
        for item in self.items:
            yield load(item.path, recipe.audio) if isinstance(item, Clip) else item


def healthy_sounds(source: Source, recipe: Recipe, sample_rate: int | None) -> Sounds:
    """Return the normal training recordings of `source`; see `sounds`.

    Raises `InputError` when there are none, or when they are of several machine types.
    """
    if not _is_path(source):
        return sounds(source, recipe, sample_rate)
    found = load_manifest(source)  # type: ignore[arg-type]
    healthy = found.select(split="train", label="normal", repeat=found.repeats[0])
    if not healthy:
        raise InputError(f"{source}: no healthy recordings to learn from; see `dgmix inspect`")
    machines = healthy.values("machine")
    if len(machines) > 1:
        raise InputError(
            f"{source}: {len(machines)} machine types ({', '.join(machines)}); "
            "fit a detector for each, on its own folder"
        )
    return _of_clips(healthy)


def sounds(source: Source, recipe: Recipe, sample_rate: int | None = None) -> Sounds:
    """Return the recordings of a folder, a CSV, a sequence of paths, or of arrays.

    Arrays are signals (sample,) at `sample_rate`, one each; a 2-d array is (recording, sample).
    Raises `InputError` for what is none of these, and for arrays without a sample rate.
    """
    if isinstance(source, Manifest):
        return _of_clips(source)
    if _is_path(source):
        path = Path(source)  # type: ignore[arg-type]
        if path.is_file() and path.suffix.lower() != ".csv":
            return _of_files([path])
        return _of_clips(load_manifest(path))
    items = list(source)  # type: ignore[arg-type]
    if not items:
        raise InputError("no recordings: the sequence is empty")
    if all(_is_path(item) for item in items):
        return _of_files([Path(item) for item in items])
    return _of_arrays(items, recipe, sample_rate)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _of_clips(clips: Manifest) -> Sounds:
    return Sounds(
        [clips.shown_path(clip) for clip in clips],
        list(clips),
        [clip.section for clip in clips],
        [clip.domain for clip in clips],
    )


def _of_files(paths: Sequence[Path]) -> Sounds:
    clips: list[Clip | NDArray[np.float32]] = [Clip(path, path.parent.name) for path in paths]
    return Sounds(
        [str(path) for path in paths], clips, ["00"] * len(paths), ["unknown"] * len(paths)
    )


def _of_arrays(items: Sequence[Any], recipe: Recipe, sample_rate: int | None) -> Sounds:
    rate = sample_rate or recipe.audio.sample_rate
    signals: list[Clip | NDArray[np.float32]] = []
    for number, item in enumerate(items):
        samples = np.asarray(item, dtype=np.float32)
        if samples.ndim != 1:
            raise InputError(
                f"recording {number}: expected samples on one axis, not {samples.ndim}"
            )
        if not np.isfinite(samples).all():
            raise InputError(f"recording {number}: a sample is not a finite number")
        signals.append(to_signal(samples, rate, recipe.audio, f"recording {number}"))
    names = [f"recording {number}" for number in range(len(items))]
    return Sounds(names, signals, ["00"] * len(items), ["unknown"] * len(items))
