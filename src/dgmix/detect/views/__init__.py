"""Views: fixed-length descriptions of a clip, learned or raw, that a scorer can compare.

The learned view is the embedding of DG-Mix. The raw ones are statistics over time of the levels of
each mel band; they stand beside DG-Mix in a detector, and as baselines in every table (DESIGN
§1.7). To add one, write a file with a `RawView` and name it in `dgmix.plugins.OWN`; the contract
test over all raw views picks it up. Views from outside are plugged in (docs/plugins.md).

Two clips are compared by the distance of their vectors, in a metric that is the same for all
machines: each number is multiplied by a fixed factor (docs/decisions/0025-fixed-metrics.md).

Where several signals of a recording are compared, each view has a part of each: "logmel-q90@2" is
that of channel 2 (docs/decisions/0027-channels.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.frames import hop_frames
from dgmix.audio.signals import Signal, signals_of
from dgmix.config import GIVEN, LEARNED, Recipe
from dgmix.detect.views.base import RawView, Vectors, as_view, find_view
from dgmix.detect.views.blocks import Levels, describe_blocks, logmel
from dgmix.detect.windows import windows_of
from dgmix.errors import InputError
from dgmix.plugins import NONE, Own, Plugins
from dgmix.progress import Advance, silent

if TYPE_CHECKING:
    from dgmix.model.network import Network

__all__ = [
    "GIVEN",
    "LEARNED",
    "RAW_VIEWS",
    "RawView",
    "Vectors",
    "as_view",
    "check_sound",
    "deciding",
    "find_view",
    "in_words",
    "logmel",
    "names_of",
    "parts_of",
    "represent",
    "signal_of",
    "view_of",
    "view_size",
]
OF = "@"
LONG_FRAMES = 1 << 14  # 9 minutes at 512 samples of 16 kHz; more are described block by block
RAW_VIEWS: Mapping[str, RawView] = Own("views")


def of_signal(view: str, signal: Signal, signals: Sequence[Signal]) -> str:
    """Return the name of a view of one of the signals compared, its own where that is all."""
    return view if len(signals) == 1 else f"{view}{OF}{signal}"


def names_of(recipe: Recipe) -> list[str]:
    """Return the names of all views of all signals that a recipe compares, by view."""
    signals = signals_of(recipe.audio)
    return [of_signal(view, each, signals) for view in recipe.detect.views for each in signals]


def view_of(name: str) -> str:
    """Return the view that a name is of, whatever the signal."""
    return name.partition(OF)[0]


def signal_of(name: str) -> str:
    """Return the signal that the name of a view is of, "" where a single one is compared."""
    return name.partition(OF)[2]


def deciding(view: str, rows: Sequence[str], deviations: NDArray[np.float64]) -> str:
    """Return the signal whose part of a view deviates most, "" where a single one is compared."""
    of_view = [row for row, name in enumerate(rows) if view_of(name) == view]
    return signal_of(rows[max(of_view, key=lambda row: deviations[row])])


def in_words(view: str) -> str:
    """Return what of a sound a view tells: "peaks", of logmel-max; of one from outside its name."""
    if view == LEARNED:
        return "learned features"
    return RAW_VIEWS[view].in_words if view in RAW_VIEWS else view


def parts_of(view: str, vectors: Vectors, plugins: Plugins = NONE) -> list[Vectors]:
    """Return the vectors of each part of a view, of a signal."""
    name = view_of(view)
    parts = 1 if name in (LEARNED, GIVEN) else find_view(name, plugins).parts
    places = part_places(vectors.values.shape[1], parts)
    return [Vectors(vectors.values[:, place], vectors.clips) for place in places]


def part_places(size: int, parts: int) -> list[slice]:
    """Return where the parts of a vector of so many numbers lie; they differ by one at most."""
    edges = np.linspace(0, size, parts + 1).round().astype(int).tolist()
    return [slice(first, last) for first, last in pairwise(edges)]


def view_size(view: RawView, n_mels: int) -> int:
    """Return how many numbers a raw view has of a clip of so many mel bands."""
    return len(view.describe(np.zeros((1, n_mels), np.float32)))


def check_sound(recipe: Recipe, purpose: str = "what is given here") -> None:
    """Raise `InputError`, naming the purpose, where vectors are compared that the user gives."""
    if GIVEN in recipe.detect.views:
        raise InputError(
            f"this detector was fitted on vectors, and {purpose} is of sound; use `dgmix score "
            "DETECTOR VECTORS` or score_vectors"
        )


def represent(
    recipe: Recipe, network: Network | None, bank: MelBank, advance: Advance = silent
) -> dict[str, Vectors]:
    """Return every view of the clips of a bank that the recipe compares, by name; see `names_of`.

    The learned view needs a network. Calls `advance` with the number of clips that were described
    since, of the first signal.
    """
    check_sound(recipe)
    signals = signals_of(recipe.audio)
    vectors: dict[str, Vectors] = {}
    for signal, part in zip(signals, bank.split(len(signals)), strict=True):
        views = _represent(recipe, network, part, silent if vectors else advance)
        vectors |= {of_signal(name, signal, signals): each for name, each in views.items()}
    return {name: vectors[name] for name in names_of(recipe)}


def _represent(
    recipe: Recipe, network: Network | None, bank: MelBank, advance: Advance
) -> dict[str, Vectors]:
    """Return every view of one signal of the clips of a bank."""
    names = list(dict.fromkeys(recipe.detect.views))
    raw = {name: find_view(name, recipe.plugins) for name in names if name != LEARNED}
    vectors = _raw(bank, raw, silent if LEARNED in names else advance)
    if network is not None and LEARNED in names:
        vectors[LEARNED] = _learned(recipe, network, bank, advance)
    return {name: vectors[name] for name in names}


def _learned(recipe: Recipe, network: Network, bank: MelBank, advance: Advance) -> Vectors:
    from dgmix.detect.embed import embed, embed_clips

    if recipe.detect.one_vector:
        return Vectors(embed_clips(recipe, network, bank, advance), np.arange(len(bank)))
    windows = windows_of(bank, network.crop_frames, hop_frames(recipe))
    return Vectors(embed(network, bank, windows, advance), windows.clips)


def _raw(bank: MelBank, views: Mapping[str, RawView], advance: Advance) -> dict[str, Vectors]:
    values = {
        name: np.empty((len(bank), view_size(view, bank.n_mels)), np.float32)
        for name, view in views.items()
    }
    for index in range(len(bank) if views else 0):
        for name, description in _described(bank, index, views).items():
            _check_description(name, description, values[name].shape[1])
            values[name][index] = views[name].scaled(description)
        advance(1)
    return {name: Vectors(each, np.arange(len(bank))) for name, each in values.items()}


def _described(bank: MelBank, index: int, views: Mapping[str, RawView]) -> dict[str, Levels]:
    """Return the descriptions of a clip, by view; of a long one made block by block.

    A view that has no form for blocks has all of it in memory.
    """
    makers = {name: view.blocks for name, view in views.items() if view.blocks}
    if bank.frames[index] <= LONG_FRAMES:
        makers = {}
    described = describe_blocks(makers, bank.blocks(index), bank.n_mels) if makers else {}
    whole = [name for name in views if name not in described]
    levels = logmel(bank[index]) if whole else None
    return described | {name: views[name].describe(levels) for name in whole if levels is not None}


def _check_description(name: str, description: Levels, size: int) -> None:
    """Raise `InputError` unless a view gave a vector of its size, of numbers."""
    if np.shape(description) != (size,) or not np.isfinite(description).all():
        raise InputError(
            f"view '{name}': shape {np.shape(description)} of a recording, or a value that is no "
            f"number; it must give the same count of finite numbers of every one, here {size}"
        )
