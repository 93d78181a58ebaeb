"""The weights of a network as arrays, as files keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dgmix.config import Recipe
from dgmix.model.network import Network

Arrays = dict[str, NDArray[Any]]


def arrays_of(network: Network) -> Arrays:
    """Return the weights of a network by name."""
    return {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}


def network_of(recipe: Recipe, arrays: Mapping[str, NDArray[Any]]) -> Network:
    """Return the network of a recipe with these weights, in evaluation mode."""
    network = Network(recipe)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return network.eval()


def blank_arrays(recipe: Recipe) -> tuple[Arrays, int]:
    """Return arrays of the shapes and types of a network's weights, and its embedding size.

    They take no memory, however large the network.
    """
    with torch.device("meta"):
        network = Network(recipe)
    arrays = {
        name: np.broadcast_to(np.zeros((), _dtype(weight)), weight.shape)
        for name, weight in network.state_dict().items()
    }
    return arrays, network.embedding_size


def _dtype(weight: torch.Tensor) -> np.dtype[Any]:
    return torch.empty(0, dtype=weight.dtype).numpy().dtype
