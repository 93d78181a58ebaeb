from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from watch_parts import RATE, START

from dgmix.audio.io import read_audio
from dgmix.watch.settings import WatchSettings
from dgmix.watch.sound import Block
from dgmix.watch.store import queries, rows
from dgmix.watch.store.clips import Clips, NewClip, _clip_bytes
from dgmix.watch.store.rows import EventRow
from dgmix.watch.store.store import Store

Make = Callable[..., WatchSettings]
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32)


def clip(p_value: float, kind: str = "healthy", event: str | None = None) -> NewClip:
    return NewClip("pump", kind, Block(NOISE, RATE, START), p_value, None, event)


def room_for(store: Store, make_settings: Make, count: float, free: float = 1e12) -> Clips:
    """Return clips whose budget is for so many; the database is not counted."""
    settings = make_settings(storage={"budget_mb": count * 0.024, "least_free_mb": 0.01}).storage
    clips = Clips(store, settings, lambda _: int(free))
    clips.used = lambda: store.read(_clip_bytes)  # type: ignore[method-assign]
    return clips


def test_a_clip_is_the_sound_that_was_given(store: Store, make_settings: Make) -> None:
    clips = Clips(store, make_settings().storage)
    number = clips.write(clip(0.5))
    assert number is not None
    row = store.read(queries.clip, number)
    assert row is not None
    recording = read_audio(clips.path(row["file"]))
    assert recording.sample_rate == RATE
    np.testing.assert_allclose(recording.samples, NOISE, atol=2**-23)
    assert row["bytes"] == clips.path(row["file"]).stat().st_size


def test_the_most_ordinary_go_first_and_kept_ones_never(store: Store, make_settings: Make) -> None:
    for name in ("labelled", "plain"):
        event = EventRow(name, "pump", "anomaly", START)
        store.write_now(lambda to, row=event: rows.insert_event(to, row))
    store.write_now(lambda to: rows.insert_label(to, "labelled", "fault", None, "me", START))
    clips = room_for(store, make_settings, 12)
    pinned = clips.write(clip(0.99))
    assert pinned is not None
    assert clips.pin(pinned, True)
    labelled = clips.write(clip(0.04, "event", "labelled"))
    clips.write(clip(0.01, "event", "plain"))
    for number in range(40):
        clips.write(clip(0.1 + number / 100))
    kept = store.read(lambda of: of.execute("SELECT id, kind, p_value FROM clips").fetchall())
    assert {pinned, labelled} <= {row["id"] for row in kept}
    ordinary = [row["p_value"] for row in kept if row["kind"] == "healthy" and row["id"] != pinned]
    assert ordinary[:-1] == sorted(ordinary[:-1])
    assert min(ordinary) == 0.1
    assert max(ordinary[:-1]) < 0.3
    assert any(row["kind"] == "event" and row["p_value"] == 0.01 for row in kept)
    assert clips.used() <= clips._settings.budget_mb * 1e6


def test_the_budget_is_kept_before_each_write_even_if_all_are_pinned(
    store: Store, make_settings: Make
) -> None:
    clips = room_for(store, make_settings, 3)
    while (number := clips.write(clip(0.5))) is not None:
        clips.pin(number, True)
    assert clips.refused == 1
    assert clips.used() <= clips._settings.budget_mb * 1e6


def test_the_database_counts_too(store: Store, make_settings: Make) -> None:
    clips = Clips(store, make_settings(storage={"budget_mb": 0.05, "least_free_mb": 0}).storage)
    assert clips.used() >= store.path.stat().st_size
    assert clips.write(clip(0.5)) is None


def test_a_full_disk_refuses_clips_and_goes_on(store: Store, make_settings: Make) -> None:
    clips = room_for(store, make_settings, 100, free=0)
    assert clips.write(clip(0.5)) is None
    assert clips.refused == 1
    assert store.read(queries.healthy_clips, "pump") == []


def test_an_error_of_the_disk_is_counted_not_raised(
    store: Store, make_settings: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    clips = room_for(store, make_settings, 100)
    monkeypatch.setattr(soundfile, "write", full)
    assert clips.write(clip(0.5)) is None
    assert clips.refused == 1


def test_old_clips_are_removed_where_that_is_wanted(store: Store, make_settings: Make) -> None:
    clips = Clips(store, make_settings().storage)
    numbers = [clips.write(clip(0.5)) for _ in range(3)]
    assert numbers[0] is not None
    clips.pin(numbers[0], True)
    assert clips.remove_older(START + 1) == 2
    assert [row["id"] for row in store.read(queries.healthy_clips, "pump")] == [numbers[0]]


def test_files_that_a_killed_process_left_without_a_row_are_removed(
    store: Store, make_settings: Make
) -> None:
    settings = make_settings().storage
    clips = Clips(store, settings)
    number = clips.write(clip(0.5))
    stray = clips.folder / "pump" / "stray.flac"
    stray.write_bytes(b"left")
    again = Clips(store, settings)
    assert not stray.exists()
    row = store.read(queries.clip, number or 0)
    assert row is not None
    assert Path(again.path(row["file"])).exists()
