"""Which clips an epoch hears, and from where."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgmix.audio.bank import MelBank
from dgmix.config import Classes, PretrainSettings, Recipe
from dgmix.model.crops import TrainingCrops, deal, mixing_weights, stays_on
from dgmix.model.network import build_network
from dgmix.model.steps import SMALLEST_BATCH, crops_per_clip

Bank = Callable[..., MelBank]


@given(
    clips=st.integers(1, 200),
    crops=st.integers(1, 5),
    batch=st.integers(4, 64),
    seed=st.integers(0, 99),
)
def test_no_batch_is_odd_or_small_and_every_clip_is_heard(
    clips: int, crops: int, batch: int, seed: int
) -> None:
    settings = PretrainSettings(crops_per_clip=crops, batch_size=batch)
    batches = max(1, round(max(SMALLEST_BATCH, clips * crops) / batch))
    parts = deal(clips, settings, batches, np.random.default_rng(seed))
    sizes = [len(part) for part in parts]
    assert len(parts) == batches
    assert all(size % 2 == 0 and size >= SMALLEST_BATCH for size in sizes)
    assert max(sizes) - min(sizes) <= 2
    counts = np.bincount(np.concatenate(parts), minlength=clips)
    assert (counts >= crops).all()
    assert counts.sum() <= max(clips * crops + 1, SMALLEST_BATCH * batches)


def epoch(bank: MelBank, recipe: Recipe, seed: int) -> list[torch.Tensor]:
    crops = TrainingCrops.of(bank, ["00"] * len(bank))
    network = build_network(recipe, 0)
    rng = np.random.default_rng(seed)
    return [batch.inputs for batch in crops.epoch(network, recipe.pretrain, rng)]


def test_a_seed_gives_the_same_crops_and_another_gives_others(
    make_bank: Bank, tiny: Recipe
) -> None:
    bank = make_bank(tiny, [2.0] * 6)
    one, same, other = (torch.cat(epoch(bank, tiny, seed)) for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_batches_from_a_device_are_those_from_the_bank(
    make_bank: Bank, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = make_bank(tiny, [0.2, 1.7, 0.9, 2.3])
    before = epoch(bank, tiny, 5)
    monkeypatch.setattr("dgmix.model.crops.stays_on", lambda *_: True)
    after = epoch(bank, tiny, 5)
    assert len(before) == len(after)
    assert all(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_a_bank_lies_on_a_gpu_that_has_twice_its_space(
    make_bank: Bank, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = make_bank(tiny, [1.0] * 2)
    size = 2 * int(bank.frames.sum()) * 32
    for free, lies_there in ((2 * size, True), (2 * size - 1, False)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 0))
        assert stays_on(torch.device("cuda"), bank) is lies_there
    assert not stays_on(torch.device("cpu"), bank)


def test_a_bank_that_lies_on_a_device_stays_there(
    make_bank: Bank, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = TrainingCrops.of(make_bank(tiny, [1.0] * 4), ["00"] * 4)
    network = build_network(tiny, 0)
    monkeypatch.setattr("dgmix.model.crops.stays_on", lambda *_: True)
    next(crops.epoch(network, tiny.pretrain, np.random.default_rng(0)))
    monkeypatch.setattr("dgmix.model.crops.stays_on", lambda *_: False)
    monkeypatch.setattr(MelBank, "crops", None)  # would be called if it did not
    next(crops.epoch(network, tiny.pretrain, np.random.default_rng(0)))


@pytest.mark.parametrize("seconds", [[1.0], [0.2, 0.3], [0.2, 3.0, 0.1]])
def test_few_and_short_clips_still_make_batches(
    make_bank: Bank, tiny: Recipe, seconds: list[float]
) -> None:
    for inputs in epoch(make_bank(tiny, seconds), tiny, 0):
        assert inputs.shape[1:] == (1, 32, 16)
        assert len(inputs) >= SMALLEST_BATCH
        assert torch.isfinite(inputs).all()


def test_sections_follow_their_clips(make_bank: Bank, tiny: Recipe) -> None:
    crops = TrainingCrops.of(make_bank(tiny, [1.0] * 4), ["02", "00", "02", "01"])
    assert crops.classes.tolist() == [2, 0, 2, 1]


@pytest.mark.parametrize(
    ("classes", "index"), [("sections", [1, 0, 1, 1]), ("attributes", [2, 0, 1, 2])]
)
def test_classes_are_sections_or_their_attributes(
    make_bank: Bank, tiny: Recipe, classes: Classes, index: list[int]
) -> None:
    sections, attributes = ["02", "00", "02", "02"], ["slow", "slow", "fast", "slow"]
    crops = TrainingCrops.of(make_bank(tiny, [1.0] * 4), sections, attributes, classes)
    assert crops.classes.tolist() == index


def test_inputs_are_standardised_per_band(make_bank: Bank, tiny: Recipe) -> None:
    bank = make_bank(tiny, [2.0] * 8)
    crops = TrainingCrops.of(bank, ["00"] * 8)
    network = build_network(tiny, 0)
    network.transform.set_statistics(*crops.level_statistics(network))
    everything = torch.cat([network.transform(torch.from_numpy(bank[i])[None]) for i in range(8)])
    assert everything.mean((0, 1, 3)).abs().max() < 1e-3
    assert (everything.std((0, 1, 3)) - 1).abs().max() < 1e-2


@pytest.mark.parametrize(("clips", "steps"), [(5, 1), (64, 1), (100, 2), (300, 5)])
def test_as_many_crops_of_each_clip_as_fill_a_batch(clips: int, steps: int) -> None:
    settings = PretrainSettings(crops_per_clip=0, batch_size=64)
    crops = clips * crops_per_clip(clips, settings)
    assert crops >= 64
    batches = deal(clips, settings, steps, np.random.default_rng(0))
    counts = np.bincount(np.concatenate(batches), minlength=clips)
    assert sum(map(len, batches)) - crops in (0, 1)
    assert counts.max() - counts.min() <= 1


def test_waveforms_are_cut_where_spectrograms_would_be(make_bank: Bank, tiny: Recipe) -> None:
    """An encoder of waveforms is given signals; a short clip repeats, a late crop ends with it."""
    changes = {"name": "spectra", "width": 0.1, "resolutions": [64]}
    encoder = tiny.encoder.model_copy(update=changes)
    recipe = tiny.model_copy(update={"encoder": encoder})
    network = build_network(recipe, 0)
    rng = np.random.default_rng(0)
    signals = [rng.normal(size=n).astype(np.float32) for n in (network.crop_samples // 3, 40_000)]
    bank = make_bank(tiny, [len(each) / tiny.audio.rate for each in signals])
    crops = TrainingCrops.of(bank.with_signals(lambda index: signals[index]), ["00", "01"])
    [batch, *_] = crops.epoch(network, recipe.finetune, np.random.default_rng(1))
    assert batch.inputs.shape[1:] == (network.crop_samples,)
    for crop, number in zip(batch.inputs.numpy(), batch.classes.tolist(), strict=True):
        signal = np.tile(signals[number], 4)[: max(len(signals[number]), network.crop_samples)]
        [first] = np.flatnonzero(signal[: len(signal) - len(crop) + 1] == crop[0])
        np.testing.assert_array_equal(crop, signal[first : first + len(crop)])
    assert network.encode(batch.inputs).shape == (len(batch.inputs), network.embedding_size)


@pytest.mark.parametrize("mixed", [1.0, 0.25])
def test_so_many_pairs_are_mixed_as_the_settings_say(mixed: float) -> None:
    settings = PretrainSettings(mixed=mixed)
    weights = mixing_weights(settings, 4000, np.random.default_rng(0))
    assert (weights < 1).mean() == pytest.approx(mixed, abs=0.03)
