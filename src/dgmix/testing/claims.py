"""How a check says what does not hold."""

from __future__ import annotations

from typing import Any

import numpy as np


def require(holds: object, sentence: str) -> None:
    """Raise `AssertionError` with a sentence unless something holds."""
    if not holds:
        raise AssertionError(sentence)


def require_equal(one: Any, other: Any, sentence: str, rtol: float = 1e-9) -> None:
    """Raise `AssertionError` unless two arrays are equal, relatively to `rtol`."""
    np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-12, err_msg=sentence)
