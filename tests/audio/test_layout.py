"""Which channels are compared, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest

from dgmix.audio.channels import SINGLE, Channels, channels_of
from dgmix.audio.layout import Layout, choice, chosen, differences, every, facts, silent_now

RATE = 2000
RNG = np.random.default_rng(3)
SOUNDS = 0.05 * RNG.normal(size=(9, 2 * RATE))
HUM = 0.9 * np.sin(2 * np.pi * 50 * np.arange(2 * RATE) / RATE)
A, B, C = SOUNDS[:3]
NOTHING = 0 * A


def of(*columns: np.ndarray) -> Channels:
    channels = channels_of(np.stack(columns, 1).astype(np.float32), RATE)
    assert channels is not None
    return channels


def layout(*recordings: Channels) -> Layout:
    return Layout.of(map(len, recordings), recordings)


CASES = {
    "mono": ([SINGLE], [1], []),
    "different": ([of(A, B)], [1, 2], []),
    "copies": ([of(A, 0.5 * A, A)], [1], ["channels 2 and 3: the same as channel 1"]),
    "inverted": ([of(A, -A)], [1], ["channel 2: the same as channel 1 inverted"]),
    "nearly": ([of(A, 0.01 * B - A)], [1, 2], ["channel 2: nearly the same as channel 1 inverted"]),
    "silent": ([of(A, NOTHING, B)], [1, 3], ["channel 2: silent"]),
    "silent first": ([of(NOTHING, A, A)], [2], None),
    "once silent": ([of(A, B), of(A, NOTHING)], [1], ["channel 2: silent in 1 of 2"]),
    "all silent": ([of(NOTHING, NOTHING)], [1], None),
    "hum": ([of(A, HUM, B)], [1, 3], ["channel 2: mains hum"]),
    "hum everywhere": ([of(HUM + A, HUM + B)], [1, 2], []),
    "clipped": ([of(A, np.clip(60 * B, -1, 1))], [1], ["channel 2: clipped"]),
    "all clipped": ([of(np.clip(60 * A, -1, 1), np.clip(60 * B, -1, 1))], [1, 2], []),
    "louder": ([of(0.05 * A, 0.05 * B, C)], [1, 2, 3], ["channel 3: much louder than the others"]),
    "louder of two": ([of(0.05 * A, B)], [1, 2], []),
    "mono too": ([of(A, B), SINGLE], [1], []),
    "many": ([of(*SOUNDS)], [1, 2, 3, 4, 6, 7, 8, 9], []),
}


@pytest.mark.parametrize("name", CASES)
def test_channels_are_chosen_by_what_recordings_show(name: str) -> None:
    recordings, expected, sentences = CASES[name]
    shown = layout(*recordings)
    assert chosen(shown) == expected
    if sentences is not None:
        assert list(facts(shown)) == sentences
    assert Layout.read(shown.values()) == shown


def test_the_reference_is_not_compared_itself() -> None:
    assert chosen(layout(of(A, B, C)), reference=2) == [1, 3]
    assert every(layout(of(A, A, NOTHING)), reference=1) == [2, 3]


def test_the_choice_is_a_sentence() -> None:
    sentence = choice(layout(of(A, HUM, B), of(A, B)), [1], 0)
    assert sentence == (
        "channels: 1 compared (recordings 1 with 2 channels, 1 with 3 channels; "
        "channel 2: mains hum); --channels chooses others"
    )
    assert "2 to 4 and 6 compared, each by itself" in choice(layout(SINGLE), [2, 3, 4, 6])


def test_a_recording_of_other_channels_is_told() -> None:
    learned = layout(of(A, B), of(B, A))
    assert differences(learned, of(C, B)) == []
    assert differences(learned, None) == []
    assert differences(learned, SINGLE) == ["it has 1 channel, the recordings learned from have 2"]
    assert differences(layout(SINGLE), of(A, -A), averaged=True) == [
        "its channels cancel each other: their mean, which is compared, is 174 dB below the "
        "loudest of them",
        "it has 2 channels, the recordings learned from have 1",
    ]


def test_a_channel_that_went_silent_is_told() -> None:
    learned = layout(of(A, B, C), of(B, C, A))
    assert silent_now(learned, of(A, NOTHING, B)) == {2}
    assert silent_now(learned, of(NOTHING, NOTHING, NOTHING)) == frozenset()
    assert silent_now(layout(of(A, NOTHING)), of(A, NOTHING)) == frozenset()
    (note,) = differences(learned, of(A, NOTHING, B))
    assert note.startswith("channel 2 silent, unlike those learned from")
    (note,) = differences(layout(of(A, NOTHING)), of(A, B))
    assert note == "channel 2 carries sound, and is silent in the recordings learned from"


def test_hum_and_clipping_that_came_are_told() -> None:
    learned = layout(of(A, B))
    (note,) = differences(learned, of(A, HUM))
    assert note.startswith("channel 2: 100 % mains hum, at most")
    (note,) = differences(learned, of(A, np.clip(60 * B, -1, 1)))
    assert note.startswith("channel 2 is clipped")


@pytest.mark.parametrize(
    "change",
    [
        {"recordings": {}},
        {"copies": [0]},
        {"recordings": {"3": 1}},
        {"hum": 1.0},
        {"near_copies": [0, 7]},
        {"faults": [{}, {"<b>": 1}]},
        {"more": []},
    ],
    ids=str,
)
def test_values_that_do_not_belong_together_are_refused(change: dict[str, object]) -> None:
    values = layout(of(A, B)).values() | change
    with pytest.raises((ValueError, TypeError)):
        Layout.read(values)
