"""Encoders that are used as they are: a module or a function that a program gives.

What they give of a crop may be a map with a time axis, which becomes a vector by statistics over
time, as raw views do it. (That of an ONNX file is in `onnx.py`.)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.errors import InputError

AGREEMENT = 1e-3
STATISTICS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mean": lambda values, axis: values.mean(axis),
    "max": lambda values, axis: values.amax(axis),
    "deviation": lambda values, axis: values.std(axis, correction=0),
}


class FrozenEncoder(nn.Module):
    """Crops (crop, 1, mel, frame), or signals (crop, sample), → embeddings (crop, dim), untrained.

    A class of this class says what `outputs` are, and calls `start` when it can. `takes`
    is "mel" or "waveform". `probe` (dim,) is the embedding of a fixed crop, by which a detector
    file recognises the encoder that it was made with.
    """

    frozen = True
    probe: Tensor

    def __init__(self, settings: EncoderSettings, takes: str) -> None:
        super().__init__()
        self.settings, self.takes = settings, takes

    def start(self, sizes: tuple[int, int, int]) -> None:
        """Try crops of so many mel bands and frames, or samples.

        Raises `InputError` where no embeddings come of them.
        """
        n_mels, frames, samples = sizes
        shape = (2, samples) if self.takes == "waveform" else (2, 1, n_mels, frames)
        example = 0.1 * np.random.default_rng(0).standard_normal(shape)
        self._example = torch.from_numpy(example.astype(np.float32))
        with torch.inference_mode():
            embeddings = self(self._example)
        if len(embeddings) != 2 or not embeddings.isfinite().all():
            raise InputError(
                f"encoder '{self.settings.name}': shape {tuple(embeddings.shape)} of 2 crops, or a "
                "value that is not a number; it must give finite numbers of every crop, (crop, …)"
            )
        self.embedding_size = embeddings.shape[1]
        self.register_buffer("probe", embeddings[0].clone())

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return what the encoder gives of inputs, (crop, dim) or (crop, …) with a time axis."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the embeddings (crop, dim) of inputs (crop, 1, mel, frame) or (crop, sample)."""
        values = self.outputs(inputs).float()
        if values.ndim < 2:
            raise InputError(
                f"encoder '{self.settings.name}': shape {tuple(values.shape)} of {len(inputs)} "
                "crops; it must give (crop, dim), or (crop, …) with a time axis"
            )
        return values if values.ndim == 2 else self._pooled(values)

    def is_the_same(self) -> bool:
        """Return whether the fixed crop has the embedding that was loaded."""
        with torch.inference_mode():
            embedding = self(self._example.to(self.probe.device))[0]
        limit = AGREEMENT * max(float(self.probe.abs().max()), 1e-6)
        return bool((embedding - self.probe).abs().max() <= limit)

    def _pooled(self, values: Tensor) -> Tensor:
        axis = self.settings.time_axis
        if not -values.ndim < axis < values.ndim or axis % values.ndim == 0:
            raise InputError(
                f"encoder.time_axis: {axis}, of an output of shape {tuple(values.shape)}; it must "
                f"be from 1 to {values.ndim - 1}, or -1 for the last"
            )
        return torch.cat(
            [STATISTICS[each](values, axis).flatten(1) for each in self.settings.pool], 1
        )


class GivenEncoder(FrozenEncoder):
    """A module, of which a copy is kept, with its weights; or another callable, of arrays."""

    def __init__(self, settings: EncoderSettings, given: Any, sizes: tuple[int, int, int]) -> None:
        super().__init__(settings, settings.input)
        self._function = None if isinstance(given, nn.Module) else given
        if self._function is None:
            self.module = copy.deepcopy(given).eval().requires_grad_(False)
        self.start(sizes)

    @property
    def is_module(self) -> bool:
        """Whether it is a torch module, and no other function."""
        return self._function is None

    def train(self, mode: bool = True) -> GivenEncoder:  # noqa: ARG002
        """Stay in evaluation mode, and return the encoder itself."""
        return super().train(False)

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return what the module gives of a tensor, or the function of an array, float32."""
        if self._function is None:
            values: Tensor = self._chosen(self.module(inputs))
            return values
        given = self._chosen(self._function(inputs.cpu().numpy()))
        return torch.from_numpy(np.array(given, np.float32)).to(inputs.device)

    def _chosen(self, outputs: Any) -> Any:
        """Return the output that the settings name, or the first of several."""
        if isinstance(outputs, Mapping):
            name = self.settings.output or next(iter(outputs))
            if name not in outputs:
                raise InputError(
                    f"encoder.output: the encoder gives no '{name}'; it gives {', '.join(outputs)}"
                )
            return outputs[name]
        several = isinstance(outputs, Sequence) and not isinstance(outputs, str)
        return outputs[0] if several else outputs
