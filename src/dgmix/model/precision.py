"""Training in bfloat16 where the hardware multiplies it natively (docs/decisions/0017)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from dgmix.config import Precision

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def training_dtype(precision: Precision, encoder: nn.Module, device: torch.device) -> torch.dtype:
    """Return in which type the layers of a training compute.

    "auto" is bfloat16 where the device multiplies it natively and the encoder says that it learns
    as well in it (`trains_in_bfloat16`).
    """
    if precision == "auto":
        wanted = getattr(encoder, "trains_in_bfloat16", False) and multiplies_bfloat16(device)
        return torch.bfloat16 if wanted else torch.float32
    return DTYPES[precision]


def multiplies_bfloat16(device: torch.device) -> bool:
    """Say whether a device has instructions for it: AVX-512 BF16 or AMX, an Ampere GPU or newer."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


@contextmanager
def computing_in(dtype: torch.dtype, modules: Iterable[nn.Module]) -> Iterator[None]:
    """Let the layers of `modules` compute in `dtype`; weights and what modules return stay float32.

    Torch's autocast: convolutions and matrix products are in `dtype`, sums over a batch in float32.
    """
    changed = [module for module in modules if dtype != torch.float32]
    for module in changed:
        module.forward = partial(_cast, module.forward, dtype)
    try:
        yield
    finally:
        for module in changed:
            del module.forward


def _cast(forward: Callable[[Tensor], Tensor], dtype: torch.dtype, inputs: Tensor) -> Tensor:
    with torch.autocast(inputs.device.type, dtype):
        return forward(inputs).float()
