"""The weights of a network as arrays, as files keep them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dgmix.audio.frames import crop_frames
from dgmix.config import ONNX, Recipe
from dgmix.errors import InputError
from dgmix.model.encoders import frozen_encoder, is_frozen
from dgmix.model.encoders.frozen import FrozenEncoder
from dgmix.model.network import Network

Arrays = dict[str, NDArray[Any]]


def arrays_of(network: Network) -> Arrays:
    """Return the weights of a network by name."""
    return {name: tensor.cpu().numpy() for name, tensor in network.state_dict().items()}


def network_of(recipe: Recipe, arrays: Mapping[str, NDArray[Any]]) -> Network:
    """Return the network of a recipe with these weights, in evaluation mode.

    Raises `InputError` where an encoder from outside is not the one that they are of.
    """
    network = _network(recipe, arrays)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    encoder = network.encoder
    if isinstance(encoder, FrozenEncoder) and not encoder.is_the_same():
        raise InputError(
            f"the encoder '{recipe.encoder.name}' that is given is not the one that this detector "
            "was made with: it gives other embeddings; give the same one"
        )
    return network.eval()


def _network(recipe: Recipe, arrays: Mapping[str, NDArray[Any]]) -> Network:
    """Return a network whose encoder is ready where it is used as it is; arrays may hold it."""
    if not is_frozen(recipe.encoder, recipe.plugins):
        return Network(recipe)
    samples = round(recipe.input.crop_seconds * recipe.audio.rate)
    sizes = recipe.features.n_mels, crop_frames(recipe), samples
    content = arrays["encoder.model"].tobytes() if recipe.encoder.name == ONNX else None
    return Network(recipe, frozen_encoder(recipe.encoder, sizes, recipe.plugins, content))


def blank_arrays(recipe: Recipe, held: Mapping[str, NDArray[Any]]) -> tuple[Arrays, int]:
    """Return arrays of the shapes and types of a network's weights, and its embedding size.

    They take no memory, however large the network, unless its encoder is used as it is; the file
    of such a one may be among the arrays that are `held`.
    """
    if is_frozen(recipe.encoder, recipe.plugins):
        network = _network(recipe, held)
    else:
        with torch.device("meta"):
            network = Network(recipe)
    arrays = {
        name: np.broadcast_to(np.zeros((), _dtype(weight)), weight.shape)
        for name, weight in network.state_dict().items()
    }
    return arrays, network.embedding_size


def _dtype(weight: torch.Tensor) -> np.dtype[Any]:
    return torch.empty(0, dtype=weight.dtype).numpy().dtype
