"""Ensembles: several networks from different seeds that embed side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe, load_recipe
from dgmix.detect.bundle import load_detector, save_detector
from dgmix.detect.fitted import FittedDetector
from dgmix.errors import InputError
from dgmix.model.crops import TrainingCrops
from dgmix.model.encoders.ensemble import members_of
from dgmix.model.network import Network, build_network, member_seed
from dgmix.model.train import Run, StageTraining, train, untrained

Bank = Callable[..., MelBank]


@pytest.fixture(scope="module")
def bank(make_bank: Bank, tiny: Recipe) -> MelBank:
    return make_bank(tiny, [1.5] * 9)


@pytest.fixture(scope="module")
def crops(bank: MelBank) -> TrainingCrops:
    return TrainingCrops.of(bank, ["00", "01", "00"] * 3)


def of(recipe: Recipe, count: int) -> Recipe:
    encoder = recipe.encoder.model_copy(update={"ensemble": count})
    return recipe.model_copy(update={"encoder": encoder})


@torch.no_grad()
def embeddings(network: Network, crops: TrainingCrops) -> torch.Tensor:
    inputs = torch.from_numpy(crops.bank.crops(np.arange(4), np.zeros(4, int), network.crop_frames))
    return network.eval()(inputs)


def test_an_ensemble_embeds_as_its_networks_do_trained_one_by_one(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path
) -> None:
    pair = train(of(tiny, 2), crops, 3, Run(tmp_path / "pair"))
    seeds = [3, member_seed(3, 1)]
    alone = [train(tiny, crops, seed, Run(tmp_path / str(seed))) for seed in seeds]
    expected = torch.cat([embeddings(network, crops) for network in alone], 1)
    assert torch.equal(embeddings(pair, crops), expected)
    assert pair.embedding_size == expected.shape[1] == 2 * alone[0].embedding_size
    logs = [tmp_path / "pair" / "log.jsonl", tmp_path / "pair" / "network2" / "log.jsonl"]
    assert [log.exists() for log in logs] == [True, True]


def test_no_two_seeds_share_a_network() -> None:
    seeds = [member_seed(seed, number) for seed in range(20) for number in range(20)]
    assert len(set(seeds)) == 400


def test_untrained_networks_differ(crops: TrainingCrops, tiny: Recipe) -> None:
    one, other = members_of(untrained(of(tiny, 2), crops, 0).encoder)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


def test_an_interrupted_ensemble_goes_on_where_it_was(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(of(tiny, 2), crops, 0, Run(tmp_path / "whole"))
    plain, epochs = StageTraining._train_epoch, []

    def until_interrupted(self: StageTraining, *arguments: object) -> None:
        epochs.append(self.run.folder)
        if len(epochs) == 6:  # the first network has four epochs
            raise KeyboardInterrupt
        plain(self, *arguments)

    run = Run(tmp_path / "parts", checkpoint_seconds=0)
    with monkeypatch.context() as patch:
        patch.setattr(StageTraining, "_train_epoch", until_interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(of(tiny, 2), crops, 0, run)
    assert epochs[-1] == run.folder / "network2"
    monkeypatch.setattr(
        StageTraining, "_train_epoch", lambda *a: epochs.append(a[0].run.folder) or plain(*a)
    )
    done = len(epochs)
    finished = train(of(tiny, 2), crops, 0, run)
    assert epochs[done:] == [run.folder / "network2"] * 3
    assert torch.equal(embeddings(finished, crops), embeddings(whole, crops))


def test_a_detector_keeps_every_network(
    bank: MelBank,
    crops: TrainingCrops,
    tiny: Recipe,
    tmp_path: Path,
    remembered: Callable[..., FittedDetector],
) -> None:
    recipe = of(tiny, 2)
    network = train(recipe, crops, 0, Run(tmp_path))
    sections = ["00"] * len(bank)
    fitted = remembered(recipe, network, bank, sections)
    save_detector(fitted, tmp_path / "pair.dgmix")
    loaded = load_detector(tmp_path / "pair.dgmix")
    expected = [each.score for each in fitted.judge(bank, sections, sections)]
    assert [each.score for each in loaded.judge(bank, sections, sections)] == expected


def test_each_network_starts_from_given_weights(tiny: Recipe, tmp_path: Path) -> None:
    torch.save(build_network(tiny, 5).encoder.state_dict(), tmp_path / "w.pt")
    encoder = tiny.encoder.model_copy(update={"weights": str(tmp_path / "w.pt"), "ensemble": 2})
    started = build_network(tiny.model_copy(update={"encoder": encoder}), 0).encoder
    first, second = (next(member.parameters()) for member in members_of(started))
    assert torch.equal(first, second)


def test_each_network_starts_from_its_own_of_an_ensemble(
    crops: TrainingCrops, tiny: Recipe, tmp_path: Path
) -> None:
    path = tmp_path / "pair.pt"
    torch.save(untrained(of(tiny, 2), crops, 5).state_dict(), path)

    def started(count: int) -> dict[str, torch.Tensor]:
        encoder = tiny.encoder.model_copy(update={"weights": str(path), "ensemble": count})
        recipe = tiny.model_copy(update={"encoder": encoder, "recalibrate": False})
        return dict(untrained(recipe, crops, 0).encoder.named_parameters())

    expected = dict(untrained(of(tiny, 2), crops, 5).encoder.named_parameters())
    for name, weights in started(2).items():
        assert torch.equal(weights, expected[name])
    for name, weights in started(1).items():
        assert torch.equal(weights, expected[f"members.0.{name}"])
    with pytest.raises(InputError, match=r"pair\.pt: 2 networks; set encoder\.ensemble to no more"):
        started(3)


@pytest.mark.parametrize("epochs", [0, 1])
def test_untrained_is_where_training_starts(
    epochs: int, crops: TrainingCrops, tiny: Recipe, tmp_path: Path
) -> None:
    pretrain = tiny.pretrain.model_copy(update={"epochs": epochs, "min_steps": 0})
    finetune = tiny.finetune.model_copy(update={"epochs": 0})
    recipe = of(tiny, 2).model_copy(update={"pretrain": pretrain, "finetune": finetune})
    start = untrained(recipe, crops, 0).state_dict()
    end = train(recipe, crops, 0, Run(tmp_path)).state_dict()
    assert all(torch.equal(end[name], start[name]) for name in start) == (epochs == 0)


@pytest.mark.parametrize("count", [0, 1000])
def test_no_network_and_too_many_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=r"encoder\.ensemble"):
        load_recipe("default", [f"encoder.ensemble={count}"])
