"""aiSFX: convolutions trained to name sound effects (Ma and Lerch, ISMIR 2022).

For the weights in the package `aisfx` on PyPI (CC BY 4.0), model X-Sequential-CE. The network is
the nine-layer one of Kong et al. 2018 (arXiv 1808.00773) with maximum pooling.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from dgmix.config import EncoderSettings
from dgmix.model.encoders.size import check_size

CHANNELS = (64, 128, 256, 512)
POOLED = 3  # blocks that halve the map
SCALE, LARGEST = 1e4, 9.457798957824707  # the largest value in the clips that it was trained on


class AiSFX(nn.Module):
    """(crop, 1, mel, frame) linear magnitudes → (crop, 512) for the standard width.

    Its features are those of Essentia, log10(1 + 10⁴ · power) on a scale from 0 to 1.
    """

    def __init__(self, settings: EncoderSettings, n_mels: int, frames: int) -> None:
        super().__init__()
        check_size("aisfx", 2**POOLED, n_mels, frames)
        sizes = [max(4, round(channels * settings.width)) for channels in CHANNELS]
        self.embedding_size = sizes[-1]
        for number, (inputs, outputs) in enumerate(zip([1, *sizes], sizes, strict=False), 1):
            self.add_module(f"conv_block{number}", Block(inputs, outputs))

    def segments(self) -> list[nn.Module]:
        """Return the parts that are computed one after another."""
        return list(self.children())

    def forward(self, mels: Tensor) -> Tensor:
        """Return the embeddings `(crop, 512)` of crops `(crop, 1, mel, frame)`."""
        x = (SCALE * mels.square() + 1).log10().transpose(2, 3) / LARGEST
        for number, block in enumerate(self.children()):
            x = block(x)
            if number < POOLED:
                x = functional.max_pool2d(x, 2)
        return x.mean(3).amax(2)


class Block(nn.Module):
    """Twice: convolve 3×3, normalise, rectify."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, outputs, frame, mel)` of `(crop, inputs, frame, mel)`."""
        x = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        return functional.relu(self.bn2(self.conv2(x)), inplace=True)
