"""Recordings of several channels through the public door: learned, judged, kept, localised."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from dgmix import Detector
from dgmix.audio.io import load, write_wav
from dgmix.config import Recipe, load_recipe
from dgmix.detect.judgement import ANOMALY, UNUSABLE, Judgement
from dgmix.errors import InputError

RATE, COUNT = 8000, 20
Sound = NDArray[np.float32]
TIME = np.arange(RATE) / RATE


def machine(number: int, fault: float = 0.0) -> Sound:
    """Return a second of noise with a hum of its own, and a whine where it is faulty."""
    rng = np.random.default_rng(number)
    sound = 0.03 * rng.normal(size=RATE) + 0.02 * np.sin(2 * np.pi * 97 * TIME + number)
    return np.asarray(sound + fault * np.sin(2 * np.pi * 1900 * TIME), np.float32)


def noise(number: int, channel: int) -> Sound:
    rng = np.random.default_rng([number, channel])
    return np.asarray(0.01 * rng.normal(size=RATE), np.float32)


def array_of(number: int, faults: dict[int, float] | None = None, channels: int = 3) -> Sound:
    """Return what microphones around a machine record, (sample, channel); some near a fault."""
    near = faults or {}
    columns = [
        np.roll(machine(number, near.get(k, 0.0)), 3 * k) + noise(number, k)
        for k in range(1, channels + 1)
    ]
    return np.stack(columns, 1)


def learned(recordings: list[Sound], **audio: object) -> Detector:
    return Detector(recipe_of(**audio)).fit(recordings, sample_rate=RATE)


def recipe_of(**audio: object) -> Recipe:
    return load_recipe("default", [f"audio.{key}={value}" for key, value in audio.items()])


def judged(detector: Detector, *recordings: Sound) -> list[Judgement]:
    return list(detector.judgements(list(recordings), sample_rate=RATE))


def verdicts(detector: Detector, *recordings: Sound) -> list[bool]:
    return [each.verdict(0.05) == ANOMALY for each in judged(detector, *recordings)]


@pytest.fixture(scope="module")
def around() -> Detector:
    return learned([array_of(i) for i in range(COUNT)])


def test_a_fault_near_one_microphone_is_found_and_named(around: Detector) -> None:
    assert around.fitted_.recipe.audio.channels == [1, 2, 3]
    for channel in (1, 2, 3):
        (judgement,) = judged(around, array_of(100 + channel, {channel: 0.03}))
        assert judgement.verdict(0.05) == ANOMALY
        assert judgement.signal == str(channel)


def test_an_inverted_channel_hides_no_fault() -> None:
    def inverted(number: int, fault: float = 0.0) -> Sound:
        sound = machine(number, fault)
        return np.stack([sound, 1e-3 * noise(number, 2) - sound], 1)

    detector = learned([inverted(i) for i in range(COUNT)])
    assert all(verdicts(detector, *(inverted(200 + i, 0.03) for i in range(3))))
    assert sum(verdicts(detector, *(inverted(300 + i) for i in range(3)))) <= 1


def test_a_cut_cable_is_told_and_the_other_channels_decide(around: Detector) -> None:
    def cut(recording: Sound, channel: int = 2) -> Sound:
        recording[:, channel - 1] = 0
        return recording

    healthy = [cut(array_of(400 + i)) for i in range(4)]
    faulty = cut(array_of(410, {3: 0.03}))
    *calm, judgement = judged(around, *healthy, faulty)
    assert judgement.verdict(0.05) == ANOMALY
    assert sum(each.verdict(0.05) == ANOMALY for each in calm) <= 1
    for each in (*calm, judgement):
        assert each.missing == (2,)
        assert each.notes[0].startswith("channel 2 silent")
    others = learned([array_of(i)[:, [0, 2]] for i in range(COUNT)])
    (alone,) = judged(others, array_of(410, {3: 0.03})[:, [0, 2]])
    assert judgement.score == pytest.approx(alone.score, rel=1e-6)


def test_a_channel_without_the_upper_band_is_told_by_its_number(around: Detector) -> None:
    recording = array_of(131)
    recording[:, 1] = resample_poly(recording[::2, 1], 2, 1)
    (judgement,) = judged(around, recording)
    assert judgement.verdict(0.05) == UNUSABLE
    assert re.search(r"no sound above \S+ k?Hz in channel 2, and", judgement.unusable)
    (whole,) = judged(around, array_of(131))
    assert not whole.unusable


def test_where_the_only_channel_compared_is_silent_nothing_is_judged() -> None:
    detector = learned([array_of(i, channels=2) for i in range(COUNT)], channels="first")
    recording = array_of(50, channels=2)
    recording[:, 0] = 0
    (judgement,) = judged(detector, recording)
    assert judgement.verdict(0.05) == UNUSABLE
    assert "nothing but channel 1 is compared" in judgement.unusable


def test_a_channel_of_hum_is_left_out() -> None:
    def with_hum(number: int, faults: dict[int, float] | None = None) -> Sound:
        recording = array_of(number, faults)
        recording[:, 1] = np.clip(1.5 * np.sin(2 * np.pi * 50 * TIME + number), -1, 1)
        return recording

    detector = learned([with_hum(i) for i in range(COUNT)])
    assert detector.fitted_.recipe.audio.channels == [1, 3]
    assert all(verdicts(detector, *(with_hum(500 + i, {1: 0.03, 3: 0.03}) for i in range(3))))


def surround(sound: Sound, number: int) -> Sound:
    """Return six channels, one dead and one with no more than faint noise of its own."""
    faint = 0.02 * noise(number, 9)
    others = [sound * gain + noise(number, k) for k, gain in enumerate((0.9, 0.5, 0.5))]
    return np.stack([sound, others[0], faint, 0 * sound, others[1], others[2]], 1)


def hissing(sound: Sound, number: int) -> Sound:
    return np.stack([sound, 30 * noise(number, 7)], 1)


def near_and_far(sound: Sound, number: int) -> Sound:
    """Return three channels, of which only the second, 40 dB louder, is near the machine."""
    return np.stack([0.01 * sound + noise(number, 1), sound, 0.01 * sound + noise(number, 3)], 1)


LAYOUTS = {  # what is made of a sound, and the channels that are compared
    "surround": (surround, [1, 2, 5, 6]),
    "three of four dead": (lambda s, _: np.stack([0 * s, s, 0 * s, 0 * s], 1), [2]),
    "a delayed copy": (lambda s, _: np.stack([s, np.roll(s, 37)], 1), [1, 2]),
    "an offset": (lambda s, _: np.stack([s, 0.5 * s + 0.4], 1), [1]),
    "copies, inverted and not": (lambda s, _: np.stack([s, -s, s, -0.3 * s], 1), [1]),
    "a hiss on one": (hissing, [1, 2]),
    "one is much louder": (near_and_far, [1, 2, 3]),
    "clipped": (lambda s, _: np.stack([s, np.clip(300 * s, -1, 1)], 1), [1]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_fault_is_detected_whatever_the_layout(name: str) -> None:
    of, channels = LAYOUTS[name]
    detector = learned([of(machine(i), i) for i in range(COUNT)])
    assert detector.fitted_.recipe.audio.channels == channels
    assert all(verdicts(detector, *(of(machine(i, 0.03), i) for i in (700, 701))))
    assert sum(verdicts(detector, *(of(machine(i), i) for i in range(900, 906)))) <= 2


def test_another_number_of_channels_is_told(around: Detector) -> None:
    (judgement,) = judged(around, machine(1))
    assert "it has 1 channel, and channels 1, 2, 3 are compared" in str(judgement.error)
    (judgement,) = judged(around, array_of(1, channels=4))
    assert judgement.notes == ("it has 4 channels, the recordings learned from have 3",)
    mono = learned([machine(i) for i in range(COUNT)])
    assert mono.fitted_.recipe.audio.channels == [1]
    (alone,) = judged(mono, machine(60))
    (stereo,) = judged(mono, np.stack([machine(60), -machine(60)], 1))
    assert stereo.score == alone.score
    assert stereo.notes == ("it has 2 channels, the recordings learned from have 1",)


def test_a_reference_hears_what_is_no_fault_of_the_machine() -> None:
    """A neighbour that runs in half of the healthy recordings hides a whine; the reference not."""

    def hall(number: int, fault: float = 0.0) -> Sound:
        rng = np.random.default_rng([7, number])
        other = (number % 2) * 0.3 * rng.normal(size=RATE)
        near = machine(number, fault) + np.roll(other, 4)
        return np.stack([near, other + noise(number, 2)], 1).astype(np.float32)

    recordings = [hall(i) for i in range(COUNT)]
    near = learned(recordings, channels=1)
    both = learned(recordings, channels=1, reference_channel=2)
    faulty = [hall(601 + 2 * i, 0.02) for i in range(3)]
    assert not any(verdicts(near, *faulty))
    assert all(verdicts(both, *faulty))
    assert {each.signal for each in judged(both, *faulty)} == {"1-2"}
    assert sum(verdicts(both, *(hall(701 + i) for i in range(4)))) <= 1


def test_files_and_arrays_are_the_same_and_a_detector_is_kept(
    around: Detector, tmp_path: Path
) -> None:
    paths = []
    for i in range(4):
        paths.append(tmp_path / f"x{i}.wav")
        write_wav(paths[-1], array_of(i + 900, {2: 0.03 * (i // 2)}), RATE)
    around.save(tmp_path / "a.dgmix")
    kept = Detector.load(tmp_path / "a.dgmix")
    assert kept.fitted_.layout == around.fitted_.layout
    from_files = list(kept.judgements([str(path) for path in paths]))
    again = list(around.judgements([str(path) for path in paths]))
    assert from_files == again
    arrays = judged(around, *(array_of(i + 900, {2: 0.03 * (i // 2)}) for i in range(4)))
    for file, array in zip(from_files, arrays, strict=True):
        assert file.score == pytest.approx(array.score, abs=0.2)  # 16 bits
    (place,) = kept.localize([str(paths[3])])
    assert place.where == pytest.approx(1900, rel=0.1)


def test_an_update_remembers_all_channels(around: Detector) -> None:
    fitted = around.fitted_
    more = Detector.of(fitted).update([array_of(50 + i) for i in range(3)], sample_rate=RATE)
    assert len(more.fitted_.bands) == 6
    assert len(more.fitted_.memory.clips) == COUNT + 3
    undone = more.undo_update().fitted_
    assert len(undone.bands) == 3
    assert len(undone.memory.clips) == COUNT


def test_a_network_learns_from_all_channels(tiny: Recipe) -> None:
    audio = tiny.audio.model_copy(update={"channels": [1, 2], "sample_rate": RATE})
    features = tiny.features.model_copy(update={"f_max": RATE / 2})
    recipe = tiny.model_copy(update={"audio": audio, "features": features})
    detector = Detector(recipe).fit([array_of(i) for i in range(4)], sample_rate=RATE)
    assert list(detector.fitted_.memory.views) == ["dgmix@1", "dgmix@2"]
    assert np.isfinite(detector.score_samples([array_of(9)], sample_rate=RATE)).all()


def test_a_long_recording_is_what_a_short_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.wav"
    write_wav(path, array_of(3), RATE)
    for audio in ({"channels": "1,3"}, {"channels": 1, "reference_channel": 3}):
        settings = recipe_of(sample_rate=16_000, **audio).audio
        whole = load(path, settings)
        with monkeypatch.context() as patch:
            patch.setattr("dgmix.audio.io.WHOLE_SAMPLES", 1000)
            np.testing.assert_allclose(load(path, settings), whole, atol=1e-6)
        assert whole.shape == (2 * RATE, 2)


def test_several_channels_have_no_onnx_file(around: Detector, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"3 signals .* an ONNX file takes a single one; fit"):
        around.export_onnx(tmp_path)
