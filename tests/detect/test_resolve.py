"""What healthy recordings decide of a recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dgmix.audio.features import MelSpectrogram
from dgmix.audio.frames import crop_frames
from dgmix.audio.io import write_wav
from dgmix.config import load_recipe
from dgmix.detect.recordings import Sounds
from dgmix.detect.resolve import recipe_at, resolve
from dgmix.detect.sources import sounds
from dgmix.errors import InputError
from dgmix.model.steps import steps_per_epoch

DEFAULT = load_recipe("default")


def of_rates(*rates: int) -> Sounds:
    return sounds([(np.ones(rate // 10), rate) for rate in rates])


@pytest.mark.parametrize(
    ("rates", "expected"),
    [([48_000] * 3, 48_000), ([44_100, 48_000], 44_100), ([25_600], 25_600), ([500], 1000)],
)
def test_the_lowest_rate_is_what_all_share(rates: list[int], expected: int) -> None:
    resolved = resolve(DEFAULT, of_rates(*rates))
    assert resolved == recipe_at(DEFAULT, expected)
    assert resolved.audio.rate == expected
    assert resolve(resolved, of_rates(8000)) == resolved


@pytest.mark.parametrize(("seconds", "crops"), [([10.0] * 3, 309), ([1, 1, 10], 28), ([0.01], 1)])
def test_an_epoch_has_every_crop_of_a_recording_once(seconds: list[float], crops: int) -> None:
    """As many frames as the features have, less four, in which no crop of five begins."""
    recordings = [(np.ones(round(16_000 * each)), 16_000) for each in seconds]
    for name in ("autoencoder", "mahala"):
        recipe = load_recipe(name)
        resolved = resolve(recipe, sounds(recordings))
        assert resolved.finetune.crops_per_clip == crops
        frames = MelSpectrogram(recipe.features, 16_000)(recordings[0][0]).shape[-1]
        assert crops == max(frames - crop_frames(recipe) + 1, 1)
    with pytest.raises(InputError, match="'crops_per_clip': auto, which healthy recordings decide"):
        steps_per_epoch(3, load_recipe("mahala").finetune)


def test_rates_that_differ_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    resolve(DEFAULT, of_rates(16_000, 8000, 16_000))
    assert capsys.readouterr().err == (
        "sample rates differ: 8 kHz (1), 16 kHz (2); "
        "all are compared at the lowest, so up to 4 kHz\n"
    )
    resolve(DEFAULT, of_rates(16_000, 16_000))
    assert capsys.readouterr().err == ""


def test_files_that_cannot_be_read_decide_nothing(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.ones(4000) * 0.1, 44_100)
    (tmp_path / "b.wav").write_bytes(b"nothing")
    paths = [tmp_path / name for name in ("a.wav", "b.wav", "none.wav")]
    assert resolve(DEFAULT, sounds(paths)).audio.rate == 44_100
    with pytest.raises(
        InputError, match=r"none of 2 recordings can be read; the first: .*b\.wav: "
    ):
        resolve(DEFAULT, sounds(paths[1:]))


def test_a_rate_that_is_chosen_stays_and_the_bands_follow_it() -> None:
    resolved = resolve(load_recipe("default", ["audio.sample_rate=32000"]), of_rates(96_000))
    assert resolved.audio.rate == 32_000
    assert 15_500 < resolved.features.highest <= 16_000
    published = load_recipe("published")
    assert resolve(published, of_rates(96_000)) == published


def test_a_rate_with_too_few_bands_is_refused() -> None:
    with pytest.raises(InputError, match=r"sample_rate': 500 Hz leave 14 mel bands, and views"):
        resolve(load_recipe("default", ["audio.sample_rate=500"]), of_rates(500))


def test_what_is_open_cannot_be_used() -> None:
    with pytest.raises(InputError, match="auto, which healthy recordings decide"):
        _ = DEFAULT.audio.rate
    with pytest.raises(InputError, match="auto, which the sample rate decides"):
        _ = DEFAULT.features.highest
