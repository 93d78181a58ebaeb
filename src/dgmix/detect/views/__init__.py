"""Views: fixed-length descriptions of a clip, learned or raw, that a scorer can compare.

The learned view is the embedding of DG-Mix. The raw ones are statistics over time of the levels of
each mel band; they stand beside DG-Mix in a detector, and as baselines in every table (DESIGN
§1.7). To add one, write a file with a `RawView` and name it in `dgmix.plugins.OWN`; the contract
test over all raw views picks it up. Views from outside are plugged in (docs/plugins.md).

Two clips are compared by the distance of their vectors, in a metric that is the same for all
machines: each number is multiplied by a fixed factor (docs/decisions/0025-fixed-metrics.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dgmix.audio.bank import MelBank
from dgmix.audio.frames import hop_frames
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
    "find_view",
    "in_words",
    "logmel",
    "parts_of",
    "represent",
    "view_size",
]
LONG_FRAMES = 1 << 14  # 9 minutes at 512 samples of 16 kHz; more are described block by block
RAW_VIEWS: Mapping[str, RawView] = Own("views")


def in_words(view: str) -> str:
    """Return what of a sound a view tells: "peaks", of logmel-max; of one from outside its name."""
    if view == LEARNED:
        return "learned features"
    return RAW_VIEWS[view].in_words if view in RAW_VIEWS else view


def parts_of(view: str, vectors: Vectors, plugins: Plugins = NONE) -> list[Vectors]:
    """Return the vectors of each part of a view."""
    parts = 1 if view in (LEARNED, GIVEN) else find_view(view, plugins).parts
    places = part_places(vectors.values.shape[1], parts)
    return [Vectors(vectors.values[:, place], vectors.clips) for place in places]


def part_places(size: int, parts: int) -> list[slice]:
    """Return where the parts of a vector of so many numbers lie; they differ by one at most."""
    edges = np.linspace(0, size, parts + 1).round().astype(int).tolist()
    return [slice(first, last) for first, last in pairwise(edges)]


def view_size(view: RawView, n_mels: int) -> int:
    """Return how many numbers a raw view has of a clip of so many mel bands."""
    return len(view.describe(np.zeros((1, n_mels), np.float32)))


def represent(
    recipe: Recipe, network: Network | None, bank: MelBank, advance: Advance = silent
) -> dict[str, Vectors]:
    """Return every view of the clips of a bank that the recipe compares, by name.

    The learned view needs a network. Calls `advance` with the number of clips that were described
    since.
    """
    names = list(dict.fromkeys(recipe.detect.views))
    if GIVEN in names:
        raise InputError("this detector knows vectors, no sound; score vectors with it")
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
