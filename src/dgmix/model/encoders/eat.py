"""EAT: a vision transformer over patches of the spectrogram (Chen et al. 2024, arXiv 2401.03497).

For the base weights that its authors publish without fairseq (huggingface.co/worstchan, EAT-base,
model.safetensors): twelve layers with post-norm and fixed sinusoidal positions (data2vec 2.0,
Baevski et al. 2022, arXiv 2212.07525). The modules are named as there. There is no dropout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dgmix.config import EncoderSettings
from dgmix.model.encoders.size import check_size

PATCH = 16  # bands and frames
LAYERS, HEADS, HEAD_SIZE = 12, 12, 64
QUIETEST = torch.finfo(torch.float32).eps
MEAN, DEVIATION = -4.268, 4.569  # of the levels that the weights were trained on
EPSILON = 1e-6
SPREAD = 0.02  # of the weights before any training
LONGEST_WAVE = 1e4


class EAT(nn.Module):
    """(crop, 1, mel, frame) linear magnitudes → (crop, 768) for the standard width.

    The mean over all patches of the last layer's output. Its features are Kaldi's: the logarithm of
    a band's power, of samples up to 1. Frames that do not fill a patch of sixteen do not count.
    """

    # positions that are computed here; a fine-tuned network's classes
    unused = r"fixed_positional_encoder\.positions|fc_norm\..*|head\..*"

    def __init__(self, settings: EncoderSettings, n_mels: int, frames: int) -> None:
        super().__init__()
        check_size("eat", PATCH, n_mels, frames)
        heads = max(1, round(HEADS * settings.width))
        self.embedding_size = HEAD_SIZE * heads
        projection = nn.Conv2d(1, self.embedding_size, PATCH, PATCH)
        nn.init.xavier_uniform_(projection.weight.view(self.embedding_size, -1))
        self.local_encoder = nn.ModuleDict({"proj": projection})
        self.extra_tokens = nn.Parameter(SPREAD * torch.randn(1, 1, self.embedding_size))
        self.pre_norm = nn.LayerNorm(self.embedding_size, EPSILON)
        self.blocks = nn.ModuleList([Block(heads) for _ in range(LAYERS)])
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=SPREAD)
                nn.init.zeros_(module.bias)

    def segments(self) -> list[nn.Module]:
        """Return the parts that are computed one after another."""
        return list(self.blocks)

    def forward(self, mels: Tensor) -> Tensor:
        """Return the embeddings `(crop, 768)` of crops `(crop, 1, mel, frame)`."""
        return self.tokens(mels)[:, 1:].mean(1)

    def tokens(self, mels: Tensor) -> Tensor:
        """Return the last layer's output `(crop, 1 + patch, 768)`, that of the whole crop first."""
        level = (mels.square().clamp(min=QUIETEST).log() - MEAN) / (2 * DEVIATION)
        grid = self.local_encoder["proj"](level.transpose(2, 3))
        times, bands = grid.shape[2:]
        places = positions(times, bands, self.embedding_size).to(grid)
        x = grid.flatten(2).transpose(1, 2) + places
        x = torch.cat([self.extra_tokens.expand(x.shape[0], -1, -1), x], 1)
        x = self.pre_norm(x)
        for block in self.blocks:
            x = block(x)
        tokens: Tensor = x
        return tokens


class Block(nn.Module):
    """Attention and two linear layers, each added to its input and normed."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        size = HEAD_SIZE * heads
        self.attn = Attention(heads)
        self.norm1 = nn.LayerNorm(size, EPSILON)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(size, 4 * size), "fc2": nn.Linear(4 * size, size)}
        )
        self.norm2 = nn.LayerNorm(size, EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, token, channel)` of the same."""
        x = self.norm1(x + self.attn(x))
        changed = self.mlp["fc2"](functional.gelu(self.mlp["fc1"](x)))
        normed: Tensor = self.norm2(x + changed)
        return normed


class Attention(nn.Module):
    """Attention of several heads."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        size = HEAD_SIZE * heads
        self.heads = heads
        self.qkv = nn.Linear(size, 3 * size)
        self.proj = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, token, channel)` of the same."""
        parts = self.qkv(x).unflatten(2, (3, self.heads, HEAD_SIZE)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(*parts)
        output: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return output


def positions(times: int, bands: int, size: int) -> Tensor:
    """Return what tells a patch its place, float32 (time · band, size), bands in turn.

    A quarter of the numbers each: sine and cosine of the band, sine and cosine of the time, of
    geometrically longer waves (Vaswani et al. 2017).
    """
    quarter = size // 4
    waves = LONGEST_WAVE ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    time = torch.arange(times).repeat_interleave(bands)[:, None] * waves
    band = torch.arange(bands).repeat(times)[:, None] * waves
    return torch.cat([band.sin(), band.cos(), time.sin(), time.cos()], 1).float()
