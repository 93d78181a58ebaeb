"""The band that is heard: faults anywhere in it are found, and what lacks a part of it is told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from dgmix import Detector
from dgmix.audio.mel_scale import mel_edges
from dgmix.config import load_recipe
from dgmix.detect.band import band_levels, content, first_lacking, highest, remarks
from dgmix.detect.judgement import NORMAL, UNUSABLE
from dgmix.detect.reporting import fit_report
from dgmix.detect.resolve import recipe_at
from dgmix.detect.sources import sounds

RATE = 48_000
HEALTHY = 8
Signal = NDArray[np.float64]


def machine(seed: int, rate: int = RATE, seconds: float = 1.0) -> Signal:
    """Return a hum and noise that falls by 3 dB an octave, in steps of 16 bits."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(round(rate * seconds)))
    hertz = np.fft.rfftfreq(round(rate * seconds), 1 / rate)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 50) / 50))
    hum = np.sin(2 * np.pi * 50 * np.arange(len(noise)) / rate)
    return steps(0.05 * hum + 0.02 * noise)


def steps(signal: Signal) -> Signal:
    return np.rint(signal * 32768) / 32768


def with_band(signal: Signal, low: float, high: float, rate: int) -> Signal:
    """Return a signal with noise between two frequencies added, half as strong as it is."""
    noise = np.random.default_rng(99).standard_normal(len(signal))
    band = sosfilt(butter(6, [low, high], "bandpass", fs=rate, output="sos"), noise)
    return steps(signal + 0.5 * signal.std() * band / band.std())


def resampled(signal: Signal, rate: int) -> Signal:
    """Return a signal that has been at a lower rate, at its own again."""
    return steps(soxr.resample(soxr.resample(signal, RATE, rate), rate, RATE))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector().fit([machine(seed) for seed in range(HEALTHY)], sample_rate=RATE)


def lacking(detector: Detector, item: object, rate: int | None = RATE) -> float | None:
    fitted = detector.fitted_
    [(_, bank)] = sounds([item], rate).readable_banks(fitted.recipe)
    first = first_lacking(band_levels(bank, 0), fitted.statistics_of(""))
    return None if first is None else float(mel_edges(fitted.recipe.features)[first])


@pytest.mark.parametrize(
    ("rate", "low", "high"),
    [
        (48_000, 12_000, 18_000),
        (44_100, 14_000, 16_000),
        (192_000, 38_000, 42_000),
        (25_600, 9000, 11_000),
        (8000, 3000, 3500),
        (1000, 300, 400),
    ],
)
def test_a_fault_anywhere_below_half_of_the_rate_is_found(rate: int, low: int, high: int) -> None:
    seconds = 0.4 if rate > 100_000 else 1.0
    learned = Detector(false_alarm_rate=0.2).fit(
        [machine(seed, rate, seconds) for seed in range(HEALTHY)], sample_rate=rate
    )
    healthy = machine(50, rate, seconds)
    faulty = with_band(healthy, low, high, rate)
    before, after = learned.score_samples([healthy, faulty], sample_rate=rate)
    assert after > max(learned.threshold_, 5 * before)
    assert low / 1.1 < learned.localize([faulty], sample_rate=rate)[0].where < high * 1.1


def test_the_band_is_told_and_kept(detector: Detector, tmp_path: Path) -> None:
    detector.save(tmp_path / "pump.dgmix")
    loaded = Detector.load(tmp_path / "pump.dgmix")
    assert loaded.fitted_.recipe == recipe_at(load_recipe("default"), RATE)
    band = {"highest frequency": 24_000.0, "sample rate": RATE}
    assert loaded.summary()["band"] == band
    report = fit_report(loaded.fitted_, "pump.dgmix", ["a"] * HEALTHY)
    assert "\nband: up to 24 kHz (48 kHz recordings)\n" in report


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 32_000])
def test_a_recording_of_a_lower_rate_lacks_what_is_above_half_of_it(
    detector: Detector, rate: int
) -> None:
    signal = machine(60)
    for edge in (
        lacking(detector, resampled(signal, rate)),
        lacking(detector, steps(soxr.resample(signal, RATE, rate)), rate),
    ):
        assert edge == pytest.approx(rate / 2, rel=0.04)


def test_a_compressed_recording_lacks_what_its_encoder_left_out(detector: Detector) -> None:
    file = io.BytesIO()
    soundfile.write(file, machine(60, seconds=2), RATE, format="MP3", compression_level=0.8)
    file.seek(0)
    edge = lacking(detector, file, None)
    assert edge is not None
    assert 9000 < edge < 13_000


def test_a_fault_is_no_lack(detector: Detector) -> None:
    healthy = machine(60)
    gentle = sosfilt(butter(4, 6000, fs=RATE, output="sos"), healthy)
    faults = [
        healthy,
        with_band(healthy, 12_000, 18_000, RATE),
        with_band(healthy, 500, 900, RATE),
        steps(0.1 * healthy),
        steps(gentle),
        0 * healthy,
        machine(61, 96_000)[::2],
    ]
    assert [lacking(detector, each) for each in faults] == [None] * len(faults)


def test_content_ends_where_a_recording_was_cut_off(detector: Detector) -> None:
    recipe = detector.fitted_.recipe
    items = [machine(70), resampled(machine(70), 16_000), with_band(machine(70), 9000, 9500, RATE)]
    bank = sounds(items, RATE).bank(recipe)
    ends = [content(band_levels(bank, index), recipe) for index in range(len(items))]
    assert ends == pytest.approx([highest(recipe), 8000, highest(recipe)], rel=0.04)


def test_healthy_recordings_that_lack_a_part_are_named() -> None:
    recipe = recipe_at(load_recipe("default"), RATE)
    healthy = sounds([machine(0), resampled(machine(1), 16_000)], RATE)
    (line,) = remarks(healthy.names, [RATE, RATE], healthy.bank(recipe), recipe)
    assert line.startswith(
        "no sound in the upper part of the band, which ends at 24 kHz, in 1 of 2"
    )
    assert "(recording 1 above 7.83 kHz): were they resampled" in line
    assert line.endswith("leave them out")
    all_cut = healthy.select([1])
    (line,) = remarks(all_cut.names, [RATE], all_cut.bank(recipe), recipe)
    assert "in 1 of 1 recordings" in line
    assert line.endswith("record WAV or FLAC if that can be")


def test_a_band_that_is_chosen_too_low_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = load_recipe("default", ["audio.sample_rate=16000"])
    Detector(recipe).fit([machine(seed) for seed in range(2)], sample_rate=RATE)
    assert "sound above 8 kHz is not compared, though the recordings reach 24 kHz" in (
        capsys.readouterr().err
    )


def test_a_recording_that_lacks_a_part_is_unusable_and_says_so(detector: Detector) -> None:
    items = [machine(60), resampled(machine(60), 16_000), resampled(machine(60), 44_100)]
    whole, half, nearly = detector.judgements(items, sample_rate=RATE)
    assert (whole.verdict(0.05), whole.defects) == (NORMAL, ())
    assert half.verdict(0.2) == UNUSABLE
    assert half.unusable == (
        "no sound above 7.83 kHz, and the healthy recordings have some up to 24 kHz: was it "
        "resampled, compressed, or recorded at a lower rate?"
    )
    assert nearly.unusable == ""
    assert nearly.notes[0].startswith("no sound above 21.")
