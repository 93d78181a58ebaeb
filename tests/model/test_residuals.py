"""The official baselines: what is scored of an autoencoder's residuals, as the organisers' code."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe, load_recipe
from dgmix.detect.embed import embed_clips
from dgmix.detect.scorers.errors import ReconstructionError, SelectiveError
from dgmix.errors import InputError
from dgmix.model.crops import TrainingCrops
from dgmix.model.network import Network
from dgmix.model.train import Run, train

Bank = Callable[..., MelBank]
SECONDS = [0.4, 0.3, 0.5, 0.4, 0.3, 0.1]
DOMAINS = ("source", "source", "source", "target", "target", "source")
QUICK = ["finetune.epochs=1", "finetune.crops_per_clip=20", "evaluate.baselines=[]"]


def trained(recipe: Recipe, bank: MelBank, folder: Path, domains: Any = DOMAINS) -> Network:
    crops = TrainingCrops.of(bank, ["00"] * len(bank), domains=domains)
    return train(recipe, crops, 0, Run(folder))


def residuals(network: Network, bank: MelBank, clip: int) -> Tensor:
    """All windows of a clip, δ (window, frame, mel), with an ordinary loop."""
    frames = bank[clip]
    length = network.crop_frames
    count = max(len(frames) - length, 0) + 1
    rows = [frames[np.arange(first, first + length) % len(frames)] for first in range(count)]
    with torch.no_grad():
        flat = network.encode(torch.from_numpy(np.stack(rows)))
    return flat.view(count, length, -1).double()


def official_mahala(network: Network, bank: MelBank) -> list[float]:
    """The organisers' score: all pairs of a clip's frames, by the inverse covariance of each
    domain's residuals; the lesser of the two means."""
    pooled = {
        name: torch.cat(
            [residuals(network, bank, i).flatten(0, 1) for i, d in enumerate(DOMAINS) if d == name]
        )
        for name in ("source", "target")
    }
    inverses = [torch.linalg.inv(torch.cov(frames.T)) for frames in pooled.values()]
    scores = []
    for clip in range(len(bank)):
        delta = residuals(network, bank, clip).flatten(0, 1)
        means = [(delta @ inverse @ delta.T).mean(1).sum() / len(delta) for inverse in inverses]
        scores.append(min(float(mean) for mean in means))
    return scores


def scores_of(network: Network, recipe: Recipe, bank: MelBank) -> NDArray[np.float64]:
    kind = SelectiveError if "mahala" in recipe.detect.scorer else ReconstructionError
    vectors = embed_clips(recipe, network, bank)
    return kind(recipe.detect).fit(vectors).score(vectors)


def small(name: str, *changes: str) -> Recipe:
    """The recipe with 32 mel bands, of which few clips tell a covariance."""
    return load_recipe(name, [*QUICK, "features.n_mels=32", *changes])


@pytest.fixture(scope="module")
def bank(make_bank: Bank) -> MelBank:
    return make_bank(small("mahala"), SECONDS, seed=3)


def test_the_selective_score_is_the_organisers(bank: MelBank, tmp_path: Path) -> None:
    recipe = small("mahala")
    network = trained(recipe, bank, tmp_path)
    scores = scores_of(network, recipe, bank) ** 2
    expected = np.array(official_mahala(network, bank))
    correlated = np.corrcoef(np.log(scores), np.log(expected))[0, 1]
    assert correlated > 0.999
    np.testing.assert_allclose(scores, expected, rtol=0.1)


def test_the_simple_score_is_the_mean_squared_error(bank: MelBank, tmp_path: Path) -> None:
    recipe = small("autoencoder")
    network = trained(recipe, bank, tmp_path)
    expected = [float(residuals(network, bank, i).square().mean()) for i in range(len(bank))]
    np.testing.assert_allclose(scores_of(network, recipe, bank), expected, rtol=1e-5)


def test_without_target_clips_the_source_stands_for_them(bank: MelBank, tmp_path: Path) -> None:
    network = trained(small("mahala"), bank, tmp_path, domains=())
    white = network.readout.white
    assert torch.equal(white[0], white[1])
    assert not torch.equal(white[0], torch.eye(32))


def test_silence_and_copies_have_finite_scores(tmp_path: Path) -> None:
    recipe = small("mahala")
    silent = MelBank([np.zeros((9, 32), np.float16)] * 2, 32)
    network = trained(recipe, silent, tmp_path, domains=("source", "target"))
    assert np.isfinite(scores_of(network, recipe, silent)).all()


def test_training_makes_the_error_smaller(bank: MelBank, tmp_path: Path) -> None:
    errors = []
    for steps in (1, 120):
        recipe = small("autoencoder", f"finetune.min_steps={steps}", f"finetune.max_steps={steps}")
        network = trained(recipe, bank, tmp_path / str(steps))
        errors.append(scores_of(network, recipe, bank).mean())
    assert errors[1] < 0.5 * errors[0]


def test_the_network_is_the_published_one() -> None:
    recipe = load_recipe("autoencoder")
    network = Network(recipe)
    sizes = [tuple(p.shape) for p in network.encoder.parameters() if p.ndim == 2]
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    assert sizes == [(after, before) for before, after in pairwise(widths)]
    assert network.crop_frames == 5
    assert recipe.finetune.epochs == 100
    assert recipe.finetune.batch_size == 256


@pytest.mark.parametrize(
    "changes",
    [
        ["detect.scorer=knn"],
        ["detect.views=[dgmix, logmel-max]"],
        ["encoder.ensemble=2"],
        ["detect.pool=max-distance"],
        ["detect.per_domain=true"],
    ],
)
def test_errors_are_scored_as_such(changes: list[str]) -> None:
    with pytest.raises(InputError, match=r"autoencoder|it compares nothing"):
        load_recipe("mahala", changes)


def test_other_encoders_have_no_errors() -> None:
    with pytest.raises(InputError, match="need each other; take the recipe 'autoencoder'"):
        load_recipe("published", ["detect.scorer=reconstruction"])
