"""One batch shared by several processes, as if one had it all (docs/decisions/0014).

Each process encodes its rows of the joint batch; batch norms use the statistics of all rows; the
embeddings of all rows are gathered, and every process computes the same loss of them. Gradients
are those of the sum of the processes' losses, so that their mean is that of the joint batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from dgmix.errors import InputError
from dgmix.model.distributed import Ranks

Encode = Callable[[Tensor], Tensor]


def joint_encoder(encoder: Encode, ranks: Ranks) -> Encode:
    """Return a function of all rows' inputs (row, ...) that gives all rows' embeddings (row, dim).

    This process encodes its own rows alone. The encoder itself where there is one process.
    """
    if ranks.size == 1:
        return encoder

    def encode(inputs: Tensor) -> Tensor:
        if len(inputs) < ranks.size:
            raise InputError(
                f"a batch has {len(inputs)} pairs, too few for {ranks.size} processes; start "
                "fewer, or raise batch_size"
            )
        rows = ranks.rows(len(inputs))
        return gather(encoder(inputs[rows]), rows, len(inputs), ranks)

    return encode


def gather(values: Tensor, rows: slice, total: int, ranks: Ranks) -> Tensor:
    """Return the values of all processes (total, ...), of which `values` are `rows`.

    A gradient with respect to a value is the sum of those that the processes have.
    """
    padding = [0, 0] * (values.ndim - 1) + [rows.start, total - rows.stop]
    joint: Tensor = _Sum.apply(functional.pad(values, padding), ranks)  # type: ignore[no-untyped-call]
    return joint


class _Sum(torch.autograd.Function):
    """Sum over processes; its gradient is the sum over processes of their gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return ranks.sum(_contiguous_copy(values))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return ctx.ranks.sum(_contiguous_copy(grad)), None


@contextmanager
def joint_norms(module: nn.Module, ranks: Ranks) -> Iterator[None]:
    """Let the batch norms of `module`, in training, use the statistics of all processes' rows."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and ranks.size > 1]
    for norm in norms:
        norm.forward = partial(_normalize, norm, ranks)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward


def _normalize(norm: _BatchNorm, ranks: Ranks, x: Tensor) -> Tensor:
    values = x.float() if x.dtype == torch.bfloat16 else x
    with torch.no_grad():
        mean, variance, count = joint_moments(values, ranks)
        _track(norm, mean, variance * count / (count - 1))
    normal: Tensor = _Normalize.apply(  # type: ignore[no-untyped-call]
        values, norm.weight, norm.bias, mean, variance, count, norm.eps, ranks
    )
    return normal.to(x.dtype)


def joint_moments(x: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance (channel,) and number of the values that all processes have.

    `x` (row, channel, ...); the number is that of one channel and divides the variance. Joined from
    the moments of each process (Chan, Golub, LeVeque 1979): a large mean costs no digits.
    """
    channels = x.shape[1]
    variance, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
    parts = x.new_zeros(ranks.size, 2 * channels + 1)
    parts[ranks.rank] = torch.cat([mean, variance, mean.new_tensor([x.numel() // channels])])
    means, variances, counts = torch.split(ranks.sum(parts), [channels, channels, 1], 1)
    count = counts.sum()
    shares = counts / count
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean).square())).sum(0), count


def _track(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Update the running statistics as torch does: by `momentum`, or cumulatively without one."""
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance, share)


class _Normalize(torch.autograd.Function):
    """Batch norm with given moments, of which its gradient knows that they follow from all rows.

    Ioffe, Szegedy 2015 (arXiv 1502.03167), section 3; the sums over rows are those of all
    processes. Weight and bias have the gradients of this process's rows.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        eps: float,
        ranks: Ranks,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), count)
        ctx.ranks = ranks
        return functional.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse, count = ctx.saved_tensors
        rows = [0, *range(2, x.ndim)]
        shape = [1, -1] + [1] * (x.ndim - 2)
        normal = (x - mean.view(shape)) * inverse.view(shape)
        own = torch.stack([grad.sum(rows), (grad * normal).sum(rows)])
        of_mean, of_scale = ctx.ranks.sum(own.clone()) / count
        scale = inverse if weight is None else inverse * weight
        of_x = (grad - of_mean.view(shape) - normal * of_scale.view(shape)) * scale.view(shape)
        affine = (None, None) if weight is None else (own[1], own[0])
        return of_x, *affine, None, None, None, None, None


def _contiguous_copy(values: Tensor) -> Tensor:
    return values.clone(memory_format=torch.contiguous_format)
