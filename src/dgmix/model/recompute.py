"""Gradients in less memory: of each part of an encoder its inputs are kept, nothing in between.

Activation checkpointing (Chen et al. 2016, arXiv 1604.06174). A part is computed again, of the
whole batch, when its gradient is due: batch norms see the statistics that they saw, also those of
several processes, and the gradients are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@contextmanager
def recomputing(encoder: nn.Module, wanted: bool) -> Iterator[None]:
    """Let each of `encoder.segments()`, where it is `wanted`, keep its inputs alone."""
    segments = _segments(encoder) if wanted else []
    for segment in segments:
        norms = [m for m in segment.modules() if isinstance(m, _BatchNorm)]
        segment.forward = partial(_forget, segment.forward, norms)
    try:
        yield
    finally:
        for segment in segments:
            vars(segment).pop("forward", None)


def _segments(encoder: nn.Module) -> list[nn.Module]:
    """Return the parts of an encoder; the whole of it where it names none."""
    segments: list[nn.Module] = getattr(encoder, "segments", lambda: [encoder])()
    return segments


def _forget(forward: Any, norms: list[_BatchNorm], *inputs: Any) -> Any:
    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _untracked(norms)

    return checkpoint(
        forward, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=contexts
    )


@contextmanager
def _untracked(norms: list[_BatchNorm]) -> Iterator[None]:
    """Leave the running statistics as they are: they have counted this batch already."""
    states = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm, _, count in states:
        norm.momentum = 0.0
        norm.num_batches_tracked = None if count is None else count.clone()
    try:
        yield
    finally:
        for norm, momentum, count in states:
            norm.momentum, norm.num_batches_tracked = momentum, count
