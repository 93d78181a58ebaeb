"""`.dgmix` files: a whole detector in one safetensors file, from which nothing can run.

Tensors hold the weights, the memory and the calibration scores; the metadata holds one JSON text
under the key "dgmix", with the format version, the recipe and what the detector was trained on.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dgmix.config import dump_recipe, parse_recipe
from dgmix.detect.detector import Detector
from dgmix.detect.localize import BandStatistics
from dgmix.detect.memory import Memory
from dgmix.errors import InputError
from dgmix.files import atomic_path
from dgmix.model.network import Network

FORMAT = 1
WEIGHTS = "network."


def save_detector(detector: Detector, path: Path) -> None:
    """Write a detector to `path`, whole or not at all."""
    import yaml
    from safetensors.torch import save_file

    from dgmix import __version__

    memory = detector.memory_
    tensors = {WEIGHTS + k: v.contiguous() for k, v in detector.network_.state_dict().items()}
    arrays = {
        "memory.references": memory.references,
        "memory.clips": memory.clips,
        "bands.mean": detector.bands_.mean,
        "bands.std": detector.bands_.std,
        "calibration": detector.decision_scores_,
    }
    tensors |= {name: torch.from_numpy(array) for name, array in arrays.items()}
    description = {
        "format": FORMAT,
        "version": __version__,
        "recipe": yaml.safe_load(dump_recipe(detector.recipe_)),
        "sections": memory.sections,
        "domains": memory.domains,
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"dgmix": json.dumps(description)})


def load_detector(path: Path) -> Detector:
    """Return the detector that `save_detector` wrote to `path`.

    Raises `InputError` if the file is missing, damaged, not a detector, or of a newer format.
    """
    return _load(path)[0]


def describe_detector(path: Path) -> dict[str, Any]:
    """Return what is inside a detector file, for people: a nested dictionary of plain values.

    Raises what `load_detector` raises.
    """
    detector, description = _load(path)
    versions = {"format": description["format"], "dgmix": description["version"]}
    return {**versions, **detector.summary(), "recipe": description["recipe"]}


def _load(path: Path) -> tuple[Detector, dict[str, Any]]:
    tensors, description = _read(path)
    try:
        return _assemble(tensors, description, path), description
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path}: a damaged detector; make it again") from error


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise InputError(f"{path}: there is no such detector file")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            description = json.loads(metadata["dgmix"])
            _check_format(description, path)
            return {name: file.get_tensor(name) for name in file.keys()}, description  # noqa: SIM118
    except (SafetensorError, LookupError, TypeError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a dgmix detector, or a damaged one") from error


def _check_format(description: dict[str, Any], path: Path) -> None:
    version = description["version"]
    if description["format"] > FORMAT:
        raise InputError(f"{path}: written by a newer dgmix ({version}); update dgmix to read it")


def _assemble(
    tensors: dict[str, torch.Tensor], description: dict[str, Any], path: Path
) -> Detector:
    recipe = parse_recipe(description["recipe"], str(path))
    network = Network(recipe)
    weights = {k.removeprefix(WEIGHTS): v for k, v in tensors.items() if k.startswith(WEIGHTS)}
    network.load_state_dict(weights)
    memory = Memory(
        tensors["memory.references"].numpy(),
        tensors["memory.clips"].numpy().astype(np.int64),
        tuple(description["sections"]),
        tuple(description["domains"]),
    )
    bands = BandStatistics(tensors["bands.mean"].numpy(), tensors["bands.std"].numpy())
    scores = tensors["calibration"].numpy()
    _check_sizes(network, memory, bands, scores)
    return Detector(recipe).assemble(recipe, network.eval(), memory, bands, scores)


def _check_sizes(
    network: Network, memory: Memory, bands: BandStatistics, scores: NDArray[np.float64]
) -> None:
    """Raise `ValueError` if the parts of a detector do not belong together."""
    references, dims = memory.references.shape
    clips, bins = len(memory.sections), network.transform.mean.shape
    known = set(memory.clips.tolist())
    fits = (
        (len(memory.clips), dims) == (references, network.embedding_size)
        and known == set(range(clips))
        and (len(memory.domains), *scores.shape) == (clips, clips)
        and bands.mean.shape == bands.std.shape == bins
    )
    if not fits:
        raise ValueError("sizes that do not belong together")
