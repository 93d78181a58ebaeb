"""Features of recordings of any length, in bounded memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from dgmix.audio import bank, io, sndfile
from dgmix.audio.bank import MelBank, half_mel, half_mel_of
from dgmix.audio.features import MelSpectrogram
from dgmix.audio.io import SignalReader, load
from dgmix.config import AudioSettings, FeatureSettings

FEATURES = FeatureSettings(n_mels=32)
MEL = MelSpectrogram(FEATURES, 16_000)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("remove_mean", [True, False])
def test_a_long_recording_is_the_same_signal_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, remove_mean: bool
) -> None:
    path = tmp_path / "long.wav"
    sound = np.random.default_rng(0).normal(0.1, 0.05, (3 * rate, 2))
    soundfile.write(path, sound, rate, subtype="FLOAT")
    settings = AudioSettings(remove_mean=remove_mean)
    whole = load(path, settings)
    monkeypatch.setattr(io, "WHOLE_SAMPLES", 10_000)
    monkeypatch.setattr(sndfile, "BLOCK_SAMPLES", 9_000)
    parts = list(SignalReader(path, settings).blocks())
    assert len(parts) > 10
    assert max(map(len, parts)) < 20_000
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=2e-7)


LONG = {  # format, subtype, channels, rate
    "flac": ("FLAC", "PCM_16", 1, 16_000),
    "flac of 24 bit": ("FLAC", "PCM_24", 2, 96_000),
    "mp3": ("MP3", "MPEG_LAYER_III", 1, 44_100),
    "vorbis": ("OGG", "VORBIS", 2, 16_000),
    "opus": ("OGG", "OPUS", 1, 48_000),
    "aiff": ("AIFF", "PCM_24", 1, 22_050),
    "caf": ("CAF", "FLOAT", 1, 16_000),
    "w64 of eight channels": ("W64", "PCM_16", 8, 16_000),
    "rf64 at 192 kHz": ("RF64", "PCM_16", 1, 192_000),
    "adpcm": ("WAV", "IMA_ADPCM", 1, 11_025),
    "u-law": ("AU", "ULAW", 1, 8_000),
}


@pytest.mark.parametrize("name", LONG)
def test_long_files_of_every_kind_are_the_same_signal_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    form, subtype, channels, rate = LONG[name]
    path = tmp_path / f"long.{form.lower()}"
    sound = np.random.default_rng(0).normal(0.1, 0.05, (rate, channels))
    soundfile.write(path, sound, rate, format=form, subtype=subtype)
    settings = AudioSettings(sample_rate=min(rate, 48_000))
    reader = SignalReader(path, settings)
    (whole,) = reader.blocks()
    monkeypatch.setattr(io, "WHOLE_SAMPLES", 3000)
    monkeypatch.setattr(sndfile, "BLOCK_SAMPLES", 2000)
    long = SignalReader(path, settings)
    parts = list(long.blocks())
    assert max(map(len, parts)) < 6000
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=2e-7)
    assert long.note == reader.note
    assert long.quality is not None
    assert reader.quality is not None
    for measure in ("seconds", "level", "dropouts", "ending", "frozen"):
        expected = getattr(reader.quality, measure)
        assert getattr(long.quality, measure) == pytest.approx(expected, abs=1e-4), measure


def test_resampling_in_parts_is_that_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    reader = SignalReader("", AudioSettings())
    parts = np.concatenate(list(reader._resampled(iter(np.split(sound, 50)), 22_050)))
    np.testing.assert_allclose(parts, soxr.resample(sound, 22_050, 16_000, "HQ"), atol=1e-6)


def test_long_features_are_mapped_from_disk_and_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = np.random.default_rng(0).normal(size=400_000).astype(np.float32)
    expected = half_mel(signal, MEL)
    monkeypatch.setattr("dgmix.audio.features.BLOCK_FRAMES", 50)
    monkeypatch.setattr(bank, "LONG_FRAMES", 100)
    mapped = half_mel_of(np.array_split(signal, 7), MEL)
    assert type(mapped.base).__name__ == "mmap"
    np.testing.assert_allclose(mapped, expected, rtol=2**-10)
    whole = MelBank([mapped], 32)
    blocks = list(whole.blocks(0, 64))
    assert max(map(len, blocks)) == 64
    np.testing.assert_array_equal(np.concatenate(blocks), whole[0])


def test_a_bank_without_notes_has_an_empty_one_for_each_clip() -> None:
    clips = [np.zeros((3, 2), np.float16), np.zeros((1, 2), np.float16)]
    assert MelBank(clips, 2).notes == ("", "")
    assert MelBank(clips, 2, notes=["", "incomplete"]).notes == ("", "incomplete")


def test_a_low_rate_is_not_many_times_as_much_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "slow.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 2000), 100, subtype="FLOAT")
    whole = load(path, AudioSettings())
    assert len(whole) == 320_000
    monkeypatch.setattr(io, "WHOLE_SAMPLES", 100_000)
    parts = list(SignalReader(path, AudioSettings()).blocks())
    assert max(map(len, parts)) < 110_000  # soxr's own steps
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)
