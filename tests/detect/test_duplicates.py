"""The same sound is found however it was copied, and machines that repeat themselves are not."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.data.simulate.signals import RATE
from dgmix.detect.duplicates import merge_copies
from dgmix.detect.resolve import recipe_at

Signal = NDArray[np.float32]
Change = Callable[[Signal], Signal]
SECONDS = 4
MACHINES = ("fan", "valve")


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return recipe_at(load_recipe("default"), RATE)


def noise(seed: int, seconds: float = SECONDS) -> Signal:
    """Return broad noise whose colour drifts, as no machine makes it twice."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(round(seconds * RATE))
    return (0.05 * np.convolve(white, [1, 0.6, 0.3], "same")).astype(np.float32)


def machine(name: str, index: int, seconds: float = SECONDS) -> Signal:
    """Return a recording of a healthy simulated machine, of the same unit and condition each."""
    samples = round(seconds * RATE)
    return np.asarray(samples_of(PlannedClip(name, 0, 0, 2 * index), 0, samples), np.float32)


def merged(signals: Sequence[Signal], recipe: Recipe, names: Sequence[str] = ()) -> list[str]:
    """Return the recordings of signals that have these names, else numbers."""
    bank = bank_of_signals(list(signals), recipe.audio, recipe.features)
    return merge_copies([bank], names or [f"{number}" for number in range(len(signals))])


def encoded(kind: str, subtype: str) -> Change:
    def change(signal: Signal) -> Signal:
        file = io.BytesIO()
        soundfile.write(file, signal, RATE, format=kind, subtype=subtype)
        file.seek(0)
        return np.asarray(soundfile.read(file, dtype="float32")[0])

    return change


COPIES: dict[str, Change] = {
    "the same": lambda x: x,
    "one sample less": lambda x: x[:-1],
    "one sample later": lambda x: x[1:],
    "64 samples later": lambda x: x[64:],
    "128 samples later": lambda x: x[128:],
    "padded": lambda x: np.concatenate([np.zeros(100, np.float32), x]),
    "3 dB softer": lambda x: 0.7 * x,
    "20 dB softer": lambda x: 0.1 * x,
    "16 bits": lambda x: (np.round(x * 32767) / 32767).astype(np.float32),
    "8 bits": lambda x: (np.round(x * 127) / 127).astype(np.float32),
    "MP3": encoded("MP3", "MPEG_LAYER_III"),
    "Ogg": encoded("OGG", "VORBIS"),
    "the first half": lambda x: x[: len(x) // 2],
    "the last three quarters": lambda x: x[len(x) // 4 :],
}


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.parametrize("source", ["noise", *MACHINES])
def test_copies_are_merged(source: str, name: str, recipe: Recipe) -> None:
    signals = [noise(n) if source == "noise" else machine(source, n) for n in range(3)]
    groups = merged([*signals, COPIES[name](signals[1])], recipe)
    assert groups == ["0", "1", "2", "1"]


def cuts(whole: Signal, every: int, frame: int) -> list[Signal]:
    """Return cuts of four seconds, one about every so many seconds, to within 100 samples of whole
    frames."""
    count = (len(whole) // RATE - SECONDS) // every + 1
    starts = [round(n * every * RATE / frame) * frame + 37 * n % 100 for n in range(count)]
    return [whole[start : start + SECONDS * RATE] for start in starts]


@pytest.mark.parametrize("source", ["noise", *MACHINES])
def test_cuts_that_overlap_are_one_recording(source: str, recipe: Recipe) -> None:
    whole = noise(1, 13) if source == "noise" else machine(source, 1, 13)
    hop = recipe.features.hop_length
    assert len({*merged(cuts(whole, 2, hop), recipe)}) == 1
    apart = cuts(whole, 4, hop)
    assert len({*merged(apart, recipe)}) == len(apart) == 3


@pytest.mark.parametrize("source", ["noise", *MACHINES])
def test_independent_recordings_stay_apart(source: str, recipe: Recipe) -> None:
    signals = [noise(n) if source == "noise" else machine(source, n) for n in range(16)]
    names = [f"{number}" for number in range(16)]
    assert merged(signals, recipe) == names


def test_copies_take_the_name_of_the_first_and_of_all_its_pieces(recipe: Recipe) -> None:
    a, b, c = (noise(seed) for seed in range(3))
    names = ["r1", "r1", "r2", "r2", "r3"]
    assert merged([a, b, b, c, noise(9)], recipe, names) == ["r1", "r1", "r1", "r1", "r3"]


def test_a_chain_of_overlaps_is_one_recording(recipe: Recipe) -> None:
    """Each overlaps with the next alone."""
    parts = cuts(noise(3, 17), 2, recipe.features.hop_length)
    order = [3, 0, 5, 2, 6, 1, 4]
    assert len({*merged([parts[i] for i in order], recipe)}) == 1


def test_short_recordings_need_half_of_their_sound(recipe: Recipe) -> None:
    short = noise(1, 1.0)
    assert len({*merged([short, short[RATE // 4 :]], recipe)}) == 1
    assert len({*merged([noise(n, 0.3) for n in range(8)], recipe)}) == 8


@pytest.mark.parametrize("samples", [1, 300, 2000])
def test_recordings_too_short_to_tell_stay_as_they_are(samples: int, recipe: Recipe) -> None:
    signals = [noise(n)[:samples] for n in range(3)]
    assert merged(signals, recipe) == ["0", "1", "2"]


def test_a_steady_tone_and_silence_are_no_obstacle(recipe: Recipe) -> None:
    time = np.arange(SECONDS * RATE) / RATE
    tone = (0.1 * np.sin(2 * np.pi * 500 * time)).astype(np.float32)
    groups = merged([np.zeros(RATE, np.float32), tone, noise(1)], recipe)
    assert len({*groups}) == 3


def test_one_recording_and_none(recipe: Recipe) -> None:
    assert merged([noise(0)], recipe) == ["0"]
    assert merge_copies([MelBank([], recipe.features.n_mels)], []) == []


def tone(hertz: float, level: float = 0.05) -> Signal:
    """Return a tone in steps of 16 bits, the same to the bit in every recording."""
    sound = level * np.sin(2 * np.pi * hertz * np.arange(SECONDS * RATE) / RATE)
    return (np.round(sound * 32768) / 32768).astype(np.float32)


def test_a_tone_that_all_recordings_begin_alike_makes_no_copies(recipe: Recipe) -> None:
    assert merged([tone(1000) + 0.02 * noise(i) for i in range(5)], recipe) == list("01234")


def test_copies_are_alike_in_every_channel(recipe: Recipe) -> None:
    clock = bank_of_signals([tone(40, 0.3)] * 4, recipe.audio, recipe.features)
    silent = bank_of_signals([0 * noise(0)] * 4, recipe.audio, recipe.features)
    sounds = [noise(0), noise(1), noise(0)[64:], noise(3)]
    bank = bank_of_signals(sounds, recipe.audio, recipe.features)
    for other in (clock, silent):
        assert merge_copies([other, bank], list("0123")) == list("0103")
