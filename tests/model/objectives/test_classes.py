"""What fine-tuning objectives on classes have in common."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dgmix.config import FinetuneSettings
from dgmix.model.batch import Batch, Outcome
from dgmix.model.objectives import build_objective
from dgmix.model.objectives.classes import MixedClasses

CLASSES = ("sections", "adacos")


def objective(name: str, classes: int = 2, **settings: float) -> nn.Module:
    torch.manual_seed(0)
    return build_objective("finetune", FinetuneSettings(objective=name, **settings), 6, classes)


def batch(crops: int = 8) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.rand(crops, 1, 2, 3), torch.arange(crops) % 2, torch.rand(crops // 2))


class AsTheyAre(MixedClasses):
    """Takes the embeddings for log-probabilities."""

    def log_probabilities(self, embedding: Tensor, shares: Tensor) -> Tensor:  # noqa: ARG002
        return embedding.log_softmax(1)


def test_the_classification_term_is_the_divergence_by_its_definition() -> None:
    generator = np.random.default_rng(0)
    logits, weights = generator.normal(size=(4, 3)), generator.uniform(size=4)
    classes = np.array([0, 1, 2, 0, 2, 2, 2, 1])
    expected = 0.0
    for pair in range(4):
        target = np.zeros(3)
        target[classes[pair]] += weights[pair]
        target[classes[4 + pair]] += 1 - weights[pair]
        predicted = np.exp(logits[pair]) / np.exp(logits[pair]).sum()
        known = target > 0
        expected += (target[known] * np.log(target[known] / predicted[known])).sum() / 4
    mixed = Batch(torch.zeros(8, 1, 1, 1), torch.from_numpy(classes), torch.from_numpy(weights))
    settings = FinetuneSettings(geometric=0)
    outcome = AsTheyAre(settings, 3)(lambda _: torch.from_numpy(logits), mixed)
    assert outcome.terms["classification"].item() == pytest.approx(expected, rel=1e-12)
    assert outcome.loss.item() == pytest.approx(expected, rel=1e-12)


def test_zero_for_the_perfect_prediction() -> None:
    mixed = Batch(torch.zeros(2, 1, 1, 1), torch.tensor([0, 1]), torch.tensor([0.3]))
    outcome = AsTheyAre(FinetuneSettings(geometric=0), 2)(
        lambda _: torch.tensor([[0.3, 0.7]]).log(), mixed
    )
    assert outcome.loss.item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("term", ["classification", "geometric"])
def test_each_weight_scales_its_own_term(name: str, term: str) -> None:
    def outcome(weight: float) -> tuple[float, float]:
        settings = {term: weight}
        terms = objective(name, **settings)(lambda x: x.flatten(1).square(), batch())
        return terms.loss.item(), terms.terms[term].item()

    (high, value), (low, _) = outcome(3.0), outcome(1.0)
    assert high - low == pytest.approx(2 * value, rel=1e-4)


@pytest.mark.parametrize("name", CLASSES)
def test_clean_crops_are_encoded_for_the_geometric_term_alone(name: str) -> None:
    def encoded(weight: float) -> tuple[list[int], Outcome]:
        seen: list[int] = []

        def encoder(crops: Tensor) -> Tensor:
            seen.append(len(crops))
            return crops.flatten(1)

        return seen, objective(name, geometric=weight)(encoder, batch())

    with_it, without = encoded(1.0), encoded(0.0)
    assert sorted(with_it[0]) == [4, 8]
    assert without[0] == [4]
    assert "geometric" not in without[1].terms
    same = (outcome.terms["classification"] for _, outcome in (with_it, without))
    assert torch.equal(*same)


@pytest.mark.parametrize("name", CLASSES)
def test_one_class_has_nothing_to_classify(name: str) -> None:
    mixed = Batch(torch.rand(4, 1, 2, 3), torch.zeros(4, dtype=torch.int64), torch.rand(2))
    term = objective(name, classes=1)(nn.Flatten(), mixed).terms["classification"].item()
    assert term == pytest.approx(0, abs=1e-6)
