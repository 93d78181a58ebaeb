"""The inverses of the blocks of a matrix that is the identity less one of low rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUGGET = 0.5
Floats = NDArray[np.float64]
Groups = NDArray[np.int64]


class Inverses:
    """The inverses of (1 − roots · rootsᵀ) / nugget of groups of one size, in the smaller form.

    `members` (group, clip) are the numbers of their clips. Of few clips an inverse is a matrix
    (clip, clip); of more than the rank, (1 + roots · core · rootsᵀ) · nugget.
    """

    def __init__(self, roots: Floats, members: Groups) -> None:
        self.members = members
        own = roots[members]
        self._roots = own if members.shape[1] > roots.shape[1] else None
        matrices = own @ _turned(own) if self._roots is None else _turned(own) @ own
        self._cores = np.linalg.inv(np.eye(matrices.shape[-1]) - matrices)

    @property
    def diagonal(self) -> Floats:
        """The diagonal (group, clip) of each."""
        if self._roots is None:
            return np.asarray(NUGGET * self._cores.diagonal(0, 1, 2))
        return np.asarray(NUGGET * (1 + ((self._roots @ self._cores) * self._roots).sum(2)))

    def times(self, columns: Floats) -> Floats:
        """Return the products with columns (group, clip, column)."""
        if self._roots is None:
            return np.asarray(NUGGET * (self._cores @ columns))
        products = self._roots @ (self._cores @ (_turned(self._roots) @ columns))
        return np.asarray(NUGGET * (columns + products))


def _turned(matrices: Floats) -> Floats:
    """Return matrices (matrix, row, column) as (matrix, column, row)."""
    return matrices.swapaxes(1, 2)
