"""Mel spectrograms on disk, so that every recording is decoded once.

A store is a folder for each pair of audio and feature settings. Whoever adds clips writes two
files that are its own: `shard-<unique>.f16`, raw float16 (frame, mel), and `shard-<unique>.jsonl`,
one line a clip, written once the clip's frames are in place. Both only ever grow; what a killed
process leaves unfinished is ignored.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from io import FileIO
from pathlib import Path
from typing import TypeVar

import numpy as np

from dgmix.audio.bank import Half, MelBank, half_mel
from dgmix.audio.io import load
from dgmix.config import AudioSettings, FeatureSettings
from dgmix.errors import InputError
from dgmix.files import explained, make_folder, remove_unfinished, write_text
from dgmix.progress import progress
from dgmix.workers import results_in_order, single_threaded_torch

FORMAT = 2
S = TypeVar("S")
T = TypeVar("T")
Paths = Iterable[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an index: a file as it was when read, and where its frames lie."""

    path: str
    size: int
    mtime_ns: int
    digest: str
    shard: str = ""
    first: int = 0
    frames: int = 0

    def at(self, place: Entry) -> Entry:
        """Return this file with the frames of `place`."""
        return replace(self, shard=place.shard, first=place.first, frames=place.frames)


class FeatureStore:
    """Decodes recordings into mel spectrograms once, and hands them out mapped from disk.

    A recording is known again by its path, size and time of change, or else by its content: a
    copied or moved file is not decoded twice, a changed one is. The frames of a clip are the same
    to the bit however many threads decode, and whatever else is decoded with it.

    Linear magnitudes are kept as float16, clipped to its maximum 65504. They are off by at most
    2⁻¹¹ of their value (0.0043 dB), and where they are below 2⁻¹⁴ by at most 2⁻²⁵ (0.026 dB at
    1e-5, the floor of `decibels`).
    """

    def __init__(
        self, folder: str | os.PathLike[str], audio: AudioSettings, features: FeatureSettings
    ) -> None:
        self.audio = audio
        self.features = features
        self.folder = Path(folder) / settings_digest(audio, features)
        self._index = Index(self.folder, features.n_mels)

    def add(self, paths: Paths, jobs: int = 1) -> None:
        """Decode, with `jobs` threads, what of `paths` the store does not hold yet.

        Each clip is kept as soon as it is done. Raises `InputError` for the first recording that
        cannot be read and where the store cannot be written, `DgmixError` when its disk is full.
        """
        self._index.refresh()
        missing = [p for p in dict.fromkeys(map(_absolute, paths)) if not self._index.find(p)]
        if not missing:
            return
        remove_unfinished(make_folder(self.folder))
        write_text(self.folder / "settings.json", settings_text(self.audio, self.features))
        with (
            progress("decoding", len(missing)) as advance,
            ShardWriter(self.folder) as writer,
            closing(self._decoded(missing, jobs)) as decoded,
        ):
            for entry, mel in decoded:
                known = self._index.by_digest(entry.digest)
                self._index.put(writer.refer(entry.at(known)) if known else writer.add(entry, mel))
                advance()

    def open(self, paths: Paths) -> MelBank:
        """Return the spectrograms of `paths`, in their order, mapped from disk.

        Raises `InputError` for a file that the store does not hold as it is now; `add` it first.
        """
        self._index.refresh()
        entries = []
        for path in map(_absolute, paths):
            entry = self._index.find(path)
            if entry is None:
                raise InputError(f"{path}: changed, or not read yet; run the same command again")
            entries.append(entry)
        n_mels = self.features.n_mels
        maps = {name: _map(self.folder / name) for name in {entry.shard for entry in entries}}
        shards = {
            name: np.frombuffer(each, np.float16, len(each) // (2 * n_mels) * n_mels)
            for name, each in maps.items()
        }
        clips = [shards[e.shard].reshape(-1, n_mels)[e.first : e.first + e.frames] for e in entries]
        return MelBank(clips, n_mels, list(maps.values()))

    def _decoded(
        self, paths: Sequence[str], jobs: int
    ) -> Generator[tuple[Entry, Half], None, None]:
        """Yield each file and its frames, in order; no frames where the content is known."""
        from dgmix.audio.features import MelSpectrogram

        mel = MelSpectrogram(self.features, self.audio.sample_rate)

        def decode(path: str) -> tuple[Entry, Half]:
            entry = _identify(path)
            if self._index.by_digest(entry.digest):
                return entry, np.empty((0, self.features.n_mels), np.float16)
            return entry, half_mel(load(path, self.audio), mel)

        with single_threaded_torch(), closing(in_order(decode, paths, jobs)) as decoded:
            yield from decoded


class Index:
    """The lines of all shards of a folder, to be found by a file's state or by its content."""

    def __init__(self, folder: Path, n_mels: int) -> None:
        self._folder = folder
        self._bytes_per_frame = 2 * n_mels
        self._read_to: dict[Path, int] = {}
        self._by_state: dict[tuple[str, int, int], Entry] = {}
        self._by_digest: dict[str, Entry] = {}

    def refresh(self) -> None:
        """Read what was added since; lines that are unfinished, damaged or without data are not."""
        with explained(self._folder):
            shards = sorted(self._folder.glob("shard-*.jsonl"))
            lines = [line for path in shards for line in self._new_lines(path)]
            sizes = {path.name: path.stat().st_size for path in self._folder.glob("shard-*.f16")}
        for line in lines:  # the sizes are of later: the frames of a line are there before it
            with suppress(ValueError, TypeError):
                entry = Entry(**json.loads(line))
                end = (entry.first + entry.frames) * self._bytes_per_frame
                if entry.frames > 0 <= entry.first and end <= sizes.get(entry.shard, 0):
                    self.put(entry)

    def find(self, path: str) -> Entry | None:
        """Return where the frames of a file are, or None when it is new or changed.

        Raises `InputError` when there is no such file.
        """
        with explained(Path(path)):
            state = Path(path).stat()
        return self._by_state.get((path, state.st_size, state.st_mtime_ns))

    def by_digest(self, digest: str) -> Entry | None:
        """Return the entry of a file with this content, if there is one."""
        return self._by_digest.get(digest)

    def put(self, entry: Entry) -> None:
        """Take up an entry."""
        self._by_state[entry.path, entry.size, entry.mtime_ns] = entry
        self._by_digest[entry.digest] = entry

    def _new_lines(self, path: Path) -> list[bytes]:
        start = self._read_to.get(path, 0)
        with path.open("rb") as file:
            file.seek(start)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self._read_to[path] = start + whole
        return text[:whole].splitlines()


class ShardWriter:
    """Writes clips to a new shard of its own; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._stem = folder / f"shard-{uuid.uuid4().hex}"
        self._frames = 0

    def __enter__(self) -> ShardWriter:
        with explained(self._stem):
            self._data = self._stem.with_suffix(".f16").open("xb", buffering=0)
            self._lines = self._stem.with_suffix(".jsonl").open("xb", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._data.close()
        self._lines.close()

    def add(self, entry: Entry, mel: Half) -> Entry:
        """Write the frames of a clip, then its line; return where they are."""
        with explained(self._stem):
            _write_all(self._data, mel.tobytes())
        shard = f"{self._stem.name}.f16"
        entry = replace(entry, shard=shard, first=self._frames, frames=len(mel))
        self._frames += len(mel)
        return self.refer(entry)

    def refer(self, entry: Entry) -> Entry:
        """Write the line of a clip whose frames are in some shard already; return it."""
        with explained(self._stem):
            _write_all(self._lines, json.dumps(asdict(entry)).encode() + b"\n")
        return entry


LATER = {  # settings that came after the first stores: told where they are not the default
    "win_length",
    "window",
    "power",
    "mel_triangles",
    "remove_frame_mean",
    "preemphasis",
}


def settings_text(audio: AudioSettings, features: FeatureSettings) -> str:
    """Return, as JSON, all that decides the values in a store."""
    used = features.model_dump(exclude_defaults=True)
    known = {name: value for name, value in features.model_dump().items() if name not in LATER}
    values = {"format": FORMAT, "audio": audio.model_dump(), "features": {**known, **used}}
    return json.dumps(values, indent=1, sort_keys=True)


def settings_digest(audio: AudioSettings, features: FeatureSettings) -> str:
    """Return the name of the store of these settings, 16 hexadecimal digits."""
    return hashlib.blake2b(settings_text(audio, features).encode(), digest_size=8).hexdigest()


def default_folder() -> Path:
    """Return where features are kept by default: $DGMIX_CACHE, or the user's cache folder."""
    chosen = os.environ.get("DGMIX_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("dgmix"))


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - symbolic links stay as they are


def _identify(path: str) -> Entry:
    with explained(Path(path)), Path(path).open("rb") as file:
        state = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    return Entry(path, state.st_size, state.st_mtime_ns, digest.hexdigest())


def _map(path: Path) -> mmap.mmap:
    with explained(path), path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _write_all(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def in_order(work: Callable[[S], T], items: Iterable[S], jobs: int) -> Generator[T, None, None]:
    """Yield the results of `work` in the order of `items`, a few of them ahead in threads."""
    if jobs == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from results_in_order(pool, work, items, 2 * jobs)
        finally:
            pool.shutdown(cancel_futures=True)
