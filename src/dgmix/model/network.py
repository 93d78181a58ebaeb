"""The part of the model that is kept: from linear mel crops to embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dgmix.audio.features import FLOOR
from dgmix.audio.frames import crop_frames
from dgmix.config import InputSettings, Recipe
from dgmix.model.encoders import build_encoder
from dgmix.model.encoders.ensemble import Ensemble, members_of
from dgmix.model.encoders.weights import load_weights
from dgmix.model.residuals import build_readout


class InputTransform(nn.Module):
    """Linear mel magnitudes (crop, frame, mel) → what the encoder sees (crop, 1, mel, frame)."""

    mean: Tensor
    scale: Tensor

    def __init__(self, settings: InputSettings, n_mels: int) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("mean", torch.zeros(n_mels))
        self.register_buffer("scale", torch.ones(n_mels))

    def level(self, mels: Tensor) -> Tensor:
        """Return `mels` in decibels, or as they are, by the settings."""
        return decibels(mels) if self.settings.log else mels

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Standardise with these per-band statistics (mel,) of the training frames' levels."""
        if self.settings.standardize:
            self.mean.copy_(mean)
            self.scale.copy_(1 / std.clamp_min(1e-6))

    def forward(self, mels: Tensor) -> Tensor:
        """Return the encoder's input, float32 (crop, 1, mel, frame)."""
        return ((self.level(mels) - self.mean) * self.scale).transpose(1, 2).unsqueeze(1)


def decibels(mels: Tensor) -> Tensor:
    """Return linear magnitudes in dB re 1, floored at -100: 20 · log10(max(mel, 1e-5))."""
    return 20 * torch.log10(mels.clamp(min=FLOOR))


class Network(nn.Module):
    """Input transform, encoder, readout: linear mel crops (crop, frame, mel) → (crop, embedding).

    The readout makes errors of an autoencoder's residuals, and leaves other embeddings as they are.
    Where the encoder `takes_waveform`, crops are signals (crop, sample).
    """

    def __init__(self, recipe: Recipe, encoder: nn.Module | None = None) -> None:
        super().__init__()
        self.crop_frames = crop_frames(recipe)
        n_mels = recipe.features.n_mels
        self.transform = InputTransform(recipe.input, n_mels)
        self.crop_samples = round(recipe.input.crop_seconds * recipe.audio.rate)
        self.hop_length = recipe.features.hop_length
        self.encoder = encoder or build_encoder(
            recipe.encoder, n_mels, self.crop_frames, recipe.plugins, self.crop_samples
        )
        self.takes_waveform = getattr(self.encoder, "takes", "mel") == "waveform"
        self.readout = build_readout(recipe.detect.scorer, n_mels)
        size = self.encoder.embedding_size
        self.embedding_size = int(getattr(self.readout, "embedding_size", size))  # type: ignore[arg-type]
        self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.transform.mean.device

    @property
    def trainable(self) -> bool:
        """Whether its encoder may be trained, and is not used as it is."""
        return not getattr(self.encoder, "frozen", False)

    def forward(self, crops: Tensor) -> Tensor:
        """Return the embeddings (crop, dim) of crops, linear mels (crop, frame, mel) or signals."""
        embedding: Tensor = self.readout(self.encode(crops))
        return embedding

    def encode(self, crops: Tensor) -> Tensor:
        """Return what the encoder makes of crops, (crop, dim)."""
        encoded: Tensor = self.encoder(crops if self.takes_waveform else self.transform(crops))
        return encoded


def member_seed(seed: int, number: int) -> int:
    """Return the seed of one network of an ensemble; that of the first is the seed itself.

    No two of different numbers or different seeds are alike, other than by chance.
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0]) if number else seed


def without_ensemble(recipe: Recipe) -> Recipe:
    """Return the recipe of one network of an ensemble."""
    return recipe.model_copy(update={"encoder": recipe.encoder.model_copy(update={"ensemble": 1})})


def side_by_side(recipe: Recipe, members: Sequence[Network]) -> Network:
    """Return one network of those of an ensemble; the only one itself where there is no other."""
    if len(members) == 1:
        return members[0]
    network = Network(recipe, Ensemble([member.encoder for member in members]))
    network.transform = members[0].transform
    return network.eval()


def build_network(recipe: Recipe, seed: int, number: int = 0) -> Network:
    """Return an untrained network; the same seed gives the same weights.

    Its encoder has the weights of the file that the recipe names, if it does: where the file holds
    an ensemble, those of the network of this number, from 0. Raises `InputError` when that is no
    such file, or is needed and not named.
    """
    weights = recipe.encoder.weights_file()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(recipe)
    if weights and network.trainable:
        for index, encoder in enumerate(members_of(network.encoder), number):
            load_weights(encoder, recipe.encoder.name, weights, index)
    return network
