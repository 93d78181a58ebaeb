"""The files of a feature store: frames one after the other, and an index of their contents."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any

from dgmix.audio.bank import Half
from dgmix.audio.channels import Channels
from dgmix.audio.quality import Quality
from dgmix.files import explained

FRAMES_AT_ONCE = 1 << 14


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an index: the content of a file, where its frames lie, and what it is like.

    `digest` is the XXH3 hash of the file, 128 bits; `note` is that of a `Recording`, `measures` are
    those of its quality, and `channels`, where known, says what its channels are like.
    """

    digest: str
    shard: str = ""
    first: int = 0
    frames: int = 0
    note: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    channels: list[Any] | None = None

    @property
    def quality(self) -> Quality | None:
        """The quality of the recording, where it was measured."""
        return Quality.of(self.measures) if self.measures else None

    @property
    def layout(self) -> Channels | None:
        """What its channels are like, where they were measured."""
        return None if self.channels is None else Channels.read(self.channels)


class Index:
    """The lines of all shards of a folder, by the content of a file."""

    def __init__(self, folder: Path, n_mels: int) -> None:
        self._folder = folder
        self._bytes_per_frame = 2 * n_mels
        self._read_to: dict[Path, int] = {}
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
                _ = entry.quality, entry.layout
                if entry.frames > 0 <= entry.first and end <= sizes.get(entry.shard, 0):
                    self.put(entry)

    def find(self, digest: str) -> Entry | None:
        """Return where the frames of this content are, or None when it is new."""
        return self._by_digest.get(digest)

    def put(self, entry: Entry) -> None:
        """Take up an entry."""
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
        entry = replace(entry, shard=f"{self._stem.name}.f16", first=self._frames, frames=len(mel))
        with explained(self._stem):
            for first in range(0, len(mel), FRAMES_AT_ONCE):
                _write_all(self._data, mel[first : first + FRAMES_AT_ONCE].tobytes())
            _write_all(self._lines, json.dumps(asdict(entry)).encode() + b"\n")
        self._frames += len(mel)
        return entry


def _write_all(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
