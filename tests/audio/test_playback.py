import base64
import io

import numpy as np
import pytest
import soundfile

from dgmix.audio import playback
from dgmix.audio.playback import data_uri

RATE = 16_000


def noise(seconds=2.0, seed=0):
    rng = np.random.default_rng(seed)
    return (0.1 * rng.normal(size=round(seconds * RATE))).astype(np.float32)


def decoded(address):
    start, _, data = address.partition(",")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)), dtype="float32")
    return start, samples, rate


def band_levels(samples, rate):
    """The mean level in dB, (band,), of 80 bands of 100 Hz."""
    length = rate // 10
    frames = samples[: len(samples) // length * length].reshape(-1, length) * np.hanning(length)
    power = np.square(np.abs(np.fft.rfft(frames))).mean(0)[:800] / length**2
    return 10 * np.log10(power.reshape(80, 10).mean(1))


def test_mp3_keeps_length_and_frequencies():
    sound = noise()
    start, samples, rate = decoded(data_uri(sound, RATE))
    assert start == "data:audio/mpeg;base64"
    assert rate > RATE
    assert len(samples) == len(sound) * rate // RATE
    lost = band_levels(sound, RATE) - band_levels(samples, rate)
    assert np.abs(lost[:75]).max() < 1.5


def test_mp3_keeps_the_moment():
    sound = np.zeros(RATE, np.float32)
    sound[5000:5040] = 0.5
    _, samples, rate = decoded(data_uri(sound, RATE))
    assert np.abs(samples).argmax() / rate == pytest.approx(5020 / RATE, abs=0.005)


def test_ten_seconds_are_small():
    assert len(data_uri(noise(10.0), RATE)) < 100_000


def test_the_same_sound_gives_the_same_text():
    assert data_uri(noise(), RATE) == data_uri(noise(), RATE)


@pytest.mark.parametrize("length", [1, 7, 100])
def test_short_sounds_are_no_problem(length):
    _, samples, rate = decoded(data_uri(noise()[:length], RATE))
    assert abs(len(samples) - length * rate / RATE) < 1


def test_beyond_full_scale_is_clipped():
    _, samples, _ = decoded(data_uri(np.full(400, 3.0, np.float32), 96_000))
    assert samples.max() <= 1.0
    assert samples.min() > 0.99


def test_a_rate_that_mp3_lacks_is_written_as_wav():
    sound = noise(0.1)
    start, samples, rate = decoded(data_uri(sound, 96_000))
    assert start == "data:audio/wav;base64"
    assert rate == 96_000
    assert np.abs(samples - sound).max() < 1e-4


def test_without_mp3_it_is_written_as_wav(monkeypatch):
    encoded = playback._encoded

    def without_mp3(samples, rate, kind, **options):
        return encoded(samples, rate, "no such format" if kind == "MP3" else kind, **options)

    monkeypatch.setattr(playback, "_encoded", without_mp3)
    start, samples, _ = decoded(data_uri(noise(), RATE))
    assert start == "data:audio/wav;base64"
    assert np.abs(samples - noise()).max() < 1e-4
