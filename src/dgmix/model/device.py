"""Where a network is trained."""

from __future__ import annotations

from dgmix.errors import InputError


def chosen_device(wanted: str | None, *, networks: bool = True) -> str:
    """Return the device that is chosen, or "cuda" where torch can use a GPU, else "cpu".

    Without `networks` nothing needs a GPU. Raises `InputError` for a device that torch does not
    know or cannot use here.
    """
    if wanted is None and not networks:
        return "cpu"
    import torch

    if wanted is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {wanted}: torch cannot use it here; try cpu") from error
    return wanted
