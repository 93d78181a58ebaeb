"""Mel spectrograms on disk, so that every recording is decoded once.

A recording is known by its content alone: recorders without a clock write other sound under the
same name, size and date. A store is a folder for each pair of audio and feature settings. Whoever
adds clips writes two files that are its own: `shard-<unique>.f16`, raw float16 (frame, mel), and
`shard-<unique>.jsonl`, one line a clip, written once the clip's frames are in place. Both only ever
grow; what a killed process leaves unfinished is ignored.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import stat
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from dgmix.audio.bank import Features, MelBank, half_mel_of
from dgmix.audio.features import MelSpectrogram
from dgmix.audio.io import SignalReader, load
from dgmix.audio.shards import Entry, Index, ShardWriter
from dgmix.audio.signals import signals_of
from dgmix.audio.stream import Source
from dgmix.config import AudioSettings, FeatureSettings
from dgmix.errors import InputError
from dgmix.files import explained, make_folder, printable, remove_unfinished, write_text
from dgmix.progress import detail, progress

FORMAT = 4
HASHED_AT_ONCE = 1 << 18
S = TypeVar("S")
T = TypeVar("T")
Paths = Iterable[str | os.PathLike[str]]


class UnreadableError(InputError):
    """Some recordings cannot be used; `reasons` has a sentence for each of them, by its path."""

    def __init__(self, reasons: Mapping[str, InputError]) -> None:
        self.reasons = dict(reasons)
        first, *others = map(str, self.reasons.values())
        more = f"; {len(others)} more cannot be used either: {'; '.join(others)}" if others else ""
        super().__init__(f"{first}{more}")


class FeatureStore:
    """Decodes recordings into mel spectrograms once, and hands them out mapped from disk.

    A recording is known again by its content: a copied or moved file is not decoded twice, a
    changed one is. The frames of a clip are the same to the bit however many threads decode, and
    whatever else is decoded with it.

    Linear magnitudes are kept as float16, clipped to its maximum 65504. They are off by at most
    2⁻¹¹ of their value (0.0043 dB), and where they are below 2⁻¹⁴ by at most 2⁻²⁵ (0.026 dB at
    1e-5, the floor of levels).
    """

    def __init__(
        self, folder: str | os.PathLike[str], audio: AudioSettings, features: FeatureSettings
    ) -> None:
        self.audio = audio
        self.features = features
        self.folder = Path(folder) / settings_digest(audio, features)
        self._bands = features.n_mels * len(signals_of(audio))
        self._index = Index(self.folder, self._bands)
        self._identities: dict[str, Identity] = {}

    def add(self, paths: Paths, jobs: int = 1) -> dict[str, str]:
        """Decode, with `jobs` threads, what of `paths` the store does not hold yet.

        Returns what is missing of recordings, or what their headers say wrongly, by path. Each clip
        is kept as soon as it is done. Raises `UnreadableError` at the end when some recordings
        cannot be read, `InputError` where the store cannot be written, `DgmixError` when its disk
        is full.
        """
        self._index.refresh()
        given = list(dict.fromkeys(map(_absolute, paths)))
        unreadable: dict[str, InputError] = {}
        missing: dict[str, str] = {}
        for path, identity in zip(given, in_order(_identify, given, jobs), strict=True):
            if isinstance(identity, InputError):
                unreadable[path] = identity
                continue
            self._identities[path] = identity
            if not self._index.find(identity.digest):
                missing.setdefault(identity.digest, path)
        new = len(missing)
        detail(f"features: {len(given)} recordings, {new} of them to decode, in {self.folder}")
        if missing:
            self._make_folder()
            failed = self._add(list(missing.values()), jobs)
            for path in given:  # copies of a file fail as it does
                first = missing.get(self._identities[path].digest) if path not in unreadable else ""
                if first in failed:
                    unreadable[path] = InputError(str(failed[first]).replace(first, path, 1))
        if unreadable:
            raise UnreadableError({path: unreadable[path] for path in given if path in unreadable})
        entries = {path: self._index.find(self._identities[path].digest) for path in given}
        return {
            path: printable(entry.note) for path, entry in entries.items() if entry and entry.note
        }

    def missing(self, paths: Paths, jobs: int = 1) -> list[str]:
        """Return which of `paths` `add` would decode: of several of one content, the first.

        Those that cannot be read are among them.
        """
        self._index.refresh()
        given = list(dict.fromkeys(map(_absolute, paths)))
        contents: dict[str, str] = {}
        for path, identity in zip(given, in_order(_identify, given, jobs), strict=True):
            digest = path if isinstance(identity, InputError) else identity.digest
            if not self._index.find(digest):
                contents.setdefault(digest, path)
        return list(contents.values())

    def open(self, paths: Paths) -> MelBank:
        """Return the spectrograms of `paths`, in their order, mapped from disk.

        Raises `InputError` for a file that the store does not hold as it is now; `add` it first.
        """
        self._index.refresh()
        entries = []
        given = list(map(_absolute, paths))
        for path in given:
            entry = self._index.find(self._digest(path))
            if entry is None:
                raise InputError(f"{path}: changed, or not read yet; run the same command again")
            entries.append(entry)
        n_mels = self._bands
        maps = {name: _map(self.folder / name) for name in {entry.shard for entry in entries}}
        shards = {
            name: np.frombuffer(each, np.float16, len(each) // (2 * n_mels) * n_mels)
            for name, each in maps.items()
        }
        clips = [shards[e.shard].reshape(-1, n_mels)[e.first : e.first + e.frames] for e in entries]
        features = [
            Features(clip, entry.note, entry.quality, entry.layout)
            for clip, entry in zip(clips, entries, strict=True)
        ]
        bank = MelBank.of(features, n_mels, list(maps.values()))
        return bank.with_signals(lambda index: load(given[index], self.audio))

    def _digest(self, path: str) -> str:
        """Return the hash of a file; of one that `add` has just read, what it was then."""
        known = self._identities.get(path)
        with explained(path):
            if known is not None and known.state == _state(Path(path).stat()):
                return known.digest
        identity = _identify(path)
        if isinstance(identity, InputError):
            raise identity
        return identity.digest

    def _make_folder(self) -> None:
        try:
            remove_unfinished(make_folder(self.folder))
        except InputError as error:
            raise InputError(
                f"{error}: features are kept there; --cache or DGMIX_CACHE names another folder"
            ) from error
        write_text(self.folder / "settings.json", settings_text(self.audio, self.features))

    def _add(self, paths: Sequence[str], jobs: int) -> dict[str, InputError]:
        """Decode files and keep their frames; return those that cannot be decoded."""
        unreadable = {}
        with (
            progress("decoding", len(paths)) as advance,
            ShardWriter(self.folder) as writer,
            closing(self._decoded(paths, jobs)) as decoded,
        ):
            for path, outcome in zip(paths, decoded, strict=True):
                if isinstance(outcome, InputError):
                    unreadable[path] = outcome
                else:
                    entry = Entry(
                        self._identities[path].digest,
                        note=outcome.note,
                        measures=outcome.quality.values() if outcome.quality else {},
                        channels=outcome.channels.values() if outcome.channels else None,
                    )
                    self._index.put(writer.add(entry, outcome.mel))
                advance()
        return unreadable

    def _decoded(
        self, paths: Sequence[str], jobs: int
    ) -> Generator[Features | InputError, None, None]:
        """Yield the features of each file, in order, or why there are none."""
        from dgmix.workers import single_threaded

        mel = MelSpectrogram(self.features, self.audio.rate)

        def decode(path: str) -> Features | InputError:
            try:
                return features_of(path, self.audio, mel)
            except InputError as error:
                return error

        with single_threaded(), closing(in_order(decode, paths, jobs)) as decoded:
            yield from decoded


def features_of(source: Source, audio: AudioSettings, mel: MelSpectrogram) -> Features:
    """Return the features of a recording; see `half_mel_of`.

    Raises `InputError` for one that cannot be decoded.
    """
    reader = SignalReader(source, audio)
    frames = half_mel_of(reader.blocks(), mel)
    return Features(frames, reader.note, reader.quality, reader.channels)


LATER = {  # settings that came after the first stores: named where they are not the default
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
    used_audio = audio.model_dump(exclude_defaults=True)
    all_audio = audio.model_dump(exclude={"channels", "reference_channel"})
    values = {
        "format": FORMAT,
        "audio": {**all_audio, **used_audio},
        "features": {**known, **used},
    }
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


@dataclass(frozen=True, slots=True)
class Identity:
    """The hash of a file's content, and the state that it had when it was read."""

    digest: str
    state: tuple[int, ...]


def _identify(path: str) -> Identity | InputError:
    """Return the identity of a file, or why it cannot be read."""
    import xxhash

    try:
        with explained(path), Path(path).open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise InputError(f"{path}: a pipe or device; save it as a file to learn from it")
            digest = xxhash.xxh3_128()
            buffer = memoryview(bytearray(HASHED_AT_ONCE))
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
            return Identity(digest.hexdigest(), _state(before))
    except InputError as error:
        return error


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _map(path: Path) -> mmap.mmap:
    with explained(path), path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def in_order(work: Callable[[S], T], items: Iterable[S], jobs: int) -> Generator[T, None, None]:
    """Yield the results of `work` in the order of `items`, a few of them ahead in threads."""
    if jobs == 1:
        yield from map(work, items)
        return
    from dgmix.workers import results_in_order

    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from results_in_order(pool, work, items, 2 * jobs)
        finally:
            pool.shutdown(cancel_futures=True)
