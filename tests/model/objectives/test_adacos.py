"""Sub-cluster AdaCos: shares of the centres, and a scale that follows the angles."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dgmix.config import FinetuneSettings
from dgmix.model.batch import Batch
from dgmix.model.objectives.adacos import (
    SubclusterAdaCos,
    adapted_scale,
    class_log_probabilities,
    fixed_scale,
)


def random_cosines(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(-0.9, 0.9, shape))


def test_a_class_has_the_share_of_all_its_centres() -> None:
    cosines = random_cosines(4, 3, 2)
    shares = np.exp(7.0 * cosines.numpy())
    expected = shares.sum(2) / shares.sum((1, 2))[:, None]
    probabilities = class_log_probabilities(cosines, torch.tensor(7.0)).exp()
    np.testing.assert_allclose(probabilities.numpy(), expected, rtol=1e-12)


def test_one_centre_a_class_is_the_cosine_softmax() -> None:
    cosines = random_cosines(5, 4, 1)
    probabilities = class_log_probabilities(cosines, torch.tensor(3.0))
    torch.testing.assert_close(probabilities, (3.0 * cosines[..., 0]).log_softmax(1))


def test_the_scale_is_that_of_the_paper() -> None:
    """Dynamic AdaCos in loops: one centre a class, one class a crop."""
    cosines, classes, scale = random_cosines(7, 5, 1), [0, 3, 1, 4, 2, 2, 0], 4.0
    rows = cosines[..., 0].tolist()
    others = sum(
        math.exp(scale * cosine)
        for row, own in zip(rows, classes, strict=True)
        for number, cosine in enumerate(row)
        if number != own
    )
    angles = sorted(math.acos(row[own]) for row, own in zip(rows, classes, strict=True))
    expected = math.log(others / 7) / math.cos(min(math.pi / 4, angles[3]))
    targets = nn.functional.one_hot(torch.tensor(classes), 5).double()
    adapted = adapted_scale(cosines, targets, torch.tensor(scale))
    assert adapted.item() == pytest.approx(expected, rel=1e-6)


def test_the_loss_of_a_fixed_scale_is_that_of_the_paper() -> None:
    """Sub-cluster AdaCos in loops: −Σ y_c log Σ_{k of c} e^{s cos θ_k} / Σ_k e^{s cos θ_k}.

    With s = √2 log(C·K − 1), y the labels mixed like the inputs (Wilkinghoff, IJCNN 2021, and
    arXiv 2309.15643); the entropy of y, which no weight changes, is left off here.
    """
    torch.manual_seed(0)
    settings = FinetuneSettings(sub_clusters=2, geometric=0, scale="fixed")
    objective = SubclusterAdaCos(settings, 6, 3).double()
    inputs, classes = torch.randn(8, 1, 2, 3, dtype=torch.float64), torch.arange(8) % 3
    weights = torch.rand(4, dtype=torch.float64)
    losses = []
    for pair, (one, other) in enumerate(
        zip(classes[:4].tolist(), classes[4:].tolist(), strict=True)
    ):
        part = float(weights[pair])
        mixed = part * inputs[pair].flatten() + (1 - part) * inputs[pair + 4].flatten()
        scale = math.sqrt(2) * math.log(3 * 2 - 1)
        exponentials = [
            [
                math.exp(scale * float(mixed @ w) / float(mixed.norm() * w.norm()))
                for w in centres.detach()
            ]
            for centres in objective.centres
        ]
        total = sum(map(sum, exponentials))
        labels = [part * (c == one) + (1 - part) * (c == other) for c in range(3)]
        losses += [
            label * (math.log(label) - math.log(sum(own) / total))
            for label, own in zip(labels, exponentials, strict=True)
            if label
        ]
    outcome = objective(nn.Flatten(), Batch(inputs, classes, weights))
    assert outcome.loss.item() == pytest.approx(sum(losses) / 4, rel=1e-6)
    assert objective.scale == pytest.approx(math.sqrt(2) * math.log(5), rel=1e-6)


def test_a_mixture_counts_in_part_as_another_class() -> None:
    """Two classes, 0.25 of the first: B = 0.75 exp(s c₀) + 0.25 exp(s c₁), angles by the parts."""
    cosines, targets = torch.tensor([[[0.99], [0.98]]]), torch.tensor([[0.25, 0.75]])
    b = 0.75 * math.exp(2 * 0.99) + 0.25 * math.exp(2 * 0.98)
    angle = 0.25 * math.acos(0.99) + 0.75 * math.acos(0.98)
    adapted = adapted_scale(cosines, targets, torch.tensor(2.0))
    assert adapted.item() == pytest.approx(math.log(b) / math.cos(angle), rel=1e-5)


def test_the_scale_stays_where_there_is_no_other_class() -> None:
    scale = torch.tensor(5.0)
    assert adapted_scale(random_cosines(6, 1, 3), torch.ones(6, 1), scale) == 5


def trained(sub_clusters: int, geometric: float = 0.0) -> tuple[SubclusterAdaCos, float]:
    """Return the objective after it has learned four clouds, two of each of two sections."""
    torch.manual_seed(0)
    corners = torch.tensor([[3.0, 3.0], [-3.0, -3.0], [3.0, -3.0], [-3.0, 3.0]])
    settings = FinetuneSettings(sub_clusters=sub_clusters, geometric=geometric)
    objective = SubclusterAdaCos(settings, 2, 2)
    optimizer = torch.optim.Adam(objective.parameters(), 0.05)
    for _ in range(200):
        cloud = torch.arange(64) % 4
        inputs = (corners[cloud] + 0.3 * torch.randn(64, 2)).view(64, 1, 1, 2)
        outcome = objective(nn.Flatten(), Batch(inputs, cloud // 2, torch.ones(32)))
        optimizer.zero_grad()
        outcome.loss.backward()
        optimizer.step()
    return objective, outcome.terms["classification"].item()


def test_a_section_of_two_clouds_needs_two_centres() -> None:
    one, several = trained(1)[1], trained(4)[1]
    assert one > 0.6
    assert several < 0.2


def test_the_scale_settles_and_is_kept_with_the_weights() -> None:
    objective, _ = trained(4)
    assert fixed_scale(8) <= objective.scale < 50
    assert "scale" in objective.state_dict()


def test_an_evaluation_leaves_the_scale_alone() -> None:
    torch.manual_seed(0)
    objective = SubclusterAdaCos(FinetuneSettings(), 6, 2).eval()
    before = objective.scale.clone()
    batch = Batch(torch.randn(8, 1, 2, 3), torch.arange(8) % 2, torch.rand(4))
    objective(nn.Flatten(), batch)
    assert objective.scale == before
