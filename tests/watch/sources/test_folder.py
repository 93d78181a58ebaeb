from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from watch_parts import START, TurnedClock

from dgmix.audio.io import write_wav
from dgmix.watch.sources.base import State
from dgmix.watch.sources.folder import FolderSource
from dgmix.watch.sources.settings import FolderSettings
from dgmix.watch.windows import Window

RATE = 8000


def record(path: Path, seconds: float = 2.0, modified: float = START, level: float = 0.1) -> None:
    noise = np.random.default_rng(0).uniform(-level, level, round(seconds * RATE))
    write_wav(path, noise, RATE)
    os.utime(path, (modified, modified))


def look(source: FolderSource, clock: TurnedClock, seconds: float) -> list[Window]:
    end = clock.monotonic() + seconds
    windows: list[Window] = []
    while clock.monotonic() < end:
        step = source.step()
        windows += step.windows
        clock.turn(step.wait)
    return windows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "recordings"
    path.mkdir()
    return path


def make(
    folder: Path, clock: TurnedClock, done: dict[str, tuple[int, float]] | None = None
) -> FolderSource:
    return FolderSource(FolderSettings(type="folder", path=folder), clock, 1.0, done or {})


def test_files_are_judged_oldest_first_with_the_time_of_their_sound(
    folder: Path, clock: TurnedClock
) -> None:
    record(folder / "b.wav", 2.0, START - 100)
    record(folder / "a.wav", 3.0, START - 50)
    (folder / "notes.txt").write_text("no sound")
    windows = look(make(folder, clock), clock, 30)
    assert [window.file.name for window in windows if window.file] == ["b.wav"] * 2 + ["a.wav"] * 3
    assert windows[0].block.start == pytest.approx(START - 102)
    assert windows[2].block.start == pytest.approx(START - 53)
    assert [window.last for window in windows] == [False, True, False, False, True]


def test_a_file_that_grows_is_not_touched(folder: Path, clock: TurnedClock) -> None:
    source = make(folder, clock)
    for second in range(10):
        record(folder / "a.wav", 1.0 + second, START + second)
        assert not look(source, clock, 4.5)
    assert len(look(source, clock, 15)) == 10


def test_each_file_once_also_after_a_restart(folder: Path, clock: TurnedClock) -> None:
    record(folder / "a.wav")
    source = make(folder, clock)
    assert look(source, clock, 30)
    assert not look(source, clock, 300)
    about = (folder / "a.wav").stat()
    again = make(folder, clock, {"a.wav": (about.st_size, about.st_mtime)})
    assert not look(again, clock, 60)
    record(folder / "a.wav", 3.0, START + 500)
    assert len(look(again, clock, 60)) == 3


def test_windows_of_a_file_that_were_judged_before_a_kill_are_not_judged_again(
    folder: Path, clock: TurnedClock
) -> None:
    record(folder / "a.wav", 4.0)
    source = FolderSource(FolderSettings(type="folder", path=folder), clock, 1.0, {}, lambda _: 3)
    (left,) = look(source, clock, 30)
    assert left.block.start == pytest.approx(START - 1)


def test_truncated_files_are_judged_as_far_as_they_go_and_odd_ones_are_unreadable(
    folder: Path, clock: TurnedClock
) -> None:
    record(folder / "a.wav", 2.0, START)
    whole = (folder / "a.wav").read_bytes()
    for number, data in enumerate((whole[: len(whole) // 2], b"", b"RIFF....WAVE", b"junk" * 50)):
        path = folder / f"b{number}.wav"
        path.write_bytes(data)
        os.utime(path, (START + number, START + number))
    record(folder / "c.wav", 2.0, START + 10)
    windows = look(make(folder, clock), clock, 60)
    errors = [window for window in windows if window.error]
    odd = [f"b{number}.wav" for number in range(1, 4)]
    assert [window.file.name for window in errors if window.file] == odd
    assert all(window.last for window in errors)
    seconds = [window.block.seconds for window in windows if not window.error]
    assert seconds == pytest.approx([1.0] * 5, abs=0.01)


def test_a_folder_that_goes_and_comes_back(folder: Path, clock: TurnedClock) -> None:
    source = make(folder, clock)
    look(source, clock, 10)
    assert source.status.state == State.LISTENING
    folder.rmdir()
    look(source, clock, 10)
    assert source.status.state == State.LOST
    assert "no such folder" in source.status.detail
    folder.mkdir()
    record(folder / "a.wav")
    assert look(source, clock, 20)
    assert source.status.state == State.LISTENING


def test_a_recorder_that_stops_is_silent(folder: Path, clock: TurnedClock) -> None:
    source = make(folder, clock)
    look(source, clock, 3700)
    assert source.status.state == State.SILENT
