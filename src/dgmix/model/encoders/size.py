"""What the inputs of an encoder must have."""

from __future__ import annotations

from dgmix.errors import InputError


def check_size(name: str, least: int, n_mels: int, frames: int) -> None:
    """Raise `InputError` unless crops have `least` bands and frames, as encoder `name` needs."""
    for what, size, setting in (
        ("bands", n_mels, "features.n_mels"),
        ("frames", frames, "input.crop_seconds"),
    ):
        if size < least:
            raise InputError(
                f"{setting}: encoder '{name}' needs crops of at least {least} {what}, not {size}; "
                "raise it"
            )
