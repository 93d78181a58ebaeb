"""The feature store: same values as computed directly, decoded once, and never broken."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from threadpoolctl import threadpool_limits

from dgmix.audio import cache, shards
from dgmix.audio.cache import FeatureStore, MelBank, UnreadableError, default_folder
from dgmix.audio.features import MelSpectrogram
from dgmix.audio.io import load, write_wav
from dgmix.config import AudioSettings, FeatureSettings
from dgmix.errors import DgmixError, InputError
from dgmix.workers import threads

AUDIO, FEATURES = AudioSettings(), FeatureSettings()
LENGTHS = (1600, 9000, 16000, 300, 24000)

ADD = """
import sys
from dgmix.audio import cache, shards
from dgmix.config import AudioSettings, FeatureSettings
store = cache.FeatureStore(sys.argv[1], AudioSettings(), FeatureSettings())
"""
KILL = """
import os, signal
budget, whole = int(sys.argv.pop()), shards._write_all
def write_and_die(file, data):
    global budget
    whole(file, data[:budget])
    budget -= len(data)
    if budget < 0:
        os.kill(os.getpid(), signal.SIGKILL)
shards._write_all = write_and_die
"""


def clips(folder: Path, lengths: tuple[int, ...] = LENGTHS, seed: int = 0) -> list[Path]:
    rng = np.random.default_rng(seed)
    paths = [folder / f"clip{number}.wav" for number in range(len(lengths))]
    for path, length in zip(paths, lengths, strict=True):
        write_wav(path, 0.1 * rng.standard_normal(length), 16000)
    return paths


def direct(path: Path) -> np.ndarray:
    """Return the mel magnitudes (frame, mel) that the store should hold, float64."""
    return MelSpectrogram(FEATURES, 16000)(load(path, AUDIO)).T.astype(np.float64)


def levels(mel: np.ndarray) -> np.ndarray:
    return 20 * np.log10(np.maximum(mel, 1e-5))


def spectrograms(store: FeatureStore, paths: list[Path]) -> list[np.ndarray]:
    bank = store.open(paths)
    return [bank[index] for index in range(len(bank))]


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(cache, "features_of", decode)


def adding(script: str, store: Path, paths: list[Path], *more: str) -> subprocess.Popen[bytes]:
    """Start a process that adds `paths` to `store`."""
    command = [sys.executable, "-c", script + "store.add(sys.argv[2:])", str(store)]
    return subprocess.Popen([*command, *map(str, paths), *more], stderr=subprocess.DEVNULL)


@pytest.fixture
def two_threads() -> Iterator[None]:
    with threadpool_limits(2, "blas"):
        yield


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "cache", AUDIO, FEATURES)


def test_holds_what_is_computed_directly(tmp_path: Path, store: FeatureStore) -> None:
    paths = clips(tmp_path)
    store.add(paths)
    bank = store.open(paths)
    assert len(bank) == len(paths)
    assert bank.frames.dtype == np.int64
    assert bank.frames.tolist() == [1 + max(length, 513) // 512 for length in LENGTHS]
    for path, mel in zip(paths, spectrograms(store, paths), strict=True):
        assert mel.dtype == np.float32
        expected = direct(path)
        np.testing.assert_allclose(mel, expected, rtol=2**-11, atol=2**-25)
        assert np.abs(levels(mel) - levels(expected)).max() < 0.026


@given(arrays(np.float64, 20, elements=st.floats(0, 65504)))
def test_float16_is_as_exact_as_promised(values: np.ndarray) -> None:
    kept = values.astype(np.float16).astype(np.float64)
    small = values < 2**-14
    assert (np.abs(kept - values) <= np.where(small, 2**-25, values * 2**-11)).all()
    assert np.abs(levels(kept) - levels(values)).max() < 0.026


def test_magnitudes_beyond_float16_are_clipped(tmp_path: Path, store: FeatureStore) -> None:
    import soundfile

    path = tmp_path / "loud.wav"
    tone = 1e6 * np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000)
    soundfile.write(path, tone, 16000, subtype="FLOAT")
    store.add([path])
    assert spectrograms(store, [path])[0].max() == 65504


def test_long_recordings_go_through_in_blocks(
    tmp_path: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgmix.audio.features.BLOCK_FRAMES", 7)
    paths = clips(tmp_path)
    store.add(paths)
    for path, mel in zip(paths, spectrograms(store, paths), strict=True):
        np.testing.assert_allclose(mel, direct(path), rtol=2**-11, atol=2**-25)


def test_values_do_not_depend_on_jobs_or_order(tmp_path: Path, two_threads: None) -> None:
    paths = clips(tmp_path, LENGTHS * 3)
    alone = FeatureStore(tmp_path / "alone", AUDIO, FEATURES)
    for path in paths:
        alone.add([path])
    together = FeatureStore(tmp_path / "together", AUDIO, FEATURES)
    together.add(paths[::-1], jobs=3)
    for ours, theirs in zip(spectrograms(alone, paths), spectrograms(together, paths), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nothing_is_decoded_twice(
    tmp_path: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = clips(tmp_path)
    store.add(paths)
    before = spectrograms(store, paths)
    forbid_decoding(monkeypatch)
    store.add(paths)
    again = FeatureStore(tmp_path / "cache", AUDIO, FEATURES)
    again.add([*paths, *paths], jobs=2)
    for ours, theirs in zip(before, spectrograms(again, paths), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_moved_copied_and_touched_files_are_known_by_content(
    tmp_path: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = clips(tmp_path)
    store.add(paths)
    forbid_decoding(monkeypatch)
    moved = paths[0].rename(tmp_path / "moved.wav")
    copied = Path(shutil.copy(paths[1], tmp_path / "copied.wav"))
    os.utime(paths[2], ns=(1, 1))
    now = [moved, copied, paths[2]]
    store.add(now, jobs=2)
    fresh = FeatureStore(tmp_path / "cache", AUDIO, FEATURES)
    for path, mel in zip(now, spectrograms(fresh, now), strict=True):
        np.testing.assert_allclose(mel, direct(path), rtol=2**-11, atol=2**-25)


def test_equal_files_are_kept_once(tmp_path: Path, store: FeatureStore) -> None:
    path = clips(tmp_path, (16000,))[0]
    copies = [Path(shutil.copy(path, tmp_path / f"copy{n}.wav")) for n in range(4)]
    store.add([path, *copies], jobs=2)
    data = sum(file.stat().st_size for file in store.folder.glob("*.f16"))
    assert data == store.open([path]).frames[0] * 128 * 2


def test_a_changed_file_is_decoded_again(tmp_path: Path, store: FeatureStore) -> None:
    paths = clips(tmp_path)
    for path in paths:
        os.utime(path, ns=(1, 1))
    store.add(paths)
    clips(tmp_path, seed=1)
    for path in paths:  # as a recorder without a clock leaves them
        os.utime(path, ns=(1, 1))
    with pytest.raises(InputError, match=r"clip0\.wav: changed, or not read yet"):
        store.open(paths)
    store.add(paths)
    for path, mel in zip(paths, spectrograms(store, paths), strict=True):
        np.testing.assert_allclose(mel, direct(path), rtol=2**-11, atol=2**-25)


def test_other_settings_are_another_store(tmp_path: Path, store: FeatureStore) -> None:
    paths = clips(tmp_path)
    store.add(paths)
    other = FeatureStore(tmp_path / "cache", AUDIO, FeatureSettings(n_mels=64))
    with pytest.raises(InputError, match="not read yet"):
        other.open(paths)
    other.add(paths)
    assert other.open(paths)[0].shape[1] == 64
    assert len(list((tmp_path / "cache").iterdir())) == 2


DAMAGE = [
    b"",
    b"\n\n",
    b"garbage\n",
    b"\xff\xfe\x00\n",
    b"[1, 2]\n{}\nnull\n",
    b'{"path": 1}\n',
    b'{"path": [], "size": 1, "mtime_ns": 1, "digest": "a", "first": 0, "frames": 1}\n',
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_lines_are_ignored(tmp_path: Path, store: FeatureStore, damage: bytes) -> None:
    paths = clips(tmp_path)
    store.add(paths[:2])
    with next(store.folder.glob("*.jsonl")).open("ab") as file:
        file.write(damage + b'{"path": "half a li')
    again = FeatureStore(tmp_path / "cache", AUDIO, FEATURES)
    again.add(paths)
    for path, mel in zip(paths, spectrograms(again, paths), strict=True):
        np.testing.assert_allclose(mel, direct(path), rtol=2**-11, atol=2**-25)


def test_a_line_that_points_past_the_data_is_ignored(tmp_path: Path, store: FeatureStore) -> None:
    paths = clips(tmp_path, (16000, 16000))
    store.add(paths)
    shard = next(store.folder.glob("*.f16"))
    os.truncate(shard, shard.stat().st_size - 1)
    again = FeatureStore(tmp_path / "cache", AUDIO, FEATURES)
    assert len(again.open(paths[:1])) == 1
    with pytest.raises(InputError, match=r"clip1\.wav"):
        again.open(paths)
    again.add(paths)
    np.testing.assert_allclose(again.open(paths)[1], direct(paths[1]), rtol=2**-11, atol=2**-25)


def test_lost_data_is_made_again(tmp_path: Path, store: FeatureStore) -> None:
    paths = clips(tmp_path)
    store.add(paths)
    next(store.folder.glob("*.f16")).unlink()
    again = FeatureStore(tmp_path / "cache", AUDIO, FEATURES)
    again.add(paths)
    assert len(again.open(paths)) == len(paths)


CLIP_BYTES = 32 * 128 * 2


@pytest.mark.parametrize("at", [CLIP_BYTES + 50, 3 * CLIP_BYTES])
def test_a_killed_process_leaves_a_usable_store(
    tmp_path: Path, store: FeatureStore, at: int
) -> None:
    paths = clips(tmp_path, (16000,) * 5)
    killed = adding(ADD + KILL, tmp_path / "cache", paths, str(at))
    assert killed.wait() == -signal.SIGKILL
    written = sum(file.stat().st_size for file in store.folder.glob("shard-*"))
    assert written == at
    store.add(paths, jobs=2)
    for path, mel in zip(paths, spectrograms(store, paths), strict=True):
        np.testing.assert_allclose(mel, direct(path), rtol=2**-11, atol=2**-25)


def test_several_processes_add_at_once(tmp_path: Path, store: FeatureStore) -> None:
    paths = clips(tmp_path, LENGTHS * 6)
    processes = [adding(ADD, tmp_path / "cache", paths[start:]) for start in (0, 10)]
    assert [process.wait() for process in processes] == [0, 0]
    for path, mel in zip(paths, spectrograms(store, paths), strict=True):
        np.testing.assert_allclose(mel, direct(path), rtol=2**-11, atol=2**-25)


def test_an_open_store_sees_what_another_adds(tmp_path: Path, store: FeatureStore) -> None:
    paths = clips(tmp_path)
    store.add(paths[:2])
    FeatureStore(tmp_path / "cache", AUDIO, FEATURES).add(paths)
    assert len(store.open(paths)) == len(paths)


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_bad_recordings_are_named_and_the_good_ones_kept(
    tmp_path: Path, store: FeatureStore, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = clips(tmp_path)
    paths[1].write_bytes(b"no sound")
    paths[3].write_bytes(b"no sound")
    with pytest.raises(UnreadableError, match=r"clip1\.wav: not a sound.*; 1 more") as caught:
        store.add(paths, jobs)
    assert list(caught.value.reasons) == [str(paths[1]), str(paths[3])]
    for path, reason in caught.value.reasons.items():
        assert str(reason).startswith(f"{path}: not a sound file")
    forbid_decoding(monkeypatch)
    good = [paths[0], paths[2], paths[4]]
    store.add(good)
    assert len(store.open(good)) == 3


def test_a_missing_recording_is_named(tmp_path: Path, store: FeatureStore) -> None:
    with pytest.raises(InputError, match=r"gone\.wav: no such file"):
        store.add([tmp_path / "gone.wav"])


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    paths = clips(tmp_path)
    (tmp_path / "taken").write_text("a file")
    store = FeatureStore(tmp_path / "taken", AUDIO, FEATURES)
    with pytest.raises(InputError, match="taken"):
        store.add(paths)


def test_a_full_disk_is_named_and_what_was_kept_stays(
    tmp_path: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch, two_threads: None
) -> None:
    paths = clips(tmp_path, (16000,) * 3)
    write_all = shards._write_all

    def full(file: object, data: bytes) -> None:
        if sum(f.stat().st_size for f in store.folder.glob("*.f16")) >= CLIP_BYTES:
            write_all(file, data[:1])
            raise OSError(28, "No space left on device")
        write_all(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "_write_all", full)
        with pytest.raises(DgmixError, match="the disk is full") as caught:
            store.add(paths, jobs=2)
    assert threads() == 2
    assert caught.type is DgmixError
    store.add(paths)
    assert len(store.open(paths)) == 3


def test_a_complete_store_needs_no_writing(
    tmp_path: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = clips(tmp_path)
    store.add(paths)
    before = sorted(store.folder.iterdir())
    store.add(paths)
    assert sorted(store.folder.iterdir()) == before


def test_the_folder_says_what_it_is_for(tmp_path: Path, store: FeatureStore) -> None:
    store.add(clips(tmp_path))
    written = json.loads((store.folder / "settings.json").read_text())
    assert AudioSettings(**written["audio"]) == AUDIO
    assert FeatureSettings(**written["features"]) == FEATURES


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_crops_are_slices_of_the_repeated_clip(bank_of_noise: MelBank, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 100))
    chosen = data.draw(st.lists(st.integers(0, len(bank_of_noise) - 1), max_size=6))
    starts = [data.draw(st.integers(0, int(bank_of_noise.frames[clip]) - 1)) for clip in chosen]
    crops = bank_of_noise.crops(
        np.array(chosen, dtype=np.int64), np.array(starts, dtype=np.int64), length
    )
    assert crops.shape == (len(chosen), length, 128)
    assert crops.dtype == np.float32
    for crop, clip, start in zip(crops, chosen, starts, strict=True):
        mel = bank_of_noise[clip]
        repeated = np.tile(mel, (start + length, 1))[start : start + length]
        np.testing.assert_array_equal(crop, repeated)


@pytest.fixture(scope="module")
def bank_of_noise(tmp_path_factory: pytest.TempPathFactory) -> MelBank:
    folder = tmp_path_factory.mktemp("bank")
    paths = clips(folder)
    store = FeatureStore(folder / "cache", AUDIO, FEATURES)
    store.add(paths)
    return store.open(paths)


def test_default_folder_is_the_users_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DGMIX_CACHE", "/somewhere/else")
    assert default_folder() == Path("/somewhere/else")
    monkeypatch.delenv("DGMIX_CACHE")
    assert default_folder().name == "dgmix"
    assert default_folder().is_absolute()


def test_what_was_released_is_read_again(
    store: FeatureStore, make_clips: Callable[..., list[Path]]
) -> None:
    paths = make_clips([1.0, 2.0])
    store.add(paths)
    bank = store.open(paths)
    before = [bank[0], bank[1]]
    bank.release()
    for clip, frames in enumerate(before):
        np.testing.assert_array_equal(bank[clip], frames)


def test_a_store_keeps_its_name_when_settings_are_added() -> None:
    assert cache.settings_digest(AUDIO, FEATURES) == "b853570cf62f4064"
    assert cache.settings_digest(AUDIO, FeatureSettings(win_length=400)) != "b853570cf62f4064"


def test_other_sound_under_the_same_name_size_and_date_is_other_sound(tmp_path: Path) -> None:
    card = clips(tmp_path, (8000, 8000))
    for path in card:
        os.utime(path, (315_532_800, 315_532_800))
    FeatureStore(tmp_path / "cache", AUDIO, FEATURES).add(card)
    clips(tmp_path, (8000, 8000), seed=7)
    for path in card:
        os.utime(path, (315_532_800, 315_532_800))
    store = FeatureStore(tmp_path / "cache", AUDIO, FEATURES)
    store.add(card)
    for path, mel in zip(card, spectrograms(store, card), strict=True):
        np.testing.assert_allclose(mel, direct(path), rtol=2**-11, atol=2**-25)


def flipped(path: Path) -> None:
    """Change a sample in the middle of a file, and put its time back."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(44 + 8000)
        file.write(b"\xff\x3f")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def swapped(path: Path) -> None:
    """Exchange two recordings of one length, as `mv` does, which keeps their times."""
    other, third = path.with_name("clip1.wav"), path.with_name("third.wav")
    path.rename(third)
    other.rename(path)
    third.rename(other)


def behind_a_link(path: Path) -> None:
    other = path.with_name("clip1.wav")
    path.unlink()
    path.symlink_to(other)


def named_again(path: Path) -> None:
    other = path.with_name("clip1.wav")
    path.unlink()
    path.hardlink_to(other)


def restored(path: Path) -> None:
    """Copy an older recording over a file, with its time, as `cp -p` does."""
    shutil.copy2(path.with_name("clip1.wav"), path)


def shortened(path: Path) -> None:
    before = path.stat()
    os.truncate(path, before.st_size - 4000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def padded(path: Path) -> None:
    """Add text behind the sound: other bytes, the same sound."""
    with path.open("ab") as file:
        file.write(b"LIST\x04\0\0\0INFO")


CHANGES = [flipped, swapped, behind_a_link, named_again, restored, shortened, padded]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("fresh", [True, False])
def test_a_recording_is_its_content_however_it_changed(
    tmp_path: Path, store: FeatureStore, change: Callable[[Path], None], fresh: bool
) -> None:
    paths = clips(tmp_path, (8000, 8000))
    for path in paths:
        os.utime(path, (315_532_800, 315_532_800))
    store.add(paths)
    change(paths[0])
    again = FeatureStore(tmp_path / "cache", AUDIO, FEATURES) if fresh else store
    again.add(paths)
    for path, mel in zip(paths, spectrograms(again, paths), strict=True):
        np.testing.assert_allclose(mel, direct(path), rtol=2**-11, atol=2**-25)


def test_a_file_replaced_after_it_was_added_is_noticed(tmp_path: Path, store: FeatureStore) -> None:
    (path,) = clips(tmp_path, (8000,))
    store.add([path])
    before = path.stat()
    other = tmp_path / "other.wav"
    write_wav(other, np.zeros(8000), 16000)
    other.replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(InputError, match="changed, or not read yet"):
        store.open([path])


def test_notes_are_kept_with_the_frames(tmp_path: Path, store: FeatureStore) -> None:
    whole, cut = clips(tmp_path, (32_000, 32_000))
    cut.write_bytes(cut.read_bytes()[: 44 + 32_000])
    store.add([whole, cut])
    again = FeatureStore(tmp_path / "cache", AUDIO, FEATURES)
    assert again.open([whole, cut]).notes == ("", "incomplete: 1.00 of 2.00 s are there")


def test_a_folder_that_cannot_be_written_says_how_to_name_another(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    store = FeatureStore(tmp_path / "taken", AUDIO, FEATURES)
    with pytest.raises(InputError, match="--cache or DGMIX_CACHE names another folder"):
        store.add(clips(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path, store: FeatureStore) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    keeper = os.open(tmp_path / "pipe.wav", os.O_RDWR)  # else opening it waits
    with pytest.raises(UnreadableError, match="a pipe or device"):
        store.add([tmp_path / "pipe.wav"])
    os.close(keeper)
