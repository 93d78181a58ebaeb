"""The stores in a cache folder: what is listed, and that clearing removes nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dgmix.audio.cache import FeatureStore
from dgmix.audio.io import write_wav
from dgmix.audio.stores import clear, stores
from dgmix.config import AudioSettings, FeatureSettings
from dgmix.errors import InputError

DAY = 86_400


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of two stores, of two recordings and of one, the second added to 40 days ago."""
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for seed, path in enumerate(paths):
        write_wav(path, 0.1 * np.random.default_rng(seed).normal(size=4000), 16_000)
    for n_mels, given in ((64, paths), (32, paths[:1])):
        store = FeatureStore(tmp_path / "cache", AudioSettings(), FeatureSettings(n_mels=n_mels))
        store.add(given)
        if n_mels == 32:
            for path in store.folder.iterdir():
                before = path.stat().st_mtime - 40 * DAY
                os.utime(path, (before, before))
    return tmp_path / "cache"


def test_stores_are_listed_with_what_they_hold(cache: Path) -> None:
    first, second = stores(cache)
    assert (first.n_mels, first.recordings, first.sample_rate) == (64, 2, 16_000)
    assert (second.n_mels, second.recordings) == (32, 1)
    for store in (first, second):
        assert store.size == sum(path.stat().st_size for path in store.folder.iterdir())
    assert first.written - second.written == pytest.approx(40 * DAY, abs=60)


def test_a_folder_that_is_not_there_holds_no_stores(tmp_path: Path) -> None:
    assert stores(tmp_path / "none") == []
    assert clear(tmp_path / "none") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: not a directory"):
        stores(tmp_path / "file")


def test_only_stores_that_are_old_enough_are_removed(cache: Path) -> None:
    assert [store.n_mels for store in clear(cache, older_than=39)] == [32]
    assert [store.n_mels for store in stores(cache)] == [64]
    assert [store.n_mels for store in clear(cache)] == [64]
    assert list(cache.iterdir()) == []


def test_what_else_lies_in_the_folder_stays(cache: Path) -> None:
    first, _ = stores(cache)
    others = [
        cache / "notes.txt",
        cache / "0123456789abcdef" / "thesis.tex",
        cache / "fedcba9876543210" / "settings.json",  # of another program
        first.folder / "mine.f16",
    ]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    assert len(clear(cache)) == 2
    assert sorted(path for path in cache.rglob("*") if path.is_file()) == sorted(others)
    assert stores(cache) == []


def test_a_store_that_is_cleared_is_made_again(cache: Path) -> None:
    store = FeatureStore(cache, AudioSettings(), FeatureSettings(n_mels=64))
    path = cache.parent / "a.wav"
    before = np.array(store.open([path])[0])
    clear(cache)
    again = FeatureStore(cache, AudioSettings(), FeatureSettings(n_mels=64))
    again.add([path])
    np.testing.assert_array_equal(again.open([path])[0], before)
