"""What a raw view is: how the levels of a clip become a vector, and its like in other forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.detect.views.blocks import Accumulator, Levels, logmel
from dgmix.plugins import Plugins

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Vectors:
    """What stands for clips in a comparison.

    `values` float32 (vector, dim): one vector of each clip, or of each of its windows;
    `clips` int64 (vector,): which clip a vector is of, ascending.
    """

    values: NDArray[np.float32]
    clips: NDArray[np.int64]

    def select(self, chosen: NDArray[np.int64]) -> Vectors:
        """Return the vectors of the clips of these ascending numbers (clip,), numbered anew."""
        kept = np.isin(self.clips, chosen)
        return Vectors(self.values[kept], np.searchsorted(chosen, self.clips[kept]))


@dataclass(frozen=True)
class RawView:
    """How to describe the levels (frame, mel) of a clip by a vector (dim,).

    `in_words` is what of a sound it tells. `spreads` are typical deviations of healthy clips, from
    the first number to the last, with straight lines between them; they are what simulated machines
    show, and the same for all machines. The vector is cut in `parts` of equal
    size, each compared by itself. As a baseline the vector itself is
    standardised over the training clips or not.

    Two more forms of the same are optional. `blocks`, of a number of mel bands, describes a
    recording of any length from parts of it; without it all of the recording is in memory.
    `tensors` is the function for torch's tensors, float64 (frame, mel), which an ONNX file is made
    of; without it `describe` is tried, which will do where it has nothing of NumPy in it.
    """

    describe: Callable[[Levels], Levels]
    in_words: str
    spreads: tuple[float, ...]
    parts: int = 1
    standardize: bool = False
    blocks: Callable[[int], Accumulator] | None = None
    tensors: Callable[[Tensor], Tensor] | None = None

    def scaled(self, values: Levels) -> Levels:
        """Return a description (dim,) in the metric of this view, for its distances."""
        return np.asarray(values * self.scale(len(values)), np.float32)

    def scale(self, size: int) -> NDArray[np.float64]:
        """Return the factors (dim,) of a vector of this size, one over the spreads."""
        places = np.linspace(0, len(self.spreads) - 1, size)
        return 1 / np.interp(places, np.arange(len(self.spreads)), self.spreads)

    def __call__(
        self, training: MelBank, test: MelBank
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the baseline's view of training and test clips, each float64 (clip, dim)."""
        first, second = (self._of(bank).astype(np.float64) for bank in (training, test))
        if not self.standardize:
            return first, second
        mean, std = first.mean(0), np.maximum(first.std(0), 1e-9)
        return (first - mean) / std, (second - mean) / std

    def _of(self, bank: MelBank) -> NDArray[np.float32]:
        return np.stack([self.describe(logmel(bank[i])) for i in range(len(bank))])


def as_view(name: str, given: Any) -> RawView:
    """Return the raw view that is given as one, or as a function from levels to a vector (dim,)."""
    return given if isinstance(given, RawView) else RawView(given, name, (1.0,))


def find_view(name: str, plugins: Plugins) -> RawView:
    """Return the raw view of a name. Raises `InputError` for a name that nothing has."""
    return as_view(name, plugins.find("views", name))
