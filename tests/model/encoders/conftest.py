"""Weights and crops that are the same wherever they are computed."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(scope="session")
def drawn() -> Callable[[nn.Module], dict[str, Tensor]]:
    """Return weights for a network, each drawn by its name; those of norms are about 1."""

    def value(name: str, like: Tensor) -> Tensor:
        rng = np.random.RandomState(zlib.crc32(name.encode()))  # its numbers stay as they are
        factor = name.endswith("weight_g") or (name.endswith("weight") and like.ndim == 1)
        drawn = float(factor) + rng.normal(0, 0.07, like.shape)
        return torch.from_numpy(drawn.astype(np.float32))

    def draw(network: nn.Module) -> dict[str, Tensor]:
        return {name: value(name, like) for name, like in network.state_dict().items()}

    return draw


@pytest.fixture(scope="session")
def crop() -> Callable[[int], Tensor]:
    """Return one crop of linear magnitudes, (1, frame, 128), for a number of frames."""

    def make(frames: int) -> Tensor:
        t = np.arange(frames * 128)
        level = 0.01 * (1.2 + np.sin(t * t * 1e-4)).astype(np.float32)
        return torch.from_numpy(level.reshape(1, frames, 128))

    return make
