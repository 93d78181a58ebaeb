"""He's normal initialisation over the fan-out (He et al. 2015, arXiv 1502.01852, section 2.2)."""

from __future__ import annotations

from torch import nn


def draw_he_fan_out(encoder: nn.Module) -> None:
    """Draw the weights of all convolutions from N(0, 2 / (outputs · height · width)).

    Where the published network sees the same spectrogram on several channels (`stem_channels` of
    the encoder), the first kernel is the sum of as many, which is the same function.
    """
    convolutions = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    for convolution in convolutions:
        nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    convolutions[0].weight.data *= getattr(encoder, "stem_channels", 1) ** 0.5
