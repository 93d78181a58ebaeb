"""What every raw view must do."""

from __future__ import annotations

from typing import Any

import numpy as np

from dgmix.detect.views import as_view, logmel
from dgmix.detect.views.blocks import describe_blocks
from dgmix.testing.claims import require

LENGTHS = (1, 2, 11, 150, 313)


def check_view(given: Any, n_mels: int = 128) -> None:
    """Raise `AssertionError` unless what is given can be plugged in as a raw view.

    It is a function from levels in decibels, float32 (frame, mel), to a vector (dim,), or a
    `RawView`, whose other forms must give what its function gives.
    """
    view = as_view("checked", given)
    sizes = set()
    for frames in LENGTHS:
        mel = _magnitudes(frames, n_mels)
        levels = logmel(mel)
        kept = levels.copy()
        vector = np.asarray(view.describe(levels))
        require(vector.ndim == 1, f"of {frames} frames it gives shape {vector.shape}, not (dim,)")
        require(
            np.isfinite(vector).all(), f"of {frames} frames it gives a value that is not a number"
        )
        require(np.array_equal(levels, kept), "it changes the levels that it is given")
        require(np.array_equal(view.describe(levels), vector), "it gives other numbers every time")
        sizes.add(len(vector))
        _check_forms(view, mel, vector)
    require(len(sizes) == 1, f"recordings of other lengths have other sizes: {sorted(sizes)}")
    silent = np.asarray(view.describe(logmel(np.zeros((20, n_mels), np.float32))))
    require(np.isfinite(silent).all(), "of silence it gives a value that is not a number")
    scale = view.scale(sizes.pop())
    require((np.isfinite(scale) & (scale > 0)).all(), "its spreads are not all above 0")


def _magnitudes(frames: int, n_mels: int) -> Any:
    rng = np.random.default_rng(frames)
    return rng.lognormal(0, 1, (frames, n_mels)).astype(np.float16).astype(np.float32)


def _check_forms(view: Any, mel: Any, vector: Any) -> None:
    if view.blocks is not None:
        parts = np.array_split(mel, min(len(mel), 4))
        described = describe_blocks({"checked": view.blocks}, parts, mel.shape[1])["checked"]
        message = "its form `blocks` gives other numbers than its function"
        np.testing.assert_allclose(described, vector, rtol=1e-5, atol=2e-4, err_msg=message)
    if view.tensors is not None:
        import torch

        levels = torch.from_numpy(logmel(mel)).double()
        message = "its form `tensors` gives other numbers than its function"
        of_tensors = view.tensors(levels).numpy()
        np.testing.assert_allclose(of_tensors, vector, rtol=1e-4, atol=1e-3, err_msg=message)
