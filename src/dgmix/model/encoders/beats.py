"""BEATs: a transformer over patches of the spectrogram (Chen et al. 2022, arXiv 2212.09058).

For the base weights that its authors publish (github.com/microsoft/unilm, beats): twelve layers
with post-norm, residuals scaled as in DeepNorm (Wang et al. 2022, arXiv 2203.00555), convolutional
positions (wav2vec 2.0) and gated relative ones (WavLM, Chen et al. 2021, arXiv 2110.13900). The
modules are named as in those files. There is no dropout: a few healthy clips are no pre-training.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from dgmix.config import EncoderSettings
from dgmix.model.encoders.size import check_size

PATCH = 16  # bands and frames
LAYERS, HEADS, HEAD_SIZE, PATCH_SIZE = 12, 12, 64, 512
TAPS, GROUPS = 128, 16  # of the convolution that tells positions
BUCKETS, FARTHEST = 320, 800  # of relative positions
GATE = 8
FULL_SCALE = 2.0**15  # the weights know samples as 16-bit integers
QUIETEST = torch.finfo(torch.float32).eps
MEAN, DEVIATION = 15.41663, 6.55582  # of the levels that the weights were trained on


class BEATs(nn.Module):
    """(crop, 1, mel, frame) linear magnitudes → (crop, 768) for the standard width.

    The mean over all patches of the last layer's output. Its features are Kaldi's: the logarithm of
    a band's power. Frames that do not fill a patch of sixteen do not count.
    """

    expected: ClassVar = {
        "cfg.input_patch_size": PATCH,
        "cfg.activation_fn": "gelu",
        "cfg.layer_norm_first": False,
        "cfg.deep_norm": True,
        "cfg.relative_position_embedding": True,
        "cfg.max_distance": FARTHEST,
        "cfg.gru_rel_pos": True,
    }
    # a fine-tuned network's classes; the positions, which layers share and files hold for each
    unused = r"predictor\..*|encoder\.layers\.\d+\.self_attn\.relative_attention_bias\.weight"

    def __init__(self, settings: EncoderSettings, n_mels: int, frames: int) -> None:
        super().__init__()
        check_size("beats", PATCH, n_mels, frames)
        heads = max(1, round(HEADS * settings.width))
        patch_size = max(GATE, round(PATCH_SIZE * settings.width))
        self.embedding_size = HEAD_SIZE * heads
        self.patch_embedding = nn.Conv2d(1, patch_size, PATCH, PATCH, bias=False)
        self.layer_norm = nn.LayerNorm(patch_size)
        self.post_extract_proj = nn.Linear(patch_size, self.embedding_size)
        self.encoder = Transformer(heads)

    def segments(self) -> list[nn.Module]:
        """Return the parts that are computed one after another."""
        return list(self.encoder.layers)

    def forward(self, mels: Tensor) -> Tensor:
        """Return the embeddings `(crop, 768)` of crops `(crop, 1, mel, frame)`."""
        return self.patches(mels).mean(1)

    def patches(self, mels: Tensor) -> Tensor:
        """Return the last layer's output `(crop, patch, 768)`; bands follow each other first."""
        level = (FULL_SCALE * mels).square().clamp(min=QUIETEST).log()
        inputs = (level - MEAN) / (2 * DEVIATION)
        x = self.patch_embedding(inputs.transpose(2, 3)).flatten(2).transpose(1, 2)
        patches: Tensor = self.encoder(self.post_extract_proj(self.layer_norm(x)))
        return patches


class Transformer(nn.Module):
    """(crop, patch, channel) → the same, through `LAYERS` layers that share their positions."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        size = HEAD_SIZE * heads
        self.pos_conv = nn.ModuleList([Positions(size)])
        self.layer_norm = nn.LayerNorm(size)
        first = Layer(heads, first=True)
        self.layers = nn.ModuleList([first, *(Layer(heads) for _ in range(1, LAYERS))])

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, patch, channel)` of the same."""
        x = self.layer_norm(x + self.pos_conv[0](x))
        index = relative_buckets(x.shape[1]).to(x.device)
        places = self.get_submodule("layers.0.self_attn.relative_attention_bias")
        bias = places(index).permute(2, 0, 1)
        for layer in self.layers:
            x = layer(x, bias)
        return x


class Positions(nn.Module):
    """The position of a patch: a grouped convolution with normed weights, and GELU.

    For each tap, `weight_v` (out, in / groups, tap) has the directions and `weight_g` the length.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        drawn = torch.randn(size, size // GROUPS, TAPS) * math.sqrt(4 / (TAPS * size))
        self.weight_v = nn.Parameter(drawn)
        self.weight_g = nn.Parameter(drawn.norm(dim=(0, 1), keepdim=True))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, patch, channel)` of the same."""
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=(0, 1), keepdim=True)
        context = functional.conv1d(
            x.transpose(1, 2), weight, self.bias, padding=TAPS // 2, groups=GROUPS
        )
        kept = context[..., :-1]  # a patch hears TAPS / 2 before itself, one less after
        return functional.gelu(kept).transpose(1, 2)


class Layer(nn.Module):
    """Attention and two linear layers, each added to its input, which DeepNorm enlarges."""

    def __init__(self, heads: int, first: bool = False) -> None:
        super().__init__()
        size = HEAD_SIZE * heads
        self.self_attn = Attention(heads, first)
        self.self_attn_layer_norm = nn.LayerNorm(size)
        self.fc1 = nn.Linear(size, 4 * size)
        self.fc2 = nn.Linear(4 * size, size)
        self.final_layer_norm = nn.LayerNorm(size)
        self.kept = (2 * LAYERS) ** 0.25

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Return `(crop, patch, channel)` of the same; `bias` (head, patch, patch)."""
        x = self.self_attn_layer_norm(self.kept * x + self.self_attn(x, bias))
        changed = self.fc2(functional.gelu(self.fc1(x)))
        normed: Tensor = self.final_layer_norm(self.kept * x + changed)
        return normed


class Attention(nn.Module):
    """Attention of several heads, to which each patch adds relative positions as it likes.

    The first layer has the table of positions that all use.
    """

    def __init__(self, heads: int, first: bool) -> None:
        super().__init__()
        size = HEAD_SIZE * heads
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(size, size) for _ in range(4)
        )
        self.grep_linear = nn.Linear(HEAD_SIZE, GATE)
        self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))
        if first:
            self.relative_attention_bias = nn.Embedding(BUCKETS, heads)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Return `(crop, patch, channel)` of the same; `bias` (head, patch, patch)."""
        q, k, v = (
            part(x).unflatten(2, (self.heads, HEAD_SIZE)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        places = self.gate(q) * bias
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=places)
        output: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return output

    def gate(self, q: Tensor) -> Tensor:
        """Return how much positions count, `(crop, head, patch, 1)`, of queries (…, HEAD_SIZE)."""
        sums = self.grep_linear(q).unflatten(3, (2, GATE // 2)).sum(4)
        update, reset = sums.sigmoid().split(1, 3)
        weight: Tensor = update * (reset * self.grep_a - 1) + 2
        return weight


def relative_buckets(patches: int) -> Tensor:
    """Return the bucket of each patch's place seen from each other, int64 (patch, patch).

    As in T5 (Raffel et al. 2020, arXiv 1910.10683): one half of the buckets for what follows; in
    each half one bucket for each near distance, then logarithmically wider ones, the last from
    `FARTHEST` on.
    """
    half, near = BUCKETS // 2, BUCKETS // 4
    place = torch.arange(patches)
    ahead = place - place[:, None]
    distance = ahead.abs()
    octaves = (distance.clamp(min=1).float() / near).log() / math.log(FARTHEST / near)
    far = (near + (octaves * (half - near)).long()).clamp(max=half - 1)
    return half * (ahead > 0).long() + torch.where(distance < near, distance, far)
