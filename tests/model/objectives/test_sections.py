"""Fine-tuning: the section of each part of a mixture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dgmix.config import FinetuneSettings
from dgmix.model.batch import Batch
from dgmix.model.objectives.sections import MixedSections, mixed_section_term


def test_equals_the_definition_of_the_divergence() -> None:
    generator = np.random.default_rng(0)
    logits, weights = generator.normal(size=(4, 3)), generator.uniform(size=4)
    sections = np.array([0, 1, 2, 0, 2, 2, 2, 1])
    expected = 0.0
    for pair in range(4):
        target = np.zeros(3)
        target[sections[pair]] += weights[pair]
        target[sections[4 + pair]] += 1 - weights[pair]
        predicted = np.exp(logits[pair]) / np.exp(logits[pair]).sum()
        known = target > 0
        expected += (target[known] * np.log(target[known] / predicted[known])).sum() / 4
    found = mixed_section_term(*map(torch.from_numpy, (logits, sections, weights)))
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_zero_for_the_perfect_prediction() -> None:
    logits = torch.tensor([[0.3, 0.7]]).log()
    term = mixed_section_term(logits, torch.tensor([0, 1]), torch.tensor([0.3]))
    assert term.item() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("term", ["classification", "geometric"])
def test_each_weight_scales_its_own_term(term: str) -> None:
    def outcome(weight: float) -> tuple[float, float]:
        torch.manual_seed(0)
        objective = MixedSections(FinetuneSettings(**{term: weight}), 6, 2)
        batch = Batch(torch.rand(8, 1, 2, 3), torch.arange(8) % 2, torch.rand(4))
        found = objective(lambda x: x.flatten(1).square(), batch)
        return found.loss.item(), found.terms[term].item()

    (high, value), (low, _) = outcome(3.0), outcome(1.0)
    assert high - low == pytest.approx(2 * value, rel=1e-5)


def test_one_section_has_nothing_to_classify() -> None:
    objective = MixedSections(FinetuneSettings(), 6, 1)
    batch = Batch(torch.rand(4, 1, 2, 3), torch.zeros(4, dtype=torch.int64), torch.rand(2))
    assert objective(lambda x: x.flatten(1), batch).terms["classification"].item() == 0
